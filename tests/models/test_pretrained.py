"""First weights: from a server that gives something else or breaks off, from a cache, from a file of the user's."""

import hashlib
import io
from collections import OrderedDict
from dataclasses import replace

import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.downloads import UnavailableError, WrongChecksumError
from torchfakes_utils.models import pretrained
from torchfakes_utils.models.detector import Detector, DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector, fetch_weights

from helpers.web_server import Server

SMALL = DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80))
VGGFACE2 = replace(SMALL, pretrained="vggface2")
WEIGHTS = "faces.pt"


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    return Detector(SMALL).eval()


@pytest.fixture(scope="module")
def weights(detector):
    """A file like facenet-pytorch's own: a bare state dict, with a classifier of many people."""
    state = OrderedDict((name, value.clone()) for name, value in detector.backbone.state_dict().items())
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    state["logits.weight"], state["logits.bias"] = torch.zeros(30, 512), torch.zeros(30)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


@pytest.fixture
def server(weights, monkeypatch, tmp_path):
    """A server of these weights; an empty torch cache."""
    running = Server()
    running.answer = lambda path, times: (200, weights)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setitem(pretrained.PRETRAINED_URLS, "vggface2", f"{running.url}/{WEIGHTS}")
    monkeypatch.setattr("torchfakes_utils.io.downloads.time.sleep", lambda _: None)
    yield running
    running.close()


def same_backbone(one, other):
    ours, theirs = one.backbone.state_dict(), other.backbone.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours if not name.startswith("logits."))


@pytest.mark.slow
def test_good_weights_are_downloaded_once(server, detector, tmp_path):
    built, note = build_detector(VGGFACE2)
    assert note is None and built.config.pretrained == "vggface2" and same_backbone(built, detector)
    assert built.backbone.logits.weight.shape == (1, 512)
    cached = tmp_path / "torch" / "hub" / "checkpoints"
    assert [path.name for path in cached.iterdir()] == [WEIGHTS]
    build_detector(VGGFACE2)
    assert len(server.asked) == 1


@pytest.mark.slow
def test_weights_that_facenet_pytorch_has_downloaded_are_used(server, detector, weights, tmp_path):
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    (tmp_path / "torch" / "checkpoints" / WEIGHTS).write_bytes(weights)
    built, note = build_detector(VGGFACE2)
    assert note is None and same_backbone(built, detector) and len(server.asked) == 0


def test_a_damaged_cache_is_replaced(server, detector, tmp_path):
    cached = tmp_path / "torch" / "hub" / "checkpoints" / WEIGHTS
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    built, note = build_detector(VGGFACE2)
    assert note is None and same_backbone(built, detector) and len(server.asked) == 1
    assert cached.stat().st_size > 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((404, b""), "the server answered 404 Not Found"),
        ("cut", "only 4 of 1000 bytes came"),
        ((200, b"<html>log in to this network first</html>"), "not a file of weights, but a web page"),
        ("stall", "no answer for 0.2 s"),
    ],
)
def test_a_server_that_fails_leaves_random_weights_and_says_so(server, detector, monkeypatch, tmp_path, answer, reason):
    server.answer = lambda path, times: answer
    monkeypatch.setattr(pretrained, "DOWNLOAD_TIMEOUT", 0.2)
    built, note = build_detector(VGGFACE2)
    assert (
        note
        == f"could not download VGGFace2 weights ({reason}); going on from random weights; give a file with --weights"
    )
    assert built.config.pretrained is None and not same_backbone(built, detector)
    assert len(server.asked) == 1  # training does not wait for a second try
    cached = tmp_path / "torch" / "hub" / "checkpoints"
    assert not cached.exists() or not list(cached.iterdir())  # nothing unusable stays behind


def test_a_server_that_refuses(server, monkeypatch):
    server.close()
    _, note = build_detector(VGGFACE2)
    assert "(Connection refused)" in note


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "torch").write_text("in the way")
    built, note = build_detector(VGGFACE2)
    assert "cannot write there" in note and built.config.pretrained is None


def test_pretrained_weights_that_nobody_has_published():
    with pytest.raises(InputError, match="choose one of vggface2, casia-webface"):
        build_detector(replace(SMALL, pretrained="imagenet"))


@pytest.mark.slow
def test_weights_from_a_file(server, detector, weights, tmp_path):
    (tmp_path / WEIGHTS).write_bytes(weights)
    saved = save(detector, tmp_path / "best", {})
    built, note = build_detector(VGGFACE2, weights=tmp_path / WEIGHTS)
    assert "faces.pt: its classifier has 30 outputs" in note and "at zero" in note
    assert built.config.pretrained == WEIGHTS and same_backbone(built, detector)
    built, _ = build_detector(SMALL, weights=saved / "model.safetensors")  # a detector of ours, its classifier too
    assert torch.equal(built.backbone.logits.weight, detector.backbone.logits.weight)
    assert len(server.asked) == 0


@pytest.mark.slow
def test_a_file_that_holds_no_weights_of_this_network(tmp_path, capsys):
    class Payload:
        def __reduce__(self):
            return (print, ("code has run",))

    contents = {"text.pt": b"hello", "empty.pt": b"", "text.safetensors": b"hello"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "other.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"weight": Payload()}, tmp_path / "code.pt")
    for name in [*contents, "other.pt", "list.pt", "code.pt", "gone.pt"]:
        with pytest.raises(InputError, match="give weights of InceptionResnetV1") as error:
            build_detector(SMALL, weights=tmp_path / name)
        assert name in str(error.value) and "\n" not in str(error.value)
    assert "code has run" not in capsys.readouterr().out


def test_what_is_no_weights_is_not_kept(server, tmp_path):
    server.answer = lambda path, times: (200, b"no weights")
    with pytest.raises(UnavailableError, match=r"VGGFace2 weights cannot be had \(not a file of weights\)"):
        fetch_weights()
    assert not list((tmp_path / "torch").rglob("*.pt"))


@pytest.mark.slow
def test_trust_on_first_use(server, weights, tmp_path):
    server.tag = '"1"'
    server.answer = lambda path, times: ("cut" if times == 1 else 200, weights)
    digest = hashlib.sha256(weights).hexdigest()
    path, found = fetch_weights()
    assert (path.read_bytes(), found) == (weights, digest)
    assert path.is_relative_to(tmp_path / "torch") and len(server.asked) == 2  # broke off once
    assert fetch_weights("vggface2", digest.upper()) == (path, digest)
    with pytest.raises(
        WrongChecksumError, match=r"its SHA-256 is .*; if that does not help, that SHA-256 is of another"
    ):
        fetch_weights("vggface2", "0" * 64)
    (kept,) = (tmp_path / "torch").rglob("*.sha256")
    kept.write_text("1" * 64 + "  faces.pt\n")
    with pytest.raises(WrongChecksumError, match="delete it and fetch it again"):
        fetch_weights()
    assert len(server.asked) == 2  # all from the cache
    kept.write_text("")  # by a crash
    assert fetch_weights() == (path, digest) and kept.read_text().startswith(digest)


@pytest.mark.slow
def test_what_is_said_of_weights_that_have_changed_helps(server, weights, tmp_path):
    """Only the file goes, and it is the same again: then what was noted down of the first copy has to go, too."""
    path, _ = fetch_weights()
    changed = io.BytesIO()
    torch.save(torch.load(io.BytesIO(weights)) | {"more": torch.zeros(3)}, changed)
    server.answer = lambda path, times: (200, changed.getvalue())
    path.unlink()
    with pytest.raises(WrongChecksumError, match=r"delete it and fetch it again; .* faces.pt.sha256 has to go, too"):
        fetch_weights()
    path.with_name("faces.pt.sha256").unlink()
    path.unlink()
    assert fetch_weights()[1] == hashlib.sha256(changed.getvalue()).hexdigest()
