"""The last step of a run: what its best detector's answers mean, fixed as they will be given.

While it trains, a run looks at a few crops of a clip, in half precision, and chooses its best epoch by them. Verdicts
rest on more crops, in full precision, and on the distance from the faces of training: so all of that is measured once
more when the best detector is known, on people whom it has not learned from.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.io.machine import memory_kept
from torchfakes_utils.models.decision import DISTANCE, NOT_SETTLED, Decision, Rates, decide
from torchfakes_utils.models.detector import Detector, features, load_detector
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.models.stored import store_decision, stored_decision
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import TrainingData

_BATCH = 32


def is_settled(best: Path) -> bool:
    """Whether what a detector's answers mean was fixed after its run had ended."""
    return NOT_SETTLED not in stored_decision(best).notes


def settle(best: Path, data: TrainingData, config: TrainingConfig, scope: Scope, device: torch.device) -> None:
    """Fix likeness and decision of a run's best detector, and store them with its weights.

    Args:
        best: its folder.
        data: what it was trained and validated on.
        config: how.
        scope: what it was trained on.
        device: to compute on.

    Raises:
        InputError: no detector there, or the folder cannot be written to.
    """
    detector = load_detector(best, device)
    with memory_kept():
        detector.likeness = fit_likeness(features(detector, data.likened(_BATCH)))
        validation = _answered(detector, data)
    decision = provisional(validation, data, config, scope)
    kept = tuple(note for note in decision.notes if note != NOT_SETTLED)
    store_decision(best, Decision(**{**vars(decision), "notes": kept}), detector.likeness)


def provisional(validation: pd.DataFrame, data: TrainingData, config: TrainingConfig, scope: Scope) -> Decision:
    """The decision by some scores of validation crops, for a detector that may yet be replaced by a better one."""
    rates = Rates(config.false_alarms, config.misses)
    decision = decide(validation, data.qualities(), rates, scope)
    if config.random_labels:
        decision = decision.cautioned("its training labels were drawn at random")
    if data.decides_on_self_blends:
        decision = decision.cautioned(
            "its thresholds rest on self-blended images, for validation has no other fakes: how often it is wrong "
            "about forgeries is not known"
        )
    return Decision(**{**vars(decision), "notes": (NOT_SETTLED, *decision.notes)})


@torch.inference_mode()
def _answered(detector: Detector, data: TrainingData) -> pd.DataFrame:
    """The validation crops with `logit`, `distance`, and what they look like."""
    found = [(rows, detector.answers(detector.preprocessing.apply(images.to(detector.device))).cpu().double().numpy())
             for rows, images in data.deciding(_BATCH)]  # fmt: skip
    rows, answers = (np.concatenate(column) for column in zip(*found, strict=True))
    distances = answers[:, 1] if detector.likeness is not None else np.nan
    known = data.deciding_faces.iloc[rows].assign(logit=answers[:, 0], **{DISTANCE: distances})
    looks = data.deciding_qualities().reindex(rows)
    return known.assign(**{name: looks[name].to_numpy() for name in looks})
