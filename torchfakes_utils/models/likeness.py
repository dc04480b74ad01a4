"""How unlike the faces of training is a face, in what the network sees of it? A distance in its last features.

A network answers about anything: a drawing, a face in another light, a person when it was trained on masks. What it
was trained on lies in some part of its feature space, and a distance from that part tells what does not belong.

The distance is Mahalanobis's, with a covariance that is shrunk to a few directions and one variance for all others, as
probabilistic principal components have it (Tipping and Bishop, JRSS B 1999; for the purpose: Lee et al., A Simple
Unified Framework for Detecting Out-of-Distribution Samples and Adversarial Attacks, NeurIPS 2018). Real faces and fakes
each have a centre of their own, and the nearer one counts.
"""

from dataclasses import dataclass

import numpy as np
import safetensors
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError

# Directions that are kept, at most: the numbers are as many times the width of the features.
_DIRECTIONS = 64
# The variance in all other directions is not taken for smaller than this share of the mean one: what training never
# showed to vary may yet do so.
_LEAST = 1e-3
# Crops that a likeness is fitted on, at least, before a direction means anything.
FEWEST_CROPS = 20


@dataclass(frozen=True)
class Likeness:
    """Where the features of training faces lie.

    Attributes:
        centres: (C, D) float32, one a class.
        axes: (Q, D) float32: directions in which features vary more than in all others, each times
            sqrt(1 / s^2 - 1 / l^2), where l is the standard deviation along it and s that in all others: by so much
            less a step along it counts.
        precision: 1 / s^2.
    """

    centres: torch.Tensor
    axes: torch.Tensor
    precision: torch.Tensor

    def __post_init__(self) -> None:
        """Refuse what measures nothing.

        Raises:
            InputError: shapes that do not fit each other, or numbers that are none.
        """
        tensors = (self.centres, self.axes, self.precision)
        fits = self.centres.ndim == self.axes.ndim == 2 and self.centres.shape[1] == self.axes.shape[1]
        if not fits or self.precision.ndim or not all(one.dtype == torch.float32 for one in tensors):
            raise InputError("a likeness of other shapes")
        if not all(torch.isfinite(one).all() for one in tensors) or self.precision <= 0:
            raise InputError("a likeness with numbers that are none")

    @property
    def width(self) -> int:
        """Of the features, D."""
        return self.centres.shape[1]

    def distance(self, features: torch.Tensor) -> torch.Tensor:
        """(B,) of features (B, D): root of the mean square, over directions, of standard deviations from a centre."""
        return distances(features, self.centres, self.axes, self.precision)


def distances(
    features: torch.Tensor, centres: torch.Tensor, axes: torch.Tensor, precision: torch.Tensor
) -> torch.Tensor:
    """As `Likeness.distance`, of plain tensors, for graphs that are traced."""
    found = [_squares(features - centre, axes, precision) for centre in centres]
    nearest = torch.stack(found).amin(0)
    root: torch.Tensor = (nearest / features.shape[1]).sqrt()
    return root


def _squares(offset: torch.Tensor, axes: torch.Tensor, precision: torch.Tensor) -> torch.Tensor:
    """Squared Mahalanobis distance (B,) of offsets (B, D) from a centre: what all directions count, less the axes."""
    along = (offset @ axes.T).square().sum(1)
    return (precision * offset.square().sum(1) - along).clamp_min(0.0)


def fit_likeness(features: np.ndarray, labels: np.ndarray) -> Likeness | None:
    """The likeness of training faces.

    Args:
        features: (N, D) of crops, the classifier's input.
        labels: (N,) of 0 and 1.

    Returns:
        None where there are fewer than `FEWEST_CROPS`, or all are the same.
    """
    if len(features) < FEWEST_CROPS:
        return None
    values = features.astype(np.float64)
    classes, which = np.unique(labels, return_inverse=True)
    centres = np.stack([values[which == place].mean(0) for place in range(len(classes))])
    offsets = values - centres[which]
    width, count = offsets.shape[1], len(values) - len(classes)
    directions = min(_DIRECTIONS, width - 1, count - 1)
    _, scales, axes = np.linalg.svd(offsets, full_matrices=False)
    variances = scales**2 / count
    rest = max(float(variances[directions:].sum()) / (width - directions), _LEAST * float(variances.sum()) / width)
    if not rest > 0:
        return None
    kept = variances[:directions] > rest
    scaled = axes[:directions][kept] * np.sqrt(1 / rest - 1 / variances[:directions][kept])[:, None]
    tensors = (torch.tensor(one, dtype=torch.float32) for one in (centres, scaled, 1 / rest))
    return Likeness(*tensors)


def dump(likeness: Likeness) -> bytes:
    """As it is stored: safetensors, which hold numbers and no code."""
    return safetensors.torch.save({name: one.detach().cpu().contiguous() for name, one in vars(likeness).items()})


def parse(content: bytes) -> Likeness:
    """What `dump` gave.

    Raises:
        InputError: something else.
    """
    try:
        return Likeness(**safetensors.torch.load(content))
    except (safetensors.SafetensorError, TypeError) as error:
        raise InputError("not a likeness") from error
