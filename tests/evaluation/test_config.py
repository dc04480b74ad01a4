"""What an evaluation cannot be."""

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.config import EvaluationConfig, RobustnessConfig, Scoring
from torchfakes_utils.metrics.config import MOST_REPLICATES


@pytest.mark.parametrize("config", [EvaluationConfig, RobustnessConfig])
def test_replicates_are_some_and_not_more_than_memory_holds(config):
    assert config(replicates=MOST_REPLICATES).replicates == MOST_REPLICATES
    with pytest.raises(InputError, match=r"replicates 100001: at most 100,000"):
        config(replicates=MOST_REPLICATES + 1)
    with pytest.raises(InputError, match="replicates 0: give a whole number above 0"):
        config(replicates=0)
    with pytest.raises(InputError, match="replicates 1: give at least 100; with fewer data sets"):
        config(replicates=1)
    assert config(replicates=2).replicates == 2, "a program may try with few"


def test_no_crop_is_none_at_a_time():
    with pytest.raises(InputError, match="batch 0"):
        Scoring(batch=0)
