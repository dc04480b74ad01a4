"""What a detector is worth on crops of people who are not in the training split."""

from itertools import chain

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import Detector
from torchfakes_utils.training.data import TrainingData
from torchfakes_utils.training.distributed import World, gather
from torchfakes_utils.training.optimisation import autocast
from torchfakes_utils.training.progress import ValidationRow


@torch.inference_mode()
def score_validation(
    detector: Detector, data: TrainingData, world: World, precision: torch.dtype | None
) -> pd.DataFrame:
    """The rows of `data.val_faces` that could be read, with `logit` and `probability_fake`; of all processes."""
    detector.eval()
    found = []
    for rows, images in data.validation(4 * data.batch_size):
        images = detector.preprocessing.normalise(images.to(world.device, non_blocking=True))
        with autocast(world.device, precision):
            logits = detector(images.contiguous(memory_format=torch.channels_last))  # (B,)
        found.append((rows, logits.double().cpu().numpy()))
    parts = chain.from_iterable(gather(world, found))
    rows, logits = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(rows)
    probabilities = torch.from_numpy(logits[order]).sigmoid().numpy()
    return data.val_faces.iloc[rows[order]].assign(logit=logits[order], probability_fake=probabilities)


def validation_row(scores: pd.DataFrame) -> ValidationRow:
    """The numbers of the history: of crops, and the AUC also of clips, scored by the mean of their crops."""
    clips = by_clip(scores)
    frame = binary_metrics(scores["label"], scores["probability_fake"])
    return {
        "val_loss": frame["loss"],
        "val_accuracy": frame["accuracy"],
        "val_balanced_accuracy": frame["balanced_accuracy"],
        "val_auc": frame["auc"],
        "val_auc_clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
        "always_fake_accuracy": frame["always_fake_accuracy"],
        "predicted_fake_rate": frame["predicted_fake_rate"],
    }
