"""DeepfakeBench's networks beside the libraries that it is made of, name by name and number by number."""

import io

import pytest
import torch
from torch import nn

from torchfakes_utils.hub.published import PUBLISHED, pull_published
from torchfakes_utils.models.deepfakebench import EFFICIENTNET_B4, SIZE, XCEPTION, translated
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector
from torchfakes_utils.models.foreign_weights import UnusableWeightsError
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.gend import randomised
from helpers.hub import fails

pytest.importorskip("timm", minversion="1.0.20")
pytestmark = pytest.mark.slow

NAMES = {"deepfakebench-xception": XCEPTION, "deepfakebench-effnb4": EFFICIENTNET_B4}
HEADS = {XCEPTION: "last_linear", EFFICIENTNET_B4: "last_layer"}
WIDTHS = {XCEPTION: 2048, EFFICIENTNET_B4: 1792}
BLOCKS = (2, 4, 4, 6, 6, 8, 2)  # of B4, by stage: Tan and Le's table 1, scaled


@pytest.fixture(params=list(NAMES))
def name(request):
    return request.param


def detector_of(kind, size=SIZE):
    torch.manual_seed(0)
    return Detector(DetectorConfig(kind, None, preprocessing=Preprocessing(size, 127.5, 127.5))).eval()


def crops(count=2):
    noise = torch.rand(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 2 - 1
    return noise * torch.linspace(0.2, 1, count)[:, None, None, None]


def their_name(kind, name):
    """The rule written the other way round: from timm's names to theirs."""
    if name.startswith(("fc.", "classifier.")):
        return f"backbone.{HEADS[kind]}.{name.partition('.')[2]}"
    if kind == XCEPTION:
        return f"backbone.{name}"
    if not name.startswith("blocks."):
        layer, _, what = name.partition(".")
        layer = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}[layer]
        return f"backbone.efficientnet.{layer}.{what}"
    _, stage, number, rest = name.split(".", 3)
    layer, _, what = rest.rpartition(".")
    wide = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1",
            "conv_pwl": "_project_conv", "bn3": "_bn2"}  # fmt: skip
    narrow = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
    names = (narrow if stage == "0" else wide) | {"se.conv_reduce": "_se_reduce", "se.conv_expand": "_se_expand"}
    return f"backbone.efficientnet._blocks.{sum(BLOCKS[: int(stage)]) + int(number)}.{names[layer]}.{what}"


def checkpoint(kind, seed=0):
    """A file of theirs: a state by their names, of two logits."""
    generator = torch.Generator().manual_seed(seed)
    state = randomised(detector_of(kind).backbone, seed).state_dict()
    found = {their_name(kind, name): value for name, value in state.items()}
    head = f"backbone.{HEADS[kind]}"
    found |= {f"{head}.weight": torch.randn(2, WIDTHS[kind], generator=generator) / 9, f"{head}.bias": torch.ones(2)}
    if kind == XCEPTION:  # which lies in every Xception of theirs, used or not
        found["backbone.adjust_channel.0.weight"] = torch.zeros(512, 2048, 1, 1)
    return found


def saved(state, folder, name="weights.pth"):
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / name)
    return folder / name


def yes(offer):
    return True


class TheirB4(nn.Module):
    """As their `networks/efficientnetb4.py` builds it, on efficientnet_pytorch."""

    def __init__(self):
        super().__init__()
        self.efficientnet = pytest.importorskip("efficientnet_pytorch").EfficientNet.from_name("efficientnet-b4")
        self.efficientnet._conv_stem = nn.Conv2d(3, 48, kernel_size=3, stride=2, bias=False)
        self.efficientnet._fc = nn.Identity()
        self.last_layer = nn.Linear(1792, 2)

    def forward(self, images):
        features = self.efficientnet.extract_features(images)
        return self.last_layer(nn.functional.adaptive_avg_pool2d(features, 1).flatten(1))


def their_network(kind):
    if kind == EFFICIENTNET_B4:
        return TheirB4()
    network = pytest.importorskip("pretrainedmodels").xception(num_classes=1000, pretrained=None)
    network.last_linear = nn.Linear(2048, 2)
    return network


def awake(network):
    """With averages in its batch norms that let crops differ to the end: random ones send all to one answer."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    edges = (torch.arange(SIZE) // torch.tensor([[3], [17], [40], [90]]) % 2).float() * 2 - 1
    stripes = edges[:, None, None, :].expand(4, 3, SIZE, SIZE)
    network.train()
    with torch.no_grad():
        network(torch.cat([crops(), stripes, stripes.transpose(2, 3) * 0.3]))
    return network.eval()


def test_the_logit_is_their_second_less_their_first(name):
    kind = NAMES[name]
    theirs = awake(randomised(their_network(kind)))
    state = {f"module.backbone.{key}": value for key, value in theirs.state_dict().items()}
    detector = detector_of(kind)
    detector.backbone.load_state_dict(translated({"state_dict": state}, kind, detector.backbone.state_dict()))
    with torch.inference_mode():
        both, logits = theirs(crops()), detector(crops())
    torch.testing.assert_close(logits, both[:, 1] - both[:, 0], atol=1e-4, rtol=1e-5)
    assert logits.std() > 0.01, "crops that all get one answer would prove nothing"


def test_every_tensor_has_one_place(name):
    kind = NAMES[name]
    own = detector_of(kind).backbone.state_dict()
    given = checkpoint(kind)
    found = translated(given, kind, own)
    for key, value in found.items():
        if not key.startswith(("fc.", "classifier.")):
            assert torch.equal(value, given[their_name(kind, key)]), key
    head = f"backbone.{HEADS[kind]}.weight"
    last = next(value for key, value in found.items() if key in ("fc.weight", "classifier.weight"))
    torch.testing.assert_close(last[0], given[head][1] - given[head][0])


def test_a_file_becomes_a_folder_like_any_other(name, tmp_path):
    kind = NAMES[name]
    file = saved(checkpoint(kind), tmp_path, PUBLISHED[name].file)
    told = []
    run = pull_published(name, tmp_path / "run", lambda offer: told.extend(offer.lines()) or True, file)
    assert "CC BY-NC 4.0" in "\n".join(told)
    detector = load_detector(run)
    assert detector.preprocessing.size == SIZE and detector.preprocessing.mean in (127.5, (127.5,) * 3)
    assert "never fixed" in detector.decision.caution
    assert detector.extra["published"]["licence"].startswith("CC BY-NC")
    expected = detector_of(kind)
    expected.backbone.load_state_dict(translated(checkpoint(kind), kind, expected.backbone.state_dict()))
    with torch.inference_mode():
        torch.testing.assert_close(detector(crops()), expected(crops()))
    again = pull_published(name, tmp_path / "again", yes, tmp_path)
    assert load_detector(again).sha256 == detector.sha256, "the folder that it lies in will do"


def test_without_a_file_or_a_licence(name, tmp_path):
    line = fails(pull_published, name, tmp_path / "run", yes)
    assert "releases/tag/v1.0.1" in line and f"--files {PUBLISHED[name].file}" in line
    assert "no such file" in fails(pull_published, name, tmp_path / "run", yes, tmp_path / "nowhere.pth")
    file = saved(checkpoint(NAMES[name]), tmp_path)
    assert "--accept-licence" in fails(pull_published, name, tmp_path / "run", lambda offer: False, file)
    assert not (tmp_path / "run").exists()


def test_what_is_something_else(tmp_path):
    name, kind = "deepfakebench-xception", XCEPTION
    given, own = checkpoint(kind), detector_of(kind).backbone.state_dict()
    some, head = "backbone.bn1.weight", "backbone.last_linear.weight"
    for changed, words in (
        ({key: value for key, value in given.items() if key != some}, "bn1.weight of .* absent"),
        (given | {head: torch.zeros(3, 2048)}, "no classifier of two outputs"),
        (given | {"backbone.extra.weight": torch.zeros(1)}, "extra.weight, which this network has not"),
        (given | {some: torch.full((32,), float("nan"))}, "not finite"),
        (given | {some: torch.zeros(31)}, "has the shape 31, not 32"),
        ({"model.layer": torch.zeros(1)}, "none of its tensors"),
        (checkpoint(EFFICIENTNET_B4), "none of its tensors|no classifier|absent|has not"),
    ):
        with pytest.raises(UnusableWeightsError, match=words):
            translated(changed, kind, own)

    class Bomb:
        def __reduce__(self):
            return print, ("it ran",)

    file = saved({"state_dict": given, "bomb": Bomb()}, tmp_path)
    line = fails(pull_published, name, tmp_path / "run", yes, file)
    assert "could run code" in line and not (tmp_path / "run" / "detector.json").exists()
    whole = io.BytesIO()
    torch.save(given, whole)
    file.write_bytes(whole.getvalue()[: whole.tell() // 2])
    assert "not a file of weights" in fails(pull_published, name, tmp_path / "run", yes, file)
