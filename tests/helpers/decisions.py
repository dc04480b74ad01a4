"""Decisions that answer around one threshold, whatever validation would say."""

import math

from torchfakes_utils.metrics.band import MOST_FACES, Band
from torchfakes_utils.models.decision import Decision


def answering(threshold=0.5, **others):
    """Fake from a threshold on, real below it, for photos and for films, of however many faces."""
    band = Band((threshold,) * MOST_FACES, math.nextafter(threshold, 0))
    return Decision(threshold, photo=band, film=band, **others)
