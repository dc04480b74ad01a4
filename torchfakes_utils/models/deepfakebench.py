"""DeepfakeBench's published Xception and EfficientNet-B4, as timm computes them.

Source: Yan, Zhang, Yuan, Lyu and Wu, DeepfakeBench, NeurIPS 2023, and its code (`training/networks/xception.py`,
`efficientnetb4.py`); the files are attached to its release, under CC BY-NC 4.0.
"""

import re
from typing import Any

import torch
from torch import nn

from torchfakes_utils.models.foreign_weights import Numbers, UnusableWeightsError, fit, places

XCEPTION, EFFICIENTNET_B4 = "timm:legacy_xception", "DeepfakeBench-EfficientNet-B4"
SIZE = 256  # `resolution` in its configurations

_WRAPPED = re.compile(r"^(module\.)?backbone\.")
# Beside the network's own: a layer that other detectors of theirs use.
_UNUSED = re.compile(r"adjust_channel\.")

# efficientnet_pytorch's names of what is in a block, and timm's; a block that does not widen has one layer fewer.
_NARROW = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_WIDE = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
         "_project_conv": "conv_pwl", "_bn2": "bn3"}  # fmt: skip
_SQUEEZE = {"_se_reduce": "se.conv_reduce", "_se_expand": "se.conv_expand"}
_OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
_DEPTHS = (2, 4, 4, 6, 6, 8, 2)  # blocks of each stage of B4 (Tan and Le, ICML 2019, scaled by 1.8)
# The size for which efficientnet_pytorch fixes the padding of B4's layers, whatever comes later; what its first layer
# leaves of it.
_AFTER_STEM = 190


class _PaddedConv2d(nn.Conv2d):
    """A convolution whose padding, (left, right, top, bottom), need not be the same on both sides."""

    sides: tuple[int, int, int, int] = (0, 0, 0, 0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        return super().forward(nn.functional.pad(images, self.sides))


def as_they_pad(network: nn.Module) -> nn.Module:
    """Timm's `tf_efficientnet_b4`, padded as DeepfakeBench's; timm pads by the size of what comes, as TensorFlow does.

    Their first layer is a plain convolution without padding, and in all others efficientnet_pytorch has fixed it for
    380 px, though crops of 256 come.
    """
    parts: Any = network
    parts.conv_stem = _padded(parts.conv_stem, 0, 0)
    size = _AFTER_STEM
    for stage in parts.blocks:
        for block in stage:
            kernel, stride = block.conv_dw.kernel_size[0], block.conv_dw.stride[0]
            if stride > 1:
                after = -(-size // stride)
                total = max((after - 1) * stride + kernel - size, 0)
                block.conv_dw = _padded(block.conv_dw, total // 2, total - total // 2)
                size = after
    return network


def _padded(layer: nn.Conv2d, before: int, behind: int) -> nn.Conv2d:
    kernel, stride = layer.kernel_size[0], layer.stride[0]  # squares, all of them
    made = _PaddedConv2d(layer.in_channels, layer.out_channels, kernel, stride, groups=layer.groups, bias=False)
    made.weight = layer.weight
    made.sides = (before, behind, before, behind)
    return made


def translated(content: Any, architecture: str, own: Numbers) -> dict[str, torch.Tensor]:
    """What DeepfakeBench's file holds, by the names and in the shapes of a network of one logit: fake less real.

    Args:
        content: of `foreign_weights.read_weights`.
        architecture: `XCEPTION` or `EFFICIENTNET_B4`.
        own: the state of the network that is to have them.

    Raises:
        UnusableWeightsError: a tensor is absent, is of another network, or is not finite.
    """
    rename = _xception if architecture == XCEPTION else _efficientnet
    head = "fc" if architecture == XCEPTION else "classifier"
    found = [_renamed(numbers, rename) for _, numbers in places(content)]
    best = max(found, key=lambda numbers: len(numbers.keys() & own.keys()), default={})
    if not best.keys() & own.keys():
        raise UnusableWeightsError("none of its tensors is named as in DeepfakeBench's networks")
    weight = best.get(f"{head}.weight")
    if weight is None or weight.shape[:1] != (2,):
        raise UnusableWeightsError("it has no classifier of two outputs, real and fake")
    if strange := sorted(name for name in best.keys() - own.keys()):
        raise UnusableWeightsError(f"it holds {strange[0][:80]}, which this network has not")
    return fit(best, own, {f"{head}.weight", f"{head}.bias"}).state


def _renamed(numbers: Numbers, rename: Any) -> dict[str, torch.Tensor]:
    plain = {_WRAPPED.sub("", name): value for name, value in numbers.items()}
    return {rename(name): value for name, value in plain.items() if not _UNUSED.match(name)}


def _xception(name: str) -> str:
    return re.sub(r"^last_linear\.(1\.)?", "fc.", name)  # with dropout before it, it is the second of two


def _efficientnet(name: str) -> str:
    """Of a name of efficientnet_pytorch timm's, which counts blocks by stage."""
    name = re.sub(r"^last_layer\.", "classifier.", name).removeprefix("efficientnet.")
    found = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", name)
    if found is None:
        layer, _, what = name.partition(".")
        return f"{_OUTSIDE.get(layer, layer)}.{what}"
    number, layer, what = int(found[1]), found[2], found[3]
    stage = 0
    while stage < len(_DEPTHS) - 1 and number >= _DEPTHS[stage]:
        number -= _DEPTHS[stage]
        stage += 1
    names = (_NARROW if stage == 0 else _WIDE) | _SQUEEZE
    return f"blocks.{stage}.{number}.{names.get(layer, layer)}.{what}"
