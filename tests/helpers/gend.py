"""GenD small enough for a test, and its authors' files as they would hold it."""

import contextlib
import dataclasses
import json

import pytest
import safetensors.torch
import torch

from torchfakes_utils.models import architectures, gend
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

NAMES = list(gend.ENCODERS)
WIDTH, DEPTH, HEADS, TOKENS = 64, 4, 2, 4
# Of the large ones: what transformers' implementations are told.
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
SMALL = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS}
BACKBONES = {
    "GenD-CLIP-L14": "openai/clip-vit-large-patch14",
    "GenD-PE-L": "vit_pe_core_large_patch14_336",
    "GenD-DINOv3-L": "facebook/dinov3-vitl16-pretrain-lvd1689m",
}


def small(name, width=WIDTH):
    """An encoder of the same making, four blocks deep."""
    options = {"embed_dim": width, "depth": DEPTH, "num_heads": HEADS}
    options |= {"attn_pool_num_heads": HEADS} if name == "GenD-PE-L" else {}
    known = gend.ENCODERS[name]
    return dataclasses.replace(known, options=(*known.options, *options.items()))


@contextlib.contextmanager
def all_small(width=WIDTH):
    """Inside, GenD's three are small."""
    with pytest.MonkeyPatch.context() as patch:
        for name in NAMES:
            patch.setitem(gend.ENCODERS, name, small(name, width))
            patch.setitem(architectures.GEND, name, architectures._gend(name))
        yield


def detector_of(name, size=224, crop_size=160, width=WIDTH):
    """A detector of a small one; in training it would begin with an answer of 0.5 to everything."""
    wanted = architectures.GEND[name].input
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_size=crop_size)
    with all_small(width):
        return Detector(DetectorConfig(name, None, preprocessing=preprocessing)).eval()


def with_large_channels(detector, times=60):
    """The same answers by way of features of which a few are many times as large as the rest, as in large encoders."""
    few = [3, 17, 40]
    with torch.no_grad():
        for block in detector.backbone.encoder.blocks:
            for norm, layer in ((block.norm1, block.attn.qkv), (block.norm2, block.mlp.fc1)):
                norm.weight[few] *= times
                norm.bias[few] *= times
                layer.weight[:, few] /= times
    return detector


def reference(name, sizes):
    """The authors' encoder on which theirs rests: of `transformers`, or timm at 336 px as their code builds it."""
    if name == "GenD-PE-L":
        import timm

        options = {} if sizes is LARGE else dict(small(name).options)
        return timm.create_model("vit_pe_core_large_patch14_336", num_classes=0, dynamic_img_size=True, **options)
    transformers = pytest.importorskip("transformers", minversion="4.56")
    if name == "GenD-CLIP-L14":
        config = transformers.CLIPVisionConfig(**sizes, image_size=224, patch_size=14, hidden_act="quick_gelu")
        return transformers.CLIPVisionModel(config)
    config = transformers.DINOv3ViTConfig(**sizes, image_size=224, num_register_tokens=TOKENS)
    return transformers.DINOv3ViTModel(config)


def their_names(name, state):
    """How their file calls the tensors of such an encoder.

    Source: `modeling_gend.py` of the authors (an attribute `feature_extractor` around the encoder, `model.linear` the
    head), under transformers 4.56, with which they saved it.
    """
    before = {"GenD-CLIP-L14": "vision_model.", "GenD-PE-L": "backbone.", "GenD-DINOv3-L": "backbone."}[name]
    flat = {key.removeprefix("vision_model.").replace("model.layer.", "layer."): value for key, value in state.items()}
    return {f"feature_extractor.{before}{key}": value for key, value in flat.items()}


def head(width, seed=0):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(2, width, generator=generator) * 8
    return {"model.linear.weight": weights, "model.linear.bias": torch.randn(2, generator=generator)}


def randomised(module, seed=0):
    """Every number of a network drawn anew, so that none is left that a mistake could hide behind, such as a zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, value in module.named_parameters():
            spread = 0.3 if value.ndim < 2 else 1.5 / value[0].numel() ** 0.5
            value.copy_(torch.randn(value.shape, generator=generator) * spread + ("norm" in key and value.ndim < 2))
    return module.eval()


def tensors(name, seed=0):
    """What the authors' `model.safetensors` would hold of a small one, made without `transformers`."""
    with all_small():
        config = gend.ENCODERS[name]
    network = gend.GenD(name, config, 224, 0.0)
    state = randomised(network.encoder, seed).state_dict()
    if name == "GenD-PE-L":
        state["pos_embed"] = torch.randn(1, 24 * 24 + 1, WIDTH, generator=torch.Generator().manual_seed(seed))
        found = {f"feature_extractor.backbone.{key}": value for key, value in state.items()}
    else:
        found = _as_transformers(name, state)
    return {key: value.clone().contiguous() for key, value in (found | head(WIDTH, seed)).items()}


def _as_transformers(name, state):
    """A timm encoder's tensors by the names of transformers: the test of parity holds these two together."""
    clip = name == "GenD-CLIP-L14"
    place = "feature_extractor.vision_model." if clip else "feature_extractor.backbone."
    layer, attention = ("encoder.layers", "self_attn") if clip else ("layer", "attention")
    simple = {
        "cls_token": "embeddings.class_embedding" if clip else "embeddings.cls_token",
        "reg_token": "embeddings.register_tokens",
        "pos_embed": "embeddings.position_embedding.weight",
        "patch_embed.proj.weight": f"embeddings.patch_embedding{'' if clip else 's'}.weight",
        "patch_embed.proj.bias": "embeddings.patch_embeddings.bias",
        "norm_pre.weight": "pre_layrnorm.weight",
        "norm_pre.bias": "pre_layrnorm.bias",
        "norm.weight": f"{'post_layernorm' if clip else 'norm'}.weight",
        "norm.bias": f"{'post_layernorm' if clip else 'norm'}.bias",
    }
    inner = (
        {"norm1": "layer_norm1", "norm2": "layer_norm2", "attn.proj": f"{attention}.out_proj", "mlp.fc1": "mlp.fc1",
         "mlp.fc2": "mlp.fc2"}
        if clip
        else {"norm1": "norm1", "norm2": "norm2", "attn.proj": f"{attention}.o_proj", "mlp.fc1": "mlp.up_proj",
              "mlp.fc2": "mlp.down_proj"}
    )  # fmt: skip
    found = {}
    for key, value in state.items():
        if key in simple:
            flat = clip and key in ("cls_token", "pos_embed")
            found[place + simple[key]] = value.squeeze() if flat else value
            continue
        _, number, rest = key.split(".", 2)
        here, (what, _, kind) = f"{place}{layer}.{number}.", rest.rpartition(".")
        if what == "attn.qkv":
            found |= {f"{here}{attention}.{one}_proj.{kind}": part
                      for one, part in zip("qkv", value.chunk(3), strict=True)}  # fmt: skip
        elif kind in ("q_bias", "v_bias"):
            found[f"{here}{attention}.{kind[0]}_proj.bias"] = value
        elif rest.startswith("gamma_"):
            found[f"{here}layer_scale{rest[-1]}.lambda1"] = value
        else:
            found[f"{here}{inner[what]}.{kind}"] = value
    extra = "feature_extractor.visual_projection.weight" if clip else f"{place}embeddings.mask_token"
    return found | {extra: torch.zeros(1, 1, WIDTH)}


def files(name, seed=0, head="LinearNorm"):
    """A repository of theirs, small."""
    config = {"architectures": ["GenD"], "backbone": BACKBONES[name], "head": head, "model_type": "GenD"}
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": safetensors.torch.save(tensors(name, seed)),
        "README.md": b"---\nlicense: mit\n---\n",
        "modeling_gend.py": b"raise SystemExit('their code never runs')\n",
    }
