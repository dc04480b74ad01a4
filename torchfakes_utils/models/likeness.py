"""How unlike the faces of training is a crop, in what the network sees of it? A distance in features of an early layer.

A network answers about anything: a drawing, a film of another camera, a person when it was trained on masks. What it
was trained on lies in some part of its feature space, and a distance from that part tells what does not belong.

Of which features, was found by measuring (docs/benchmarks/verdicts.md): the last ones of a network with two answers
know little but these, and strange faces fall among the known ones. Early layers still see texture, colour and light. Of
one of them, mean and standard deviation of every channel in the four quarters of a crop are taken.

The distance is Mahalanobis's, with a covariance that is shrunk to a few directions and one variance for all others, as
probabilistic principal components have it (Tipping and Bishop, JRSS B 1999; early layers, for this purpose: Lee et al.,
A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks, NeurIPS 2018).
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError

# Directions that are kept, at most: the numbers are as many times the width of the features.
_DIRECTIONS = 64
# The spread of a feature, and the variance in all other directions, are not taken for smaller than this share of their
# mean: what training never showed to vary may yet do so.
_LEAST_SPREAD, _LEAST_VARIANCE = 1e-2, 1e-3
# Crops that a likeness is fitted on, at least, before a direction means anything.
FEWEST_CROPS = 20
_EPSILON = 1e-8


@dataclass(frozen=True)
class Likeness:
    """Where the features of training faces lie.

    Attributes:
        centre: (D,) float32: their mean.
        scale: (D,) float32: one over their standard deviation, by which they are brought to one unit.
        axes: (Q, D) float32: directions in which scaled features vary more than in all others, each times
            sqrt(1 / s^2 - 1 / l^2), where l is the standard deviation along it and s that in all others: by so much
            less a step along it counts.
        precision: (1,) float32: 1 / s^2.
    """

    centre: torch.Tensor
    scale: torch.Tensor
    axes: torch.Tensor
    precision: torch.Tensor

    def __post_init__(self) -> None:
        """Refuse what measures nothing.

        Raises:
            InputError: shapes that do not fit each other, or numbers that are none.
        """
        tensors, width = tuple(vars(self).values()), self.centre.shape[-1:]
        shapes = (width, width, (*self.axes.shape[:1], *width), (1,))
        fits = [tuple(one.shape) for one in tensors] == [tuple(shape) for shape in shapes]
        # Of a number instead of a row of them, all shapes would fit.
        if (
            not fits
            or [one.ndim for one in tensors] != [1, 1, 2, 1]
            or not all(one.dtype == torch.float32 for one in tensors)
        ):
            raise InputError("a likeness of other shapes")
        if not all(torch.isfinite(one).all() for one in tensors) or not self.precision > 0:
            raise InputError("a likeness with numbers that are none")

    @property
    def width(self) -> int:
        """Of the features, D."""
        return len(self.centre)

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        """(B,) of features (B, D): standard deviations from the centre, as the root of the mean square over D."""
        return distances(features, *vars(self).values())


def distances(
    features: torch.Tensor, centre: torch.Tensor, scale: torch.Tensor, axes: torch.Tensor, precision: torch.Tensor
) -> torch.Tensor:
    """As `Likeness.distance`, of plain tensors, for graphs that are traced."""
    offsets = (features - centre) * scale
    along = (offsets @ axes.T).square().sum(1)
    squares = (precision * offsets.square().sum(1) - along) / len(centre)
    root: torch.Tensor = squares.clamp_min(_EPSILON).sqrt()
    return root


def pooled(given: torch.Tensor, axes: int) -> torch.Tensor:
    """What a layer gives, as features (B, D).

    Args:
        given: maps (B, C, h, w), of which the four quarters count by themselves, D = 8 C; patches (B, N, C), D = 2 C;
            or features (B, C), D = C.
        axes: how many it has, 4, 3 or 2: whoever traces a graph cannot ask.
    """
    if axes == 2:
        return given
    if axes == 3:
        return _moments(given, (1,))
    # Not by `chunk`: there ExecuTorch would fix the batch.
    y, x = ((edge + 1) // 2 for edge in (given.shape[2], given.shape[3]))
    quarters = given[:, :, :y, :x], given[:, :, :y, x:], given[:, :, y:, :x], given[:, :, y:, x:]
    return torch.cat([_moments(quarter, (2, 3)) for quarter in quarters], 1)


def _moments(given: torch.Tensor, places: tuple[int, ...]) -> torch.Tensor:
    """Mean and standard deviation of every channel over some places, side by side."""
    mean = given.mean(places, keepdim=True)
    spread = ((given - mean).square().mean(places, keepdim=True) + _EPSILON).sqrt()
    return torch.cat([mean.flatten(1), spread.flatten(1)], 1)


def fit_likeness(features: np.ndarray) -> Likeness | None:
    """The likeness of training faces.

    Args:
        features: (N, D) of crops, from `pooled`.

    Returns:
        None where there are fewer than `FEWEST_CROPS`, or all are the same.
    """
    if len(features) < FEWEST_CROPS:
        return None
    values = features.astype(np.float64)
    centre, spread = values.mean(0), values.std(0)
    if not spread.mean() > 0:
        return None
    scale = 1 / (spread + _LEAST_SPREAD * spread.mean())
    offsets = (values - centre) * scale
    width, count = offsets.shape[1], len(values) - 1
    directions = min(_DIRECTIONS, width - 1, count - 1)
    _, scales, axes = np.linalg.svd(offsets, full_matrices=False)
    variances = scales**2 / count
    rest = float(variances[directions:].sum()) / (width - directions)
    rest = max(rest, _LEAST_VARIANCE * float(variances.sum()) / width)
    kept = np.flatnonzero(variances[:directions] > rest)
    scaled = axes[kept] * np.sqrt(1 / rest - 1 / variances[kept])[:, None]
    return Likeness(*(torch.tensor(one, dtype=torch.float32) for one in (centre, scale, scaled, np.array([1 / rest]))))


def dump(likeness: Likeness) -> bytes:
    """As it is stored: safetensors, which hold numbers and no code."""
    return safetensors.torch.save({name: one.detach().cpu().contiguous() for name, one in vars(likeness).items()})


def digest(likeness: Likeness | None) -> str:
    """SHA-256 of it as it is stored; "" of none."""
    return "" if likeness is None else hashlib.sha256(dump(likeness)).hexdigest()


def measured(distances: np.ndarray, likeness: Likeness | None) -> np.ndarray:
    """Distances (N,) that a network gave: NaN where there is nothing to measure by, infinite where one is no number.

    Whatever makes a network overflow is unlike the faces of training, and must not pass for not measured.
    """
    if likeness is None:
        return np.full(len(distances), np.nan)
    return np.where(np.isfinite(distances), distances, np.inf)


def parse(content: bytes) -> Likeness:
    """What `dump` gave.

    Raises:
        InputError: something else.
    """
    try:
        return Likeness(**safetensors.torch.load(content))
    except (safetensors.SafetensorError, TypeError) as error:
        raise InputError("not a likeness") from error
