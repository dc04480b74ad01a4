"""A detector as it answers: a few looks at a crop instead of one, and how far it lies from the faces of training.

A network's answer to one picture of a face is one of many that it would give to pictures a pixel apart. Their mean is
steadier. What can be had for any crop, however it was stored, is its mirror image; then a verdict cannot depend on who
mirrored a photo.
"""

import copy
from weakref import WeakKeyDictionary

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.folding import Parts
from torchfakes_utils.models.likeness import Likeness, distances
from torchfakes_utils.models.preprocessing import Preprocessing


class Judge(nn.Module):
    """Crops (B, 3, S, S), normalised, to (B, 2) float32: logit, and distance from the faces of training.

    The logit is the mean over a crop and its mirror image, and so is the distance, which is 0 where none is measured.
    It shares its weights with the detector that it was made from.

    Attributes:
        preprocessing: the detector's.
        measures: whether there is a distance.
    """

    preprocessing: Preprocessing

    def __init__(
        self, backbone: nn.Module, classifier: nn.Module, preprocessing: Preprocessing, likeness: Likeness | None
    ) -> None:
        """Put a likeness beside the classifier of a network.

        Args:
            backbone: (B, 3, S, S) to (B, 1).
            classifier: its last layer, linear or a convolution of one pixel.
            preprocessing: for whoever asks for the size of a crop.
            likeness: of the classifier's input; None measures no distance.

        Raises:
            InputError: a likeness of another network's features.
        """
        super().__init__()
        self.preprocessing, self.measures = preprocessing, likeness is not None
        self.network = _with_classifier(
            backbone, classifier, classifier if likeness is None else _Measured(classifier, likeness)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Look twice."""
        both: torch.Tensor = self.network(torch.cat([images, images.flip(3)]))
        first, second = both.chunk(2)
        mean = (first + second) / 2
        return mean if self.measures else torch.cat([mean, torch.zeros_like(mean)], 1)


def _with_classifier(backbone: nn.Module, classifier: nn.Module, other: nn.Module) -> nn.Module:
    """A copy of a network that shares its weights, at test, with another classifier."""
    numbers = {id(one): one for one in (*backbone.parameters(), *backbone.buffers())}
    name = next(name for name, module in backbone.named_modules() if module is classifier)
    network = copy.deepcopy(backbone, numbers)
    network.set_submodule(name, other, strict=True)
    return network.eval()


def feature_network(backbone: nn.Module, classifier: nn.Module) -> nn.Module:
    """The same network up to its classifier: crops (B, 3, S, S), normalised, to features (B, D)."""
    return _with_classifier(backbone, classifier, nn.Flatten(1))


def check_width(classifier: nn.Module, likeness: Likeness) -> None:
    """Refuse the likeness of another network's features.

    Raises:
        InputError: their number is another.
    """
    width = getattr(classifier, "in_features", getattr(classifier, "in_channels", 0))
    if likeness.width != width:
        raise InputError(f"a likeness of {likeness.width} features, of which this network has {width}")


def judge_of(
    backbone: nn.Module, classifier: nn.Module, preprocessing: Preprocessing, likeness: Likeness | None
) -> Judge:
    """The `Judge` of these, made anew once a layer, a weight, a listener or the likeness is another."""
    known = _KNOWN.get(backbone)
    if known is None or known[0] is not likeness or not known[1].are_same():
        judge = Judge(backbone, classifier, preprocessing, likeness)
        _KNOWN[backbone] = known = (likeness, Parts(backbone), judge)
    return known[2]


_KNOWN: WeakKeyDictionary[nn.Module, tuple[Likeness | None, Parts, Judge]] = WeakKeyDictionary()


class _Measured(nn.Module):
    """A classifier, and beside its logit the distance of what it is given."""

    centres: torch.Tensor
    axes: torch.Tensor
    precision: torch.Tensor

    def __init__(self, classifier: nn.Module, likeness: Likeness) -> None:
        super().__init__()
        check_width(classifier, likeness)
        self.classifier = classifier
        device = next(classifier.parameters()).device
        for name in ("centres", "axes", "precision"):
            self.register_buffer(name, getattr(likeness, name).to(device))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D) or (B, D, 1, 1) to (B, 2)."""
        logits = self.classifier(features).flatten(1)
        found = distances(features.flatten(1), self.centres, self.axes, self.precision)
        return torch.cat([logits, found[:, None]], 1)
