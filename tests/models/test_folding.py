"""What scores on a CPU says what the network says, and follows whatever becomes of that."""

import copy
import gc

import pytest
import torch
from torch import nn

from torchfakes_utils.models.architectures import LITE0, architecture
from torchfakes_utils.models.detector import Detector, DetectorConfig, load_detector, save
from torchfakes_utils.models.folding import _KNOWN, for_scoring
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector

from helpers.export import build


def met(name, size):
    """A detector whose batch norms have met something, and whose classifier says something."""
    detector = build(name, size, size)
    with torch.no_grad():
        detector.classifier.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    return detector


def crops(count, size):
    """Noise, each crop brighter than the one before it."""
    noise = torch.randint(0, 256, (count, 3, size, size), generator=torch.Generator().manual_seed(0))
    return (noise * torch.linspace(0.1, 1, count).reshape(-1, 1, 1, 1)).byte()


def plain(detector, pictures):
    """Of a crop and of its mirror image, the mean."""
    with torch.inference_mode():
        both = [detector(detector.preprocessing.apply(some)) for some in (pictures, pictures.flip(3))]
        return (both[0] + both[1]) / 2


@pytest.fixture
def small():
    return met("timm:test_efficientnet", 64)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        (LITE0, 64),
        (LITE0, 75),  # odd edges, which TensorFlow pads otherwise
        ("InceptionResnetV1", 80),
        ("timm:resnet10t", 64),  # convolutions of one pixel in steps of two
        ("timm:test_efficientnet", 64),
    ],
)
def test_the_same_answers_one_by_one_and_together(name, size):
    detector = met(name, size)
    assert for_scoring(detector) is not detector
    for pictures in (crops(1, size), crops(3, size), crops(2, size + 9)):
        expected = plain(detector, pictures)
        assert torch.allclose(detector.logits(pictures), expected, rtol=0, atol=1e-4)
        assert torch.allclose(detector.probability(pictures), (expected / 1.7).sigmoid(), rtol=0, atol=1e-4)
    assert expected.std() > 1e-3  # they could differ


def test_the_same_answers_on_imagenets_weights():
    """Whose batch norms have met millions of pictures, and hold what random ones do not."""
    wanted = architecture(LITE0).input
    preprocessing = Preprocessing(96, wanted.mean, wanted.std, crop_size=96)
    detector, _ = build_detector(DetectorConfig(LITE0, "imagenet", preprocessing=preprocessing))
    with torch.no_grad():
        detector.classifier.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    detector.eval()
    assert for_scoring(detector) is not detector
    expected = plain(detector, crops(4, 96))
    assert torch.allclose(detector.logits(crops(4, 96)), expected, rtol=0, atol=1e-4) and expected.std() > 0.1


def test_a_layer_that_two_others_hear_keeps_its_batch_norm():
    class Forked(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)
            self.other, self.other_norm = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)

        def forward(self, images):
            features = self.convolution(images)
            return (self.norm(features) + features + self.other_norm(self.other(images))).mean(dim=(1, 2, 3))

    network = Forked()
    network.train()(torch.randn(8, 3, 16, 16))
    network.eval()
    images = torch.randn(2, 3, 16, 16)
    with torch.inference_mode():
        assert for_scoring(network) is not network
        assert torch.allclose(for_scoring(network)(images), network(images), rtol=0, atol=1e-5)


def test_nothing_of_the_network_is_another_afterwards(small, tmp_path):
    before, names = copy.deepcopy(small.state_dict()), list(dict(small.named_modules()))
    state = torch.get_rng_state()
    small.train().logits(crops(2, 64))
    assert small.training and torch.equal(torch.get_rng_state(), state)
    assert list(dict(small.named_modules())) == names and small.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in small.state_dict().items())
    assert all(parameter.is_contiguous() and parameter.requires_grad for parameter in small.parameters())
    small(torch.randn(2, 3, 64, 64)).sum().backward()  # it still learns
    loaded = load_detector(save(small.eval(), tmp_path / "best"))
    assert torch.equal(loaded.logits(crops(2, 64)), small.logits(crops(2, 64)))


def changed_in_place(detector):
    with torch.no_grad():
        detector.classifier.weight.mul_(-2)


def changed_in_inference_mode(detector):
    with torch.inference_mode():
        detector.classifier.bias.add_(3)


def learned(detector):
    optimiser = torch.optim.AdamW(detector.parameters(), 0.1)
    detector.train()(torch.randn(4, 3, 64, 64)).sum().backward()
    optimiser.step()
    detector.eval()


def averages_moved(detector):
    detector.train()(torch.randn(8, 3, 64, 64) * 9)
    detector.eval()


def others_loaded(detector):
    torch.manual_seed(1)
    other = Detector(detector.config)
    other.classifier.reset_parameters()
    detector.load_state_dict(other.state_dict())


def others_assigned(detector):
    torch.manual_seed(1)
    other = Detector(detector.config)
    other.classifier.reset_parameters()
    detector.load_state_dict(other.state_dict(), assign=True)


def layer_replaced(detector):
    detector.backbone.classifier = nn.Linear(detector.classifier.in_features, 1)


@pytest.mark.parametrize(
    "change",
    [
        changed_in_place, changed_in_inference_mode, learned, averages_moved, others_loaded, others_assigned,
        layer_replaced,
    ],
)  # fmt: skip
def test_what_changes_the_network_changes_its_scores(small, change):
    pictures = crops(3, 64)
    before = small.logits(pictures)
    change(small)
    expected = plain(small, pictures)
    assert (expected - before).abs().min() > 1e-3
    assert for_scoring(small) is not small
    assert torch.allclose(small.logits(pictures), expected, rtol=1e-4, atol=1e-4)


def test_it_is_made_once_while_nothing_changes(small):
    first = for_scoring(small)
    assert for_scoring(small.train()) is first and for_scoring(small.eval()) is first


def test_who_listens_to_a_layer_hears_it(small):
    small.logits(crops(1, 64))
    heard = []
    hook = small.backbone.conv_stem.register_forward_hook(lambda *given: heard.append(given))
    small.logits(crops(1, 64))
    hook.remove()
    small.logits(crops(1, 64))
    assert len(heard) == 1


def test_what_cannot_be_folded_scores_itself():
    class Choosing(nn.Module):
        """Goes another way for a dark picture, which nobody can see beforehand."""

        def __init__(self):
            super().__init__()
            self.layer = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

        def forward(self, images):
            return self.layer(images if images.mean() > 0 else -images).mean(dim=(1, 2, 3))

    for network in (
        Choosing().eval(),
        build("Meso4", 64),  # there an activation stands between convolution and batch norm
        met("timm:test_vit", 160),  # has none
        met("timm:test_efficientnet", 64).double(),
    ):
        assert for_scoring(network) is network
    vit = met("timm:test_vit", 160).train()
    assert torch.allclose(vit.logits(crops(2, 160)), plain(vit.eval(), crops(2, 160)), atol=1e-6)


def test_a_copy_that_would_say_something_else_is_not_used(small, monkeypatch):
    from torchfakes_utils.models import folding

    right = folding.fuse_conv_bn_eval

    def wrong(layer, norm):
        fused = right(layer, norm)
        fused.bias.data += 0.5
        return fused

    monkeypatch.setattr(folding, "fuse_conv_bn_eval", wrong)
    assert for_scoring(small) is small


def test_what_was_kept_goes_with_the_network(small):
    gc.collect()
    kept = len(_KNOWN)
    scores = for_scoring(small)
    assert scores is not small
    copied = copy.deepcopy(small)
    assert for_scoring(copied) is not scores
    assert len(_KNOWN) == kept + 2
    del copied
    gc.collect()
    assert len(_KNOWN) == kept + 1
