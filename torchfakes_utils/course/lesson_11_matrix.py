"""What lesson 11's runs say: AUC by clip of each on every family, with its interval by person."""

import pandas as pd

from torchfakes_utils.course.unseen import NONE
from torchfakes_utils.metrics.intervals import with_intervals


def cells(runs: pd.DataFrame) -> pd.DataFrame:
    """Of each run and family: `way`, `left_out`, `tested_on`, `auc`, `low`, `high`, and whether it is `unseen`.

    Args:
        runs: from `unseen.read_runs`.
    """
    families = sorted(runs.loc[runs["label"] == 1, "method"].unique())
    rows = []
    for (way, left_out), clips in runs.groupby(["way", "left_out"], sort=False):
        for family in families:
            some = clips[(clips["label"] == 0) | (clips["method"] == family)].reset_index(drop=True)
            measured = with_intervals(some)
            low, high = measured["auc_interval"] or (float("nan"),) * 2
            rows.append((way, left_out, family, measured["auc"], low, high, left_out in (family, NONE)))
    return pd.DataFrame(rows, columns=["way", "left_out", "tested_on", "auc", "low", "high", "unseen"])
