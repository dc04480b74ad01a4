"""The networks that a detector can be made of: what each one wants as input, and how it falls into stages.

The ladder, from small to large: Meso4 and MesoInception4 (a minute on a CPU), EfficientNet-Lite0 (whose ImageNet
weights come with the package), InceptionResnetV1 (the course's), every name that timm knows, as
"timm:efficientnet_b4", and GenD's three, of 300 million numbers each.
"""

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import deepfakebench
from torchfakes_utils.models.gend import ENCODERS, SIZE, GenD, map_blocks, patch_grid

TIMM = "timm:"
LITE0, TIMM_LITE0 = "EfficientNet-Lite0", "tf_efficientnet_lite0"  # here and in timm
HEAD = "head"  # the name of every network's last stage


@dataclass(frozen=True)
class InputFormat:
    """What a network's first layer is used to: `(x - mean) / std` of 0…255, in squares of `size` pixels."""

    size: int
    mean: float | tuple[float, float, float]
    std: float | tuple[float, float, float]


def _any_size() -> int:
    return 1


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes:
        build: makes one with random weights, for crops of so many pixels and with so much dropout; (B, 3, S, S) to
            (B, 1).
        stages: gives a network's submodules from the input to the answer, by name, the last one called "head".
        maps: gives the layers that a heat map can be made of, from fine and shallow to coarse and deep.
        texture: gives the layer whose features tell what is unlike the faces of training: an early one.
        patch: gives what the input's edge has to be a multiple of, pixels: what a vision transformer sees at a time.
    """

    build: Callable[[int, float], nn.Module]
    input: InputFormat  # what it was designed for
    min_size: int  # the smallest input it can take, pixels
    dropout: float  # what it is trained with, unless something else is asked for
    pretrained: tuple[str, ...]  # the published weights there are, the usual ones first
    stages: Callable[[nn.Module], dict[str, list[nn.Module]]]
    maps: Callable[[nn.Module], dict[str, nn.Module]]
    texture: Callable[[nn.Module], nn.Module]
    # Gets the network and what such a layer gives where that is no map yet (B, C, h, w), and makes it one.
    grid: Callable[[nn.Module, torch.Tensor], torch.Tensor] | None = None
    # Makes one with the weights that timm has published for its body, where `pretrained` names "timm".
    fetch: Callable[[int, float], nn.Module] | None = None
    timm: str = ""  # what timm calls these weights
    patch: Callable[[], int] = _any_size


def check_patches(name: str, size: int) -> None:
    """Refuse an input that would be cut into patches with a rest, which no patch sees: of 160 px 6, where one has 14.

    Raises:
        InputError: `size` pixels are no multiple of a patch of the architecture called `name`.
    """
    patch = architecture(name).patch()
    if below := size % patch and size // patch * patch:
        raise InputError(
            f"image size {size}: {name} cuts it into patches of {patch} px; take {below} or {below + patch}"
        )


def architecture(name: str) -> Architecture:
    """Look an architecture up by name.

    Raises:
        InputError: there is none of that name, or it needs timm, which is not installed.
    """
    if name.startswith(TIMM):
        return _timm_architecture(name.removeprefix(TIMM))
    known = ARCHITECTURES | GEND | DEEPFAKEBENCH
    if name not in known:
        raise InputError(f"no architecture {name!r}; there are {', '.join(known)}, and timm:NAME")
    return known[name]


# --- InceptionResnetV1


def _build_inception_resnet(_size: int, dropout: float) -> nn.Module:
    from facenet_pytorch import InceptionResnetV1  # 4 s, and not needed to read a configuration

    network: nn.Module = InceptionResnetV1(classify=True, num_classes=1, dropout_prob=dropout)
    return network


_STEM = ("conv2d_1a", "conv2d_2a", "conv2d_2b", "conv2d_3b", "conv2d_4a", "conv2d_4b")
_BODY = ("repeat_1", "mixed_6a", "repeat_2", "mixed_7a", "repeat_3", "block8")


def _inception_stages(network: nn.Module) -> dict[str, list[nn.Module]]:
    body = {name: [getattr(network, name)] for name in _BODY}
    head = [network.last_linear, network.last_bn, network.logits]
    return {"stem": [getattr(network, name) for name in _STEM], **body, HEAD: head}


def _inception_maps(network: nn.Module) -> dict[str, nn.Module]:
    return {name: getattr(network, name) for name in ("conv2d_4b", *_BODY)}


def _inception_texture(network: nn.Module) -> nn.Module:
    return network.get_submodule("conv2d_4a")


# --- MesoNet


class Meso4(nn.Module):
    """Four convolutions and a small classifier, 28,000 weights: forgeries seen at the scale of texture.

    Source: Afchar, Nozick, Yamagishi and Echizen, MesoNet: a Compact Facial Video Forgery Detection Network, WIFS 2018,
    section III.B, where crops have 256 pixels.
    """

    def __init__(self, size: int = 256, dropout: float = 0.5) -> None:
        super().__init__()
        self.block1 = _meso_block(_convolution(3, 8, 3), 8, pool=2)
        self.block2 = _meso_block(_convolution(8, 8, 5), 8, pool=2)
        self.block3 = _meso_block(_convolution(8, 16, 5), 16, pool=2)
        self.block4 = _meso_block(_convolution(16, 16, 5), 16, pool=4)
        self.head = _meso_head(size, dropout)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, 1)."""
        logits: torch.Tensor = self.head(self.block4(self.block3(self.block2(self.block1(images)))))
        return logits


class MesoInception4(Meso4):
    """Meso4 whose first two convolutions look at several distances at once.

    Source: as `Meso4`, section III.C; each module's widths are the paper's, (1, 4, 4, 2) and (2, 4, 4, 2).
    """

    def __init__(self, size: int = 256, dropout: float = 0.5) -> None:
        super().__init__(size, dropout)
        self.block1 = _meso_block(_DilatedInception(3, (1, 4, 4, 2)), 11, pool=2)
        self.block2 = _meso_block(_DilatedInception(11, (2, 4, 4, 2)), 12, pool=2)
        self.block3 = _meso_block(_convolution(12, 16, 5), 16, pool=2)


class _DilatedInception(nn.Module):
    """Four branches side by side: 1×1, and 3×3 reaching one, two and three pixels far, each after a 1×1."""

    def __init__(self, channels: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.near = _convolution(channels, widths[0], 1)
        self.far = nn.ModuleList(
            nn.Sequential(_convolution(channels, width, 1), _convolution(width, width, 3, dilation))
            for dilation, width in enumerate(widths[1:], start=1)
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.near(images), *(branch(images) for branch in self.far)], dim=1)


def _convolution(before: int, after: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, kernel, padding="same", dilation=dilation), nn.ReLU(inplace=True))


def _meso_block(convolution: nn.Module, channels: int, pool: int) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.MaxPool2d(pool, ceil_mode=True))


def _meso_head(size: int, dropout: float) -> nn.Sequential:
    for pool in (2, 2, 2, 4):
        size = math.ceil(size / pool)
    first, last = nn.Linear(16 * size * size, 16), nn.Linear(16, 1)
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), first, nn.LeakyReLU(0.1), nn.Dropout(dropout), last)


_BLOCKS = ("block1", "block2", "block3", "block4")


def _meso_stages(network: nn.Module) -> dict[str, list[nn.Module]]:
    return {name: [getattr(network, name)] for name in (*_BLOCKS, HEAD)}


def _meso_maps(network: nn.Module) -> dict[str, nn.Module]:
    return {name: getattr(network, name)[0] for name in _BLOCKS}  # before pooling, where the map is still fine


def _meso_texture(network: nn.Module) -> nn.Module:
    return network.get_submodule("block2")


# --- timm


def _timm(name: str) -> Any:
    try:
        import timm
    except ModuleNotFoundError as error:
        raise InputError(f"{name} needs timm: pip install 'torchfakes[timm]'") from error
    return timm


def _timm_architecture(name: str) -> Architecture:
    timm = _timm(f"{TIMM}{name}")
    if not timm.is_model(name.split(".")[0]):
        close = difflib.get_close_matches(name.split(".")[0], timm.list_models(), 4)
        hint = f"did you mean {' or '.join(close)}?" if close else "see timm.list_models()"
        raise InputError(f"timm knows no model {name!r}; {hint}")
    published = timm.get_pretrained_cfg(name) or timm.models.PretrainedCfg()  # by default: 224 px, as for ImageNet
    size, mean, std = published.input_size[-1], _to_255(published.mean), _to_255(published.std)
    weights = ("timm",) if published.has_weights else ()
    build, fetch = partial(build_timm, name), partial(build_timm, name, pretrained=True)
    # Only a network that has a position for every patch is bound to their size.
    patch = partial(_timm_patch, name) if published.fixed_input_size else _any_size
    form = InputFormat(size, mean, std)
    return Architecture(
        build, form, 32, 0.0, weights, _timm_stages, _timm_maps, _timm_texture, fetch=fetch, timm=name, patch=patch
    )


@cache
def _timm_patch(name: str) -> int:
    """The edge of a vision transformer's patch, read from one that takes no memory; 1 of what has none."""
    import timm

    with torch.device("meta"):
        network = timm.create_model(name, num_classes=1)
    embedding = getattr(network, "patch_embed", getattr(network, "stem", None))  # of vision transformers, of mixers
    sides = getattr(embedding, "patch_size", 1)
    return int(max(sides) if isinstance(sides, tuple) else sides)


def _to_255(by_channel: tuple[float, ...]) -> tuple[float, float, float]:
    """From shares of the brightest to steps of 0…255."""
    red, green, blue = by_channel
    return 255 * red, 255 * green, 255 * blue


def build_timm(name: str, size: int, dropout: float, pretrained: bool = False) -> nn.Module:
    """A timm network; `pretrained`, with the weights that its name stands for, downloaded once into the Hub's cache.

    Raises:
        InputError: it cannot be built for crops of that size.
        Exception: whatever the Hub's client raises where weights cannot be had.
    """
    import timm

    options: dict[str, Any] = {"num_classes": 1, "in_chans": 3, "drop_rate": dropout, "pretrained": pretrained}
    published = timm.get_pretrained_cfg(name)
    # A vision transformer has a position for every patch of one size; asked for another, it interpolates them.
    other = published is not None and published.fixed_input_size and size != published.input_size[-1]
    if published is not None and published.fixed_input_size:
        options["img_size"] = size
    try:
        network: nn.Module = timm.create_model(name, **options)
    except (AssertionError, TypeError, ValueError) as error:
        raise InputError(f"timm:{name} cannot be built for {size} px: {error}") from error
    if other:
        _try(network, f"timm:{name}", size)
    return network


def _try(network: nn.Module, name: str, size: int) -> None:
    """Some networks of timm are built for any size, and fail at their first picture: CrossViT at 160 px."""
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, 3, size, size, device=next(network.parameters()).device))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise InputError(f"{name} cannot look at crops of {size} px: {error}") from error
    network.train()


def _build_lite0(size: int, dropout: float) -> nn.Module:
    """EfficientNet-Lite0: no squeeze and excitation, ReLU6 for swish, so that phones compute it in 8 bits.

    Source: Liu, Higher accuracy on vision models with EfficientNet-Lite, TensorFlow blog, 2020.
    """
    _timm(LITE0)
    return build_timm(TIMM_LITE0, size, dropout)


def _timm_stages(network: nn.Module) -> dict[str, list[nn.Module]]:
    """Timm groups a network's parameters from input to output; a stage is what one coarse group holds.

    Raises:
        InputError: timm cannot tell, or the network has several classifiers, which are trained on each other's answers.
    """
    from timm.models import group_modules

    timm_network: Any = network  # which can tell more of itself than nn.Module promises
    modules = dict(network.named_modules())
    try:
        groups = group_modules(network, timm_network.group_matcher(coarse=True))
        classifier = timm_network.get_classifier()
        inside = set(classifier.modules())
        members_of = {number: [modules[name] for name in names] for number, names in groups.items()}
    except (AttributeError, KeyError) as error:
        raise InputError(
            f"timm does not tell body and classifier of {type(network).__name__} apart; choose another network"
        ) from error
    stages: dict[str, list[nn.Module]] = {}
    for number in sorted(members_of):
        # Containers may reach over several groups: what counts is what computes.
        members = [module for module in members_of[number] if _is_leaf(module) and module not in inside]
        if any(True for module in members for _ in module.parameters()):
            stages[f"stage{len(stages)}"] = members
    return stages | {HEAD: [classifier]}


def _is_leaf(module: nn.Module) -> bool:
    """Whether a module has weights of its own, or nothing inside it."""
    return next(module.parameters(recurse=False), None) is not None or next(module.children(), None) is None


def _timm_maps(network: nn.Module) -> dict[str, nn.Module]:
    modules, features = dict(network.named_modules()), getattr(network, "feature_info", None) or []
    return {info["module"]: modules[info["module"]] for info in features if info.get("module") in modules}


def _timm_texture(network: nn.Module) -> nn.Module:
    """The layer after which a map has a quarter of the input's edge, or the nearest to that; else the last stage's."""
    features = getattr(network, "feature_info", None) or []
    known = [info for info in features if info.get("module") and info.get("reduction")]
    if not known:
        return next(iter(_timm_stages(network).values()))[-1]
    nearest = min(known, key=lambda info: abs(info["reduction"] - _TEXTURE_REDUCTION))
    return network.get_submodule(nearest["module"])


# Pixels of the input to one of the map.
_TEXTURE_REDUCTION = 4


# --- DeepfakeBench's


def _build_their_b4(size: int, dropout: float) -> nn.Module:
    _timm(deepfakebench.EFFICIENTNET_B4)
    return deepfakebench.as_they_pad(build_timm("tf_efficientnet_b4", size, dropout))


# --- GenD


def _build_gend(name: str, size: int, dropout: float, published: bool = False) -> nn.Module:
    _timm(name)
    return GenD(name, ENCODERS[name], size, dropout, published)


def _gend_stages(network: nn.Module) -> dict[str, list[nn.Module]]:
    stages = _timm_stages(network.get_submodule("encoder"))
    del stages[HEAD]  # it has none of its own
    return stages | {HEAD: [network.get_submodule("head")]}


def _gend(name: str) -> Architecture:
    encoder = ENCODERS[name]
    return Architecture(
        build=partial(_build_gend, name),
        input=InputFormat(SIZE, _to_255(encoder.mean), _to_255(encoder.std)),
        min_size=2 * encoder.patch,
        dropout=0.0,
        pretrained=("timm",),
        stages=_gend_stages,
        maps=partial(map_blocks, encoder=encoder),
        texture=lambda network: next(iter(map_blocks(network, encoder=encoder).values())),
        grid=patch_grid,
        fetch=partial(_build_gend, name, published=True),
        timm=encoder.timm,
        patch=lambda: encoder.patch,
    )


_MESO_INPUT = InputFormat(256, 0.0, 255.0)

ARCHITECTURES = {
    "InceptionResnetV1": Architecture(
        build=_build_inception_resnet,
        # As facenet-pytorch normalises for its published weights, which were made for 160 px.
        input=InputFormat(160, 127.5, 128.0),
        min_size=75,  # below, the last convolutions have nothing left to look at
        # facenet-pytorch's own 0.6 was made for millions of pictures; a few epochs from random weights want less.
        dropout=0.1,
        pretrained=("vggface2", "casia-webface"),
        stages=_inception_stages,
        maps=_inception_maps,
        texture=_inception_texture,
    ),
    # timm's own input for it; ImageNet's pictures had 224 px.
    LITE0: Architecture(
        _build_lite0, InputFormat(224, 127.5, 127.5), 32, 0.0, ("imagenet",), _timm_stages, _timm_maps, _timm_texture
    ),
    "Meso4": Architecture(Meso4, _MESO_INPUT, 32, 0.5, (), _meso_stages, _meso_maps, _meso_texture),
    "MesoInception4": Architecture(
        MesoInception4, InputFormat(256, 0.0, 255.0), 32, 0.5, (), _meso_stages, _meso_maps, _meso_texture
    ),
}

# Apart, for whoever goes through all networks that there are: these have 300 million numbers each.
GEND = {name: _gend(name) for name in ENCODERS}

# Apart, too: nobody would train anew what pads as this does.
DEEPFAKEBENCH = {
    deepfakebench.EFFICIENTNET_B4: Architecture(
        _build_their_b4,
        InputFormat(deepfakebench.SIZE, 127.5, 127.5),
        64,
        0.0,
        (),
        _timm_stages,
        _timm_maps,
        _timm_texture,
    )
}
