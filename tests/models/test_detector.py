import contextlib
import hashlib
import http.server
import json
import shutil
import threading
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.models import pretrained as module
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import (
    Detector,
    DetectorConfig,
    load_detector,
    save,
    store_decision,
)
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector

DECISION = Decision(0.4, 1.5, {"face": (50.0, None)}, ("a note",))
SMALL = DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80))
WEIGHTS = "faces.pt"


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    return Detector(SMALL).eval()


@pytest.fixture(scope="module")
def saved_once(detector, tmp_path_factory):
    detector.decision = DECISION
    return save(detector, tmp_path_factory.mktemp("run") / "best", {"epoch": 3})


@pytest.fixture
def saved(saved_once, tmp_path):
    return Path(shutil.copytree(saved_once, tmp_path / "best"))


@pytest.fixture(scope="module")
def published(detector, tmp_path_factory):
    """A file like facenet-pytorch's own: a bare state dict, with a classifier of many people."""
    state = OrderedDict((name, value.clone()) for name, value in detector.backbone.state_dict().items())
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    state["logits.weight"], state["logits.bias"] = torch.zeros(30, 512), torch.zeros(30)
    path = tmp_path_factory.mktemp("published") / WEIGHTS
    torch.save(state, path)
    return path


@pytest.fixture
def server(published, monkeypatch, tmp_path):
    """A weights server on this machine that answers as `server.answer` says; an empty torch cache."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests += 1
            body = published.read_bytes()
            if self.server.answer == "hang":
                time.sleep(2)
            if self.server.answer == "404":
                return self.send_error(404)
            if self.server.answer == "page":
                body = b"<html>log in to this network first</html>"
            with contextlib.suppress(ConnectionError):  # a client that has given up
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if self.server.answer == "truncated" else body)
            return None

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        http_server.answer, http_server.requests = "good", 0
        thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{http_server.server_port}/{WEIGHTS}"
        monkeypatch.setitem(module.PRETRAINED_URLS, "vggface2", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch" / "hub"))
        yield http_server
        http_server.shutdown()
        thread.join()


def vggface2():
    return replace(SMALL, pretrained="vggface2")


def one_line(error):
    text = str(error.value)
    assert "\n" not in text
    return text


def test_forward_and_probability(detector):
    crops = torch.randint(0, 256, (3, 3, 96, 96), dtype=torch.uint8)
    logits = detector(detector.preprocessing.apply(crops))
    assert logits.shape == (3,)
    probability = detector.probability(crops)
    assert torch.allclose(probability, logits.sigmoid()) and not probability.requires_grad
    assert torch.allclose(probability[1:2], detector.probability(crops[1:2]), atol=1e-6)


def test_probability_does_not_depend_on_the_mode_and_leaves_it(detector):
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    expected = detector.probability(crops)
    detector.train()
    try:
        assert torch.equal(detector.probability(crops), expected) and detector.training
    finally:
        detector.eval()


def test_what_is_saved_is_loaded(detector, saved):
    state = torch.get_rng_state()
    loaded = load_detector(saved)
    assert torch.equal(torch.get_rng_state(), state)  # reading a file is not a throw of dice
    assert loaded.config == SMALL and loaded.extra == {"epoch": 3} and not loaded.training
    assert loaded.decision == DECISION
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8)
    assert torch.equal(loaded.probability(crops), detector.probability(crops))
    assert load_detector(saved.parent).config == SMALL  # a run folder holds its detector in best/
    description = json.loads((saved / "detector.json").read_text())
    assert description["sha256"] == hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    assert sorted(path.name for path in saved.iterdir()) == ["detector.json", "model.safetensors"]
    assert all(parameter.requires_grad for parameter in loaded.parameters())  # it can be trained further


def test_weights_in_channels_last_are_saved_alike(detector, saved, tmp_path):
    config = (saved / "detector.json").read_text()
    copy = load_detector(saved).to(memory_format=torch.channels_last)
    assert (save(copy, tmp_path / "again", copy.extra) / "detector.json").read_text() == config


def test_tampered_weights(saved):
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or changed") as error:
        load_detector(saved)
    assert str(path) in one_line(error)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="damaged or changed"):
        load_detector(saved)


def test_weights_of_something_else_with_a_right_hash(saved):
    content = b"not safetensors"
    (saved / "model.safetensors").write_bytes(content)
    rewrite(saved, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(InputError, match="not the weights of InceptionResnetV1"):
        load_detector(saved)


@pytest.mark.parametrize("name", ["model.safetensors", "detector.json"])
def test_a_file_is_gone(saved, name):
    (saved / name).unlink()
    with pytest.raises(InputError, match=f"no detector here \\({name}: No such file"):
        load_detector(saved)


def rewrite(folder, **changes):
    path = folder / "detector.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preprocessing_version": 99}, "made for another preprocessing"),
        ({"format": 99}, "made for another preprocessing"),
        ({"config": {"architecture": "Xception"}}, "not a detector's description"),
        ({"config": {"unheard_of": 1, "preprocessing": {}}}, "not a detector's description"),
        ({"config": {"architecture": "Xception", "preprocessing": {}}}, "no architecture 'Xception'"),
        ({"sha256": None}, "not a detector's description"),
    ],
)
def test_a_description_of_something_else(saved, changes, message):
    rewrite(saved, **changes)
    with pytest.raises(InputError, match=message) as error:
        load_detector(saved)
    one_line(error)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_description_that_is_none(saved, content):
    (saved / "detector.json").write_text(content)
    with pytest.raises(InputError, match="not a detector's description"):
        load_detector(saved)


def test_a_folder_that_cannot_be_written(detector, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot write there"):
        save(detector, tmp_path / "file" / "best")


def test_sizes_that_the_network_cannot_take():
    Detector(replace(SMALL, preprocessing=Preprocessing(size=75))).eval()(torch.zeros(1, 3, 75, 75))
    with pytest.raises(InputError, match="at least 75 px"):
        Detector(replace(SMALL, preprocessing=Preprocessing(size=74)))


def same_backbone(one, other):
    ours, theirs = one.backbone.state_dict(), other.backbone.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours if not name.startswith("logits."))


def test_good_weights_are_downloaded_once(server, detector, tmp_path):
    built, note = build_detector(vggface2())
    assert note is None and built.config.pretrained == "vggface2" and same_backbone(built, detector)
    assert built.backbone.logits.weight.shape == (1, 512)
    cached = tmp_path / "torch" / "hub" / "checkpoints"
    assert [path.name for path in cached.iterdir()] == [WEIGHTS]
    build_detector(vggface2())
    assert server.requests == 1


def test_weights_that_facenet_pytorch_has_downloaded_are_used(server, detector, published, tmp_path):
    (tmp_path / "torch" / "checkpoints").mkdir(parents=True)
    (tmp_path / "torch" / "checkpoints" / WEIGHTS).write_bytes(published.read_bytes())
    built, note = build_detector(vggface2())
    assert note is None and same_backbone(built, detector) and server.requests == 0


def test_a_damaged_cache_is_replaced(server, detector, tmp_path):
    cached = tmp_path / "torch" / "hub" / "checkpoints" / WEIGHTS
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half a file")
    built, note = build_detector(vggface2())
    assert note is None and same_backbone(built, detector) and server.requests == 1
    assert cached.stat().st_size > 1_000_000


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("404", "the server answered 404 Not Found"),
        ("truncated", "bytes came"),
        ("page", "not a file of weights"),
        ("hang", "no answer for 0.2 s"),
    ],
)
def test_a_server_that_fails_leaves_random_weights_and_says_so(server, detector, monkeypatch, tmp_path, answer, reason):
    server.answer = answer
    if answer == "hang":
        monkeypatch.setattr(module, "DOWNLOAD_TIMEOUT", 0.2)
    built, note = build_detector(vggface2())
    assert note.startswith("could not download VGGFace2 weights (") and reason in note and "\n" not in note
    assert note.endswith("going on from random weights; give a file with --weights")
    assert built.config.pretrained is None and not same_backbone(built, detector)
    cached = tmp_path / "torch" / "hub" / "checkpoints"
    assert not cached.exists() or not list(cached.iterdir())  # nothing unusable stays behind


def test_a_server_that_refuses(server, monkeypatch):
    monkeypatch.setitem(module.PRETRAINED_URLS, "vggface2", f"http://127.0.0.1:{free_port()}/{WEIGHTS}")
    _, note = build_detector(vggface2())
    assert "(Connection refused)" in note


def free_port():
    with http.server.HTTPServer(("127.0.0.1", 0), None) as closed_again:
        return closed_again.server_port


def test_a_cache_that_cannot_be_written(server, tmp_path):
    (tmp_path / "torch").write_text("in the way")
    built, note = build_detector(vggface2())
    assert "cannot write there" in note and built.config.pretrained is None


def test_pretrained_weights_that_nobody_has_published():
    with pytest.raises(InputError, match="choose one of vggface2, casia-webface"):
        build_detector(replace(SMALL, pretrained="imagenet"))


def test_weights_from_a_file(server, detector, published, saved):
    built, note = build_detector(vggface2(), weights=published)
    assert note is None and built.config.pretrained == WEIGHTS and same_backbone(built, detector)
    built, _ = build_detector(SMALL, weights=saved / "model.safetensors")  # a detector of ours, its classifier too
    assert torch.equal(built.backbone.logits.weight, detector.backbone.logits.weight)
    assert server.requests == 0


def test_a_file_that_holds_no_weights_of_this_network(tmp_path):
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
        assert name in one_line(error)


def test_a_pickle_in_a_file_of_weights_is_not_run(tmp_path, capsys):
    test_a_file_that_holds_no_weights_of_this_network(tmp_path)
    assert "code has run" not in capsys.readouterr().out


def test_probability_is_calibrated_and_logits_are_not(saved):
    loaded = load_detector(saved)
    crops = torch.randint(0, 256, (2, 3, 80, 80), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits = loaded(loaded.preprocessing.apply(crops))
    assert torch.allclose(loaded.probability(crops), (logits / 1.5).sigmoid())


def test_a_decision_can_be_stored_later_and_leaves_the_weights(saved, tmp_path):
    folder = Path(shutil.copytree(saved, tmp_path / "run"))
    before = (folder / "model.safetensors").read_bytes()
    store_decision(folder, Decision(0.7))
    assert load_detector(folder).decision == Decision(0.7) and load_detector(folder).extra == {"epoch": 3}
    assert (folder / "model.safetensors").read_bytes() == before
    with pytest.raises(InputError, match="no detector here"):
        store_decision(tmp_path / "nowhere", Decision())


@pytest.mark.parametrize("wrong", [{"threshold": 3}, {"temperature": "hot"}, [0.5], {"fog": 1}])
def test_a_decision_that_makes_no_sense_is_refused_in_a_line(saved, tmp_path, wrong):
    folder = Path(shutil.copytree(saved, tmp_path / "run"))
    description = json.loads((folder / "detector.json").read_text())
    (folder / "detector.json").write_text(json.dumps(description | {"decision": wrong}))
    with pytest.raises(InputError, match="its decision cannot be read") as caught:
        load_detector(folder)
    assert "\n" not in str(caught.value)
