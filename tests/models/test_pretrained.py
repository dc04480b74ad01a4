"""Published weights, from a server that gives something else, or breaks off; they are trusted on first use."""

import hashlib
import io

import pytest
import torch
from facenet_pytorch import InceptionResnetV1

from torchfakes_utils.io.downloads import UnavailableError, WrongChecksumError
from torchfakes_utils.models import pretrained
from torchfakes_utils.models.pretrained import fetch_weights

from helpers.web_server import Server


@pytest.fixture
def server(monkeypatch, tmp_path):
    running = Server()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setitem(pretrained.PRETRAINED_URLS, "vggface2", f"{running.url}/w.pt")
    monkeypatch.setattr("torchfakes_utils.io.downloads.time.sleep", lambda _: None)
    yield running
    running.close()


@pytest.fixture(scope="module")
def weights():
    buffer = io.BytesIO()
    torch.save(InceptionResnetV1(classify=True, num_classes=10).state_dict(), buffer)
    return buffer.getvalue()


def test_what_is_no_weights_is_not_kept(server, tmp_path):
    server.answer = lambda path, times: (200, b"no weights")
    with pytest.raises(UnavailableError, match=r"VGGFace2 weights cannot be had \(not a file of weights\)"):
        fetch_weights()
    assert not list((tmp_path / "torch").rglob("*w.pt"))


def test_trust_on_first_use(server, weights, tmp_path):
    server.tag = '"1"'
    server.answer = lambda path, times: ("cut" if times == 1 else 200, weights)
    digest = hashlib.sha256(weights).hexdigest()
    path, found = fetch_weights()
    assert (path.read_bytes(), found) == (weights, digest)
    assert path.is_relative_to(tmp_path / "torch") and len(server.asked) == 2  # broke off once
    assert fetch_weights("vggface2", digest.upper()) == (path, digest)
    with pytest.raises(WrongChecksumError, match="its SHA-256 is"):
        fetch_weights("vggface2", "0" * 64)
    (kept,) = (tmp_path / "torch").rglob("*.sha256")
    kept.write_text("1" * 64 + "  w.pt\n")
    with pytest.raises(WrongChecksumError, match="delete it and fetch it again"):
        fetch_weights()
    assert len(server.asked) == 2  # all from the cache
