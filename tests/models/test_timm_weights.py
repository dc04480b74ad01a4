"""timm's published weights, from a stand-in hub: taken, not there, and damaged; never a word of the client's own."""

import logging
import shutil
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import timm_weights
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.foreign_weights import UnusableWeightsError
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector, check_at_hand

from helpers.hub import lead_to
from helpers.hub_server import Fault, serving

timm = pytest.importorskip("timm", minversion="1.0.20")

REPOSITORY = "timm/test_resnet.r160_in1k"
CONFIG = DetectorConfig("timm:test_resnet.r160_in1k", "timm", preprocessing=Preprocessing(size=64, crop_size=64))


@pytest.fixture(scope="module")
def published():
    torch.manual_seed(3)
    return timm.create_model("test_resnet").state_dict()


@pytest.fixture
def server(tmp_path, monkeypatch, published):
    with serving() as running:
        lead_to(running.url, tmp_path, monkeypatch)
        running.add(REPOSITORY, {"model.safetensors": safetensors.torch.save(published)})
        yield running


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    with serving() as closed:
        pass  # nobody listens at its port any more
    lead_to(closed.url, tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def said():
    """What the Hub's client says; nothing, by the end of each test."""
    records, handler = [], logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    log = logging.getLogger("huggingface_hub")
    log.addHandler(handler)
    yield records
    log.removeHandler(handler)
    assert records == []


def test_they_are_taken_but_for_the_classifier(server, published):
    check_at_hand(CONFIG, required=True)
    assert server.seen("resolve") == [], "to look for them fetches nothing"
    detector, note = build_detector(CONFIG)
    assert note is None and detector.config.pretrained == "timm"
    own = detector.backbone.state_dict()
    assert torch.equal(own["conv1.0.weight"], published["conv1.0.weight"]) and not own["fc.weight"].any()


def test_without_a_network_it_is_said_at_once(no_network, monkeypatch):
    monkeypatch.setattr(timm, "create_model", lambda *_, **options: pytest.fail("asked again, for a minute"))
    with pytest.raises(UnusableWeightsError, match=rf"^{REPOSITORY}: the Hub cannot be reached .Connection refused"):
        timm_weights.fetched(CONFIG)
    with pytest.raises(InputError, match=r"weights cannot be had \(.*cannot be reached.*--pretrained none --tune all"):
        check_at_hand(CONFIG, required=True)
    check_at_hand(CONFIG)


def test_random_ones_instead_or_none(no_network):
    detector, note = build_detector(CONFIG)
    assert "going on from random weights" in note and "Connection refused" in note and "\n" not in note
    assert detector.config.pretrained is None
    with pytest.raises(InputError, match="weights cannot be had"):
        build_detector(CONFIG, required=True)


def test_those_in_the_cache_are_taken_without_a_network(server, published):
    build_detector(CONFIG)
    server.faults.append(Fault(".", 503))
    server.requests.clear()
    check_at_hand(CONFIG, required=True)
    assert server.requests == [], "a file that is there needs nobody to be asked"
    detector, note = build_detector(CONFIG)
    assert note is None and torch.equal(detector.backbone.state_dict()["conv1.0.weight"], published["conv1.0.weight"])


def test_a_damaged_cache_is_named_and_to_delete_it_helps(server, tmp_path):
    build_detector(CONFIG)
    (file,) = (tmp_path / "cache").rglob("model.safetensors")
    file.resolve().write_bytes(b"half a file")
    _, note = build_detector(CONFIG)
    folder = tmp_path / "cache" / "models--timm--test_resnet.r160_in1k"
    assert "damaged" in note and f"delete {folder}, and they are fetched again" in note
    shutil.rmtree(folder)
    assert build_detector(CONFIG)[1] is None


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault("GET /api", 503), "trouble of its own"),
        (Fault("HEAD .*/resolve/", 403, "GatedRepo"), "it is gated"),
        (Fault("GET /storage", 403), "localhost, which keeps its files for the Hub, refuses this"),
        (Fault("GET /storage", keep=0.5), "that failed"),
    ],
    ids=["no answer", "gated", "storage", "cut"],
)
def test_why_they_do_not_come(server, fault, words):
    server.faults.append(fault)
    _, note = build_detector(CONFIG)
    assert f"{REPOSITORY}: " in note and words in note and "\n" not in note


def test_a_file_that_is_not_there_is_found_out_beforehand(no_network, tmp_path):
    with pytest.raises(InputError, match=r"gone.pt: no such file; give weights of timm:test_resnet"):
        check_at_hand(CONFIG, tmp_path / "gone.pt")
    (tmp_path / "there.pt").write_bytes(b"looked into later")
    check_at_hand(CONFIG, tmp_path / "there.pt", required=True)
    check_at_hand(replace(CONFIG, pretrained=None), required=True)
    with pytest.raises(InputError, match="choose one of timm, or none"):
        check_at_hand(replace(CONFIG, pretrained="imagenet"))


@pytest.mark.parametrize("name", ["GenD-CLIP-L14", "GenD-PE-L", "GenD-DINOv3-L"])
def test_encoders_have_a_repository(server, name):
    size = 80 if name == "GenD-DINOv3-L" else 84
    config = DetectorConfig(name, "timm", preprocessing=Preprocessing(size=size, crop_size=size))
    with pytest.raises(InputError, match=f"{name} weights cannot be had .timm/vit_.*no such repository"):
        check_at_hand(config, required=True)
