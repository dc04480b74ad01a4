"""GenD: a large image encoder whose layer norms were tuned, and a linear answer to where its features point.

Source: Yermakov, Cech, Matas and Fritz, Deepfake Detection that Generalizes Across Benchmarks, WACV 2026
(arXiv 2508.06248): features are divided by their length, so that a crop is a point on a sphere, and a linear layer
answers (section 3). The encoders are timm's; how the authors' files name their tensors is translated here.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.foreign_weights import (
    Numbers,
    UnusableWeightsError,
    check_fractions,
    checked,
    difference_of_two,
)

# What their files hold beside the network's tensors, of which nothing depends.
_UNUSED = re.compile(r"(.*\.)?(visual_projection\.weight|mask_token|position_ids|rope(_embeddings)?\..*)")
_ENCODER, _HEAD = "feature_extractor.", "model.linear."
_SEPARATE = re.compile(r"\.[qkv]_proj\.")

_Renames = tuple[tuple[str, str], ...]

# The names in `transformers` and, to the right, in timm; q, k and v are one tensor there.
_CLIP_NAMES: _Renames = (
    (r"^encoder\.vision_model\.", "encoder."),
    (r"^encoder\.embeddings\.class_embedding$", "encoder.cls_token"),
    (r"^encoder\.embeddings\.patch_embedding\.", "encoder.patch_embed.proj."),
    (r"^encoder\.embeddings\.position_embedding\.weight$", "encoder.pos_embed"),
    (r"^encoder\.pre_layrnorm\.", "encoder.norm_pre."),  # their spelling
    (r"^encoder\.post_layernorm\.", "encoder.norm."),
    (r"^encoder\.encoder\.layers\.", "encoder.blocks."),
    (r"\.layer_norm(\d)\.", r".norm\1."),
    (r"\.self_attn\.", ".attn."),
    (r"\.attn\.out_proj\.", ".attn.proj."),
)
_DINO_NAMES: _Renames = (
    (r"^encoder\.backbone\.", "encoder."),
    (r"^encoder\.embeddings\.cls_token$", "encoder.cls_token"),
    (r"^encoder\.embeddings\.register_tokens$", "encoder.reg_token"),
    (r"^encoder\.embeddings\.patch_embeddings\.", "encoder.patch_embed.proj."),
    (r"^encoder\.(model\.)?layer\.", "encoder.blocks."),  # transformers 5 has put "model." before it
    (r"\.attention\.", ".attn."),
    (r"\.attn\.o_proj\.", ".attn.proj."),
    (r"\.attn\.([qv])_proj\.bias$", r".attn.\1_bias"),
    (r"\.layer_scale(\d)\.lambda1$", r".gamma_\1"),
    (r"\.mlp\.up_proj\.", ".mlp.fc1."),
    (r"\.mlp\.down_proj\.", ".mlp.fc2."),
)
_PE_NAMES: _Renames = ((r"^encoder\.backbone\.", "encoder."),)  # timm's own


@dataclass(frozen=True)
class Encoder:
    """An encoder that GenD was made of.

    Attributes:
        timm: what timm calls it, with the weights that it was published with.
        since: the version of timm that knows it.
        patch: edge of a patch, pixels; the input's is a multiple of it.
        mean, std: what the encoder was trained with, shares of the brightest.
        renames: from the names in GenD's files to timm's.
        reads_all: whether the answer is read from all patches, and not from one token that has looked at them.
        options: for `timm.create_model`.
    """

    timm: str
    since: str
    patch: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    renames: _Renames
    reads_all: bool = False
    options: tuple[tuple[str, Any], ...] = ()  # pairs: what a detector holds is copied with it


# GenD's crops have 224 px, whatever an encoder was trained on (their `modeling_gend.py`).
SIZE = 224
_HALF = (0.5, 0.5, 0.5)
ENCODERS = {
    "GenD-CLIP-L14": Encoder(  # Radford et al., ICML 2021
        "vit_large_patch14_clip_quickgelu_224.openai",
        "1.0.20",
        14,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
        _CLIP_NAMES,
    ),
    "GenD-PE-L": Encoder(  # Bolya et al., Perception Encoder, 2025 (arXiv 2504.13181)
        "vit_pe_core_large_patch14_336.fb", "1.0.16", 14, _HALF, _HALF, _PE_NAMES, reads_all=True
    ),
    "GenD-DINOv3-L": Encoder(  # Siméoni et al., DINOv3, 2025 (arXiv 2508.10104)
        # The variant with biases of queries and values, which are zero in DINOv3 itself: their file holds them.
        "vit_large_patch16_dinov3_qkvb.lvd1689m",
        "1.0.20",
        16,
        (0.485, 0.456, 0.406),
        (0.229, 0.224, 0.225),
        _DINO_NAMES,
        options=(("global_pool", "token"), ("dynamic_img_size", False)),
    ),
}


class GenD(nn.Module):
    """An encoder without its own answer, and one logit from where its features point.

    Attributes:
        encoder: timm's.
        head: from the features, which have the length 1, to the logit.
    """

    def __init__(self, name: str, encoder: Encoder, size: int, dropout: float, published: bool = False) -> None:
        """Random weights; with `published`, the encoder's own from the Hub or its cache.

        Raises:
            InputError: timm is too old.
        """
        super().__init__()
        import timm

        if not timm.is_model(encoder.timm.split(".")[0]):
            raise InputError(f"{name} needs timm {encoder.since} or later: pip install --upgrade 'torchfakes[timm]'")
        options: dict[str, Any] = {"num_classes": 0, "img_size": size, **dict(encoder.options)}
        made: Any = timm.create_model(encoder.timm, pretrained=published, **options)
        self.encoder: nn.Module = made
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(made.num_features, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) to (B, 1)."""
        features = self.dropout(self.encoder(images))  # (B, 1024)
        logits: torch.Tensor = self.head(nn.functional.normalize(features, dim=1))
        return logits


def patch_grid(network: nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """What a block of the encoder gives, (B, tokens, C), as a map over the crop, (B, C, h, w), for Grad-CAM."""
    height, width = _encoder(network).patch_embed.grid_size
    patches = tokens[:, -height * width :]  # before them lie the tokens that belong to no place
    return patches.transpose(1, 2).reshape(len(tokens), -1, height, width)


def translated(theirs: Numbers, encoder: Encoder, own: Numbers) -> dict[str, torch.Tensor]:
    """The tensors of GenD's authors, by the names and in the shapes of a `GenD`.

    Of their two logits, for real and for fake, the one here is the second less the first: the sigmoid of a difference
    is the softmax of two.

    Args:
        theirs: what their `model.safetensors` holds.
        encoder: of which of them.
        own: the state of the network that is to have them.

    Raises:
        UnusableWeightsError: a tensor is absent, is of another network, or is not finite.
    """
    found: dict[str, torch.Tensor] = {}
    for name, value in theirs.items():
        if _UNUSED.fullmatch(name):
            continue
        check_fractions(name, value)
        if name.startswith(_HEAD):
            found[f"head.{name.removeprefix(_HEAD)}"] = difference_of_two(name, value)
        else:
            ours = _renamed(f"encoder.{name.removeprefix(_ENCODER)}", encoder.renames)
            if ours not in own and not _SEPARATE.search(ours):
                raise UnusableWeightsError(f"it holds {name[:80]}, which this network has not")
            found[ours] = value
    found = _shaped(_joined(found), own)
    if absent := sorted(own.keys() - found.keys()):
        raise UnusableWeightsError(f"{absent[0]} is absent, and {len(absent) - 1} more of {len(own)} tensors")
    return {name: checked(name, found[name], value) for name, value in own.items()}


def _renamed(name: str, renames: _Renames) -> str:
    for pattern, ours in renames:
        name = re.sub(pattern, ours, name)
    return name


def _joined(found: Numbers) -> dict[str, torch.Tensor]:
    """Queries, keys and values of an attention in one tensor, one below the other."""
    joined = {name: value for name, value in found.items() if not _SEPARATE.search(name)}
    for name in found:
        if ".q_proj." in name:
            three = [found.get(name.replace(".q_proj.", f".{one}_proj.")) for one in "qkv"]
            present = [one for one in three if one is not None]
            if len(present) == len(three):
                joined[name.replace(".q_proj.", ".qkv.")] = torch.cat(present)
    return joined


def _shaped(found: dict[str, torch.Tensor], own: Numbers) -> dict[str, torch.Tensor]:
    """CLIP's class token and positions, which are a vector and a table, as timm has them; and positions for the patches
    of `own`: PE's are those of 336 px, which GenD has interpolated whenever it is asked about 224.
    """
    for name in ("encoder.cls_token", "encoder.pos_embed"):
        if name in found and name in own:
            found[name] = found[name].reshape(1, -1, found[name].shape[-1])
    positions, wanted = found.get("encoder.pos_embed"), own.get("encoder.pos_embed")
    if positions is not None and wanted is not None and _is_square(positions) and positions.shape != wanted.shape:
        from timm.layers.pos_embed import resample_abs_pos_embed

        edge = math.isqrt(wanted.shape[1] - 1)
        found["encoder.pos_embed"] = resample_abs_pos_embed(positions, [edge, edge], num_prefix_tokens=1)
    return found


def _is_square(positions: torch.Tensor) -> bool:
    """Whether positions (1, N, C) are those of one token and a square of patches."""
    patches = positions.shape[1] - 1
    return patches > 0 and math.isqrt(patches) ** 2 == patches


def map_blocks(network: nn.Module, encoder: Encoder) -> dict[str, nn.Module]:
    """The blocks that a heat map can be made of, by name, from fine and shallow to coarse and deep: four of them.

    Of an encoder that is read from one token, no patch of the last block has a say any more: the last but one is the
    last.
    """
    blocks = _encoder(network).blocks
    last = len(blocks) - 1 if encoder.reads_all else len(blocks) - 2
    numbers = sorted({max(0, round(last * quarter / 4)) for quarter in (1, 2, 3, 4)})
    return {f"block{number}": blocks[number] for number in numbers}


def _encoder(network: nn.Module) -> Any:
    """Of a `GenD`: timm's network, which can tell more of itself than nn.Module promises."""
    return network.get_submodule("encoder")
