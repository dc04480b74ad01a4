"""A detector as it answers: a crop is looked at twice, and how far it lies from the faces of training is told, too.

A network's answer to one picture of a face is one of many that it would give to pictures a pixel apart. Their mean is
steadier. What can be had for any crop, however it was stored, is its mirror image; then a verdict cannot depend on who
mirrored a photo.
"""

import copy
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.folding import Parts
from torchfakes_utils.models.likeness import Likeness, distances, pooled
from torchfakes_utils.models.preprocessing import Preprocessing


@dataclass(frozen=True)
class Ends:
    """A network, and the two places in it that are asked.

    Attributes:
        backbone: (B, 3, S, S) to (B, 1).
        texture: the layer whose features tell what is unlike the faces of training.
        preprocessing: for whoever asks for the size of a crop.
    """

    backbone: nn.Module
    texture: nn.Module
    preprocessing: Preprocessing


class Judge(nn.Module):
    """Crops (B, 3, S, S), normalised, to (B, 2) float32: logit, and distance from the faces of training.

    The logit is the mean over a crop and its mirror image, and so is the distance, which is 0 where none is measured.
    It shares its weights with the detector that it was made from. It is for one thread at a time.

    Attributes:
        preprocessing: the detector's.
        measures: whether there is a distance.
    """

    preprocessing: Preprocessing
    network: "_Listening"
    centre: torch.Tensor
    scale: torch.Tensor
    axes: torch.Tensor
    precision: torch.Tensor

    def __init__(self, ends: Ends, likeness: Likeness | None) -> None:
        """Listen to a network.

        Args:
            ends: of it.
            likeness: of the features of its texture layer; None measures no distance.
        """
        super().__init__()
        self.preprocessing, self.measures = ends.preprocessing, likeness is not None
        self.network = _listening(ends)
        device = next(ends.backbone.parameters()).device
        for name, value in ({} if likeness is None else vars(likeness)).items():
            self.register_buffer(name, value.to(device))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Look twice."""
        logits = self.network(torch.cat([images, images.flip(3)]))
        features = self.network.heard()
        if self.measures:
            found = distances(features, self.centre, self.scale, self.axes, self.precision)[:, None]
        else:
            found = logits.clamp(0, 0)  # zeros, made so that ExecuTorch does not fix the batch
        # Not by `chunk`: tracing it would fix the batch.
        return torch.cat([logits, found], 1).reshape(2, -1, 2).mean(0)


class FeatureNetwork(nn.Module):
    """Crops (B, 3, S, S), normalised, to the features (B, D) that a likeness is of, sharing a detector's weights."""

    preprocessing: Preprocessing
    network: "_Listening"

    def __init__(self, ends: Ends) -> None:
        super().__init__()
        self.preprocessing, self.network = ends.preprocessing, _listening(ends)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Listen; what the network answers is of no interest."""
        self.network(images)
        return self.network.heard()


class _Listener(nn.Module):
    """A layer, and the pooled features of what it gave last."""

    def __init__(self, layer: nn.Module, axes: int) -> None:
        super().__init__()
        self.layer, self.axes = layer, axes
        self.last: list[torch.Tensor] = []

    def forward(self, *given: Any, **words: Any) -> torch.Tensor:
        result: torch.Tensor = self.layer(*given, **words)
        self.last = [pooled(result, self.axes)]
        return result


class _Listening(nn.Module):
    """A network with a listener in it."""

    def __init__(self, network: nn.Module, listener: _Listener) -> None:
        super().__init__()
        self.inner = network
        self._listener = [listener]  # in a list: it is part of the network already

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.inner(images)
        return logits

    def heard(self) -> torch.Tensor:
        """The features of the last call, (B, D)."""
        return self._listener[0].last.pop()


def _listening(ends: Ends) -> _Listening:
    """A copy of a network that shares its weights, at test, and with a listener."""
    network, name = _copied(ends.backbone), _name_of(ends)
    listener = _Listener(network.get_submodule(name), _axes_of(ends))
    network.set_submodule(name, listener, strict=True)
    return _Listening(network, listener).eval()


def _copied(backbone: nn.Module) -> nn.Module:
    """The same layers, with the same weights."""
    return copy.deepcopy(backbone, {id(one): one for one in (*backbone.parameters(), *backbone.buffers())})


def _name_of(ends: Ends) -> str:
    names = [str(name) for name, module in ends.backbone.named_modules() if module is ends.texture]
    return names[0]


def _axes_of(ends: Ends) -> int:
    """How many axes that has which the texture layer gives: found by asking it once, while nobody listens."""
    if ends.backbone not in _AXES:
        network, size = _copied(ends.backbone).eval(), ends.preprocessing.size
        for module in network.modules():
            module._forward_hooks.clear()  # noqa: SLF001 - torch has no public name for it
            module._forward_pre_hooks.clear()  # noqa: SLF001
        found = list[int]()
        network.get_submodule(_name_of(ends)).register_forward_hook(lambda *given: found.append(given[2].ndim))
        with torch.inference_mode():
            network(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
        _AXES[ends.backbone] = found[0]
    return _AXES[ends.backbone]


_AXES: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def check_width(ends: Ends, likeness: Likeness) -> None:
    """Refuse the likeness of another network's features.

    Raises:
        InputError: their number is another.
    """
    size, network = ends.preprocessing.size, FeatureNetwork(ends)
    with torch.inference_mode():
        width = network(torch.zeros(1, 3, size, size, device=next(ends.backbone.parameters()).device)).shape[1]
    if likeness.width != width:
        raise InputError(f"a likeness of {likeness.width} features, of which this network has {width}")


def judge_of(ends: Ends, likeness: Likeness | None) -> Judge:
    """The `Judge` of these, made anew once a layer, a weight, a listener or the likeness is another."""
    known = _KNOWN.get(ends.backbone)
    if known is None or known[0] is not likeness or not known[1].are_same():
        _KNOWN[ends.backbone] = known = (likeness, Parts(ends.backbone), Judge(ends, likeness))
    return known[2]


_KNOWN: WeakKeyDictionary[nn.Module, tuple[Likeness | None, Parts, Judge]] = WeakKeyDictionary()
