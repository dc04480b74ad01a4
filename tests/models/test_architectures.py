import math

import pytest
import torch
from torch import nn

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.architectures import (
    ARCHITECTURES,
    HEAD,
    Meso4,
    MesoInception4,
    architecture,
    check_patches,
)
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector
from torchfakes_utils.training.learner import parameter_groups

# A convolutional network, a vision transformer and a CLIP tower, as small as timm has them.
TIMM = ["timm:resnet10t", "timm:test_vit", "timm:test_efficientnet"]
NAMES = [*ARCHITECTURES, *TIMM]
SIZE = 80


def small(name):
    size = 160 if name == "timm:test_vit" else SIZE
    return Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=size))).eval()


@pytest.fixture(scope="module", params=NAMES)
def detector(request):
    torch.manual_seed(0)
    return small(request.param)


def images(detector, count=2):
    size = detector.preprocessing.size
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def test_the_papers_numbers_of_parameters():
    """Afchar et al. give 27,977 for Meso4 and 28,615 for MesoInception4, for crops of 256 px."""
    counts = [sum(p.numel() for p in network(256).parameters()) for network in (Meso4, MesoInception4)]
    assert counts == [27_977, 28_615]


def test_one_logit_a_crop(detector):
    with torch.inference_mode():
        assert detector(images(detector)).shape == (2,)


def test_before_training_the_loss_is_that_of_a_coin(detector):
    """Also of the networks whose library draws their last layer at random."""
    labels = torch.tensor([0.0, 1.0, 1.0, 1.0])
    for mode in (False, True):
        logits = detector.train(mode)(images(detector, 4))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
    detector.eval()


def test_stages_hold_every_parameter_once(detector):
    stages = detector.stages
    assert list(stages)[-1] == HEAD and len(stages) >= 3
    seen = [id(p) for parameters in detector.stage_parameters().values() for p in parameters]
    assert len(seen) == len(set(seen))
    counts = detector.parameter_counts()
    assert sum(total for total, _ in counts.values()) == sum(p.numel() for p in detector.parameters())
    assert all(total == tuned for total, tuned in counts.values())
    assert len(seen) >= 0.9 * len(list(detector.parameters()))


def test_head_only(detector):
    detector.tune("head")
    try:
        counts = detector.parameter_counts()
        assert counts[HEAD][1] == counts[HEAD][0] > 0
        assert all(tuned == 0 for name, (_, tuned) in counts.items() if name != HEAD)
    finally:
        detector.tune("all")
    assert all(p.requires_grad for p in detector.parameters())


def test_from_a_stage_on(detector):
    names = list(detector.stages)
    detector.tune(names[-2])
    tuned = [name for name, (_, count) in detector.parameter_counts().items() if count]
    detector.tune("all")
    assert tuned == names[-2:] or tuned == [HEAD]  # a stage without parameters of its own, such as pooling


def test_norms_only_in_a_transformer():
    detector = small("timm:test_vit")
    detector.tune("norms")
    tuned = {name for name, p in detector.named_parameters() if p.requires_grad}
    assert tuned and all("norm" in name or "head" in name for name in tuned)
    inside = [module for module in detector.modules() if isinstance(module, nn.LayerNorm)]
    assert all(p.requires_grad for module in inside for p in module.parameters())


@pytest.mark.parametrize("name", ["InceptionResnetV1", "Meso4"])
def test_frozen_is_frozen_batch_norms_and_all(name):
    """A step in training mode leaves not only the weights but the running averages of frozen stages as they were."""
    torch.manual_seed(0)
    detector = small(name)
    detector.tune("head")
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    detector.train()
    optimizer = torch.optim.AdamW(parameter_groups(detector, 1e-2, 1e-2, 0.1))
    nn.functional.binary_cross_entropy_with_logits(
        detector(images(detector, 4)), torch.tensor([0.0, 1, 0, 1])
    ).backward()
    optimizer.step()
    head = {id(p) for module in detector.stages[HEAD] for p in [*module.parameters(), *module.buffers()]}
    named = dict([*detector.named_parameters(), *detector.named_buffers()])
    changed = {key for key, value in detector.state_dict().items() if not torch.equal(value, before[key])}
    assert changed and all(id(named[key]) in head for key in changed)


def test_what_cannot_be_tuned():
    with pytest.raises(InputError, match="cannot tune 'neck': choose all, head, norms, or from a stage on: block1"):
        small("Meso4").tune("neck")


@pytest.mark.slow
def test_saving_and_loading(detector, tmp_path):
    save(detector, tmp_path)
    again = load_detector(tmp_path)
    assert again.config == detector.config
    with torch.inference_mode():
        assert torch.equal(again(images(detector)), detector(images(detector)))


def test_loading_another_architectures_weights_names_the_tensor(tmp_path):
    save(small("Meso4"), tmp_path)
    config = DetectorConfig("MesoInception4", None, preprocessing=Preprocessing(size=SIZE))
    with pytest.raises(InputError, match="absent; give weights of MesoInception4"):
        build_detector(config, tmp_path / "model.safetensors")


@pytest.mark.parametrize("name", ["Meso4", "timm:resnet10t"])
def test_weights_from_a_file_keep_all_but_a_strange_classifier(name, tmp_path):
    torch.manual_seed(1)
    first = small(name)
    save(first, tmp_path)
    second, note = build_detector(first.config, tmp_path / "model.safetensors")
    assert note is None and second.config.pretrained == "model.safetensors"
    assert all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Xception",
            "no architecture 'Xception'; there are Inc.*MesoInception4, GenD-CLIP-L14, .*timm:NAME",
        ),
        ("timm:resnet1234", "timm knows no model 'resnet1234'; did you mean resnet"),
        ("timm:qqqq", "timm knows no model 'qqqq'; see timm.list_models"),
    ],
)
def test_unknown_architectures(name, message):
    with pytest.raises(InputError, match=message):
        architecture(name)


def test_a_size_that_a_network_cannot_take():
    sizes = {"InceptionResnetV1": 74, "Meso4": 20, "timm:resnet10t": 16, "timm:crossvit_tiny_240": 160}
    for name, size in sizes.items():
        with pytest.raises(InputError, match=f"{size} px|image size {size}"):
            Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=size)))


@pytest.mark.parametrize(
    ("name", "patch"),
    [("timm:vit_small_patch14_dinov2", 14), ("timm:test_vit", 16), ("timm:swin_tiny_patch4_window7_224", 4),
     ("timm:mixer_b16_224", 16), ("timm:resnet10t", 1), ("Meso4", 1)],
)  # fmt: skip
def test_patches_leave_no_rest(name, patch):
    """What a patch does not cover, a vision transformer drops without a word."""
    assert architecture(name).patch() == patch
    check_patches(name, 10 * patch)
    if patch > 1:
        with pytest.raises(InputError, match=f"patches of {patch} px; take {10 * patch} or {11 * patch}"):
            Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=10 * patch + 1)))


def test_positions_of_another_size_are_interpolated():
    """A transformer's weights for 10 x 10 patches serve for 6 x 6: as timm makes of its own when it fetches them."""
    from timm.models.vision_transformer import checkpoint_filter_fn

    own = small("timm:test_vit").backbone
    smaller = Detector(DetectorConfig("timm:test_vit", None, preprocessing=Preprocessing(size=96))).backbone
    assert own.pos_embed.shape[1] - smaller.pos_embed.shape[1] == 10 * 10 - 6 * 6
    smaller.load_state_dict(checkpoint_filter_fn(own.state_dict(), smaller))
    assert smaller(torch.rand(2, 3, 96, 96)).shape == (2, 1)


@pytest.mark.parametrize("name", ["timm:levit_128", "timm:coat_tiny"])
def test_a_network_of_several_classifiers(name):
    with pytest.raises(InputError, match="timm does not tell body and classifier of .* apart; choose another network"):
        Detector(DetectorConfig(name, None, preprocessing=Preprocessing(size=224)))


def test_timms_input_range_travels_with_the_weights():
    wanted = architecture("timm:vit_base_patch16_clip_224.openai").input
    assert wanted.size == 224 and wanted.mean == pytest.approx((122.77, 116.75, 104.09), abs=0.01)
    assert architecture("timm:legacy_xception").input.mean == (127.5, 127.5, 127.5)
    assert architecture("timm:efficientnet_b4").pretrained == ("timm",)


def test_timm_weights_that_cannot_be_had_are_said(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    config = DetectorConfig("timm:resnet10t", "timm", preprocessing=Preprocessing(size=SIZE))
    detector, note = build_detector(config)
    assert "could not download timm:resnet10t weights (" in note and "going on from random weights" in note
    assert "\n" not in note and detector.config.pretrained is None


def test_pretrained_weights_of_another_architecture():
    with pytest.raises(InputError, match="no pretrained weights 'vggface2' of Meso4; choose none"):
        build_detector(DetectorConfig("Meso4", "vggface2", preprocessing=Preprocessing(size=SIZE)))


def test_feature_layers_are_maps(detector):
    shapes = {}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: shapes.update({name: out.shape}))
        for name, layer in detector.feature_layers.items()
    ]
    with torch.inference_mode():
        detector(images(detector))
    for hook in hooks:
        hook.remove()
    assert shapes.keys() == detector.feature_layers.keys()
    if detector.config.architecture != "timm:test_vit":
        assert len(shapes) >= 3 and all(len(shape) == 4 for shape in shapes.values())
