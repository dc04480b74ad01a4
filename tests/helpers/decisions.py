"""Decisions that answer around one threshold, and detectors made up of a function of a crop."""

import math

import torch

from torchfakes_utils.metrics.band import MOST_FACES, Band
from torchfakes_utils.models.decision import Decision


def around(threshold: float) -> Band:
    """Fake from the threshold on, however many faces there are, and real below."""
    return Band((threshold,) * MOST_FACES, max(0.0, math.nextafter(threshold, 0)))


def answering(threshold: float = 0.5, *words: object, **others: object) -> Decision:
    """A decision without anything between fake and real; further words as `Decision` takes them."""
    band = around(threshold)
    return Decision(threshold, *words, **{"photo": band, "film": band} | others)


class Answering:
    """What a made-up detector, whose call gives logits (B,), answers: no distance, no second look."""

    likeness = None

    def answers(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 2) of crops (B, 3, S, S)."""
        logits = self(images)
        return torch.stack([logits, torch.zeros_like(logits)], 1)
