"""Detectors of others, pulled through a stand-in hub with files as their authors name them."""

import errno
import io
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from skimage.data import astronaut
from torch import nn

from torchfakes_utils.cli import main
from torchfakes_utils.hub import published
from torchfakes_utils.hub.catalogue import PUBLISHED
from torchfakes_utils.hub.package import package
from torchfakes_utils.hub.published import pull_published
from torchfakes_utils.models.decision import NOT_FIXED
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.gend import ENCODERS, GenD, translated
from torchfakes_utils.models.provenance import made_by_others
from torchfakes_utils.report import write

from helpers.gend import files, tensors
from helpers.hub import cached_files, fails
from helpers.hub_server import Fault
from helpers.published import WEIGHTS, digest, fetched_by_hand, serve, visible, yes

pytest.importorskip("timm", minversion="1.0.20")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("gend")]
CLIP = PUBLISHED["gend-clip-l14"]


@pytest.fixture(params=[name for name, one in PUBLISHED.items() if one.repository])
def name(request):
    return request.param


def test_a_folder_like_any_other(name, run, server):
    """The logits are those of their tensors, and nothing else is in the folder."""
    repository = serve(server, name)
    assert pull_published(name, run, yes) == run
    assert visible(run) == ["detector.json", WEIGHTS]
    detector = load_detector(run)
    kind = PUBLISHED[name].architecture
    other = GenD(kind, ENCODERS[kind], 224, 0.0).eval()
    other.load_state_dict(translated(tensors(kind), ENCODERS[kind], other.state_dict()))
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(detector(images), other(images)[:, 0], atol=1e-5, rtol=0)
    origin = detector.extra["published"]
    assert origin["revision"] == repository.branches["main"]
    assert origin["sha256"] == digest(files(kind)[WEIGHTS]) and origin["pinned"] is False
    assert detector.decision.cautions == (f"caution: {NOT_FIXED}",)
    assert server.seen(r"\.py") == [], "their code is never fetched"
    server.requests.clear()
    assert pull_published(name, run, None) == run and server.seen("resolve|storage") == [], "again, nothing is fetched"


def test_size_and_licence_are_said_before_a_byte_of_weights(name, run, server):
    serve(server, name)
    said = []
    line = fails(pull_published, name, run, lambda offer: said.append((offer.lines(), server.seen("storage"))) or False)
    assert "licence was not accepted" in line and "--accept-licence" in line
    ((lines, fetched),) = said
    assert fetched == [] and server.seen("storage") == [] and not run.exists()
    text = "\n".join(lines)
    assert "MIT" in text and " MB of weights" in text and "arXiv 2508.06248" in text and "no digest" in text
    assert ("DINOv3 Licence" in text) == (name == "gend-dinov3-l")


def test_the_pinned_commit_is_the_one_that_is_taken(run, server, monkeypatch):
    name = "gend-pe-l"
    repository = serve(server, name)
    first, weights = repository.branches["main"], files("GenD-PE-L")[WEIGHTS]
    repository.commit(files("GenD-PE-L", seed=1), title="later")
    pinned = replace(PUBLISHED[name], revision=first, sha256=digest(weights))
    monkeypatch.setitem(PUBLISHED, name, pinned)
    pull_published(name, run, yes)
    origin = load_detector(run).extra["published"]
    assert (origin["revision"], origin["sha256"], origin["pinned"]) == (first, digest(weights), True)
    later = pull_published(name, run.with_name("later"), yes, revision="main")
    assert load_detector(later).extra["published"]["pinned"] is False
    line = fails(pull_published, name, run, yes, None, "main")
    assert (
        f"at commit {first}, and main is commit {repository.branches['main']}, another; choose another folder" in line
    )
    monkeypatch.setitem(PUBLISHED, name, replace(pinned, sha256="0" * 64))
    line = fails(pull_published, name, run.with_name("changed"), yes)
    assert "should hold weights of the SHA-256 0000" in line and not run.with_name("changed").exists()


def test_the_pin_of_clip_is_a_commit_and_a_digest():
    assert len(CLIP.revision) == 40 and len(CLIP.sha256) == 64 and CLIP.revision in CLIP.page


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model__safetensors": None, "pytorch_model__bin": b"\x80\x04cos\nsystem\n"}, "only pickled weights"),
        ({"model__safetensors": None}, "holds no model.safetensors"),
        ({"config__json": None}, "holds no config.json"),
        ({"config__json": b'{"head": "linear"}'}, "describes another network (head 'linear'"),
        ({"config__json": b"[1"}, "config.json cannot be read"),
        ({"config__json": b" " * 200_000}, "too large"),
    ],
    ids=["pickles", "no weights", "no config", "another head", "no JSON", "large"],
)
def test_a_repository_of_something_else(changes, words, run, server):
    serve(server, "gend-pe-l", **changes)
    assert words in fails(pull_published, "gend-pe-l", run, yes)
    assert server.seen("storage|pytorch_model") == [] and not run.exists()


def test_another_architecture(run, server):
    other = files("GenD-CLIP-L14")[WEIGHTS]
    serve(server, "gend-pe-l", model__safetensors=other)
    line = fails(pull_published, "gend-pe-l", run, yes)
    assert "not the weights of gend-pe-l (GenD-PE-L)" in line and "which this network has not" in line
    assert visible(run) == []


def test_what_is_no_file_of_weights(run, server):
    serve(server, "gend-pe-l", model__safetensors=b"<html>a login page</html>")
    assert "a web page" in fails(pull_published, "gend-pe-l", run, yes)
    assert visible(run) == []


def test_what_came_is_something_else(run, server):
    serve(server, "gend-pe-l")
    right = files("GenD-PE-L")[WEIGHTS]
    server.faults.append(Fault("GET /storage/", body=right[:-1] + bytes([right[-1] ^ 1])))
    line = fails(pull_published, "gend-pe-l", run, yes)
    assert "SHA-256 differs" in line
    assert not list(run.rglob("*.part")) and not (run / "detector.json").exists()
    server.faults.clear()
    assert pull_published("gend-pe-l", run, yes) == run


def test_no_room_for_it(run, server, monkeypatch):
    serve(server, "gend-pe-l")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**5))
    line = fails(pull_published, "gend-pe-l", run, yes)
    assert "MB are needed and 0 MB are free" in line
    assert server.seen("storage") == [] and not run.exists()


def test_a_disk_that_fills_up_leaves_no_detector(run, server, monkeypatch):
    serve(server, "gend-pe-l")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(published, "save", lambda detector, folder, extra: full())
        with pytest.raises(OSError, match="No space"):
            pull_published("gend-pe-l", run, yes)
    assert not (run / "detector.json").exists()
    server.requests.clear()
    assert pull_published("gend-pe-l", run, yes) == run
    assert server.seen("storage") == [], "what had come was kept"


@pytest.mark.parametrize("fault", [Fault("GET /api", silent=True), Fault("GET /api", keep=0.5)], ids=["silent", "cut"])
def test_no_network(run, server, monkeypatch, fault):
    serve(server, "gend-pe-l")
    monkeypatch.setattr("torchfakes_utils.io.hub_client.TIMEOUT", 0.3)
    server.faults.append(fault)
    line = fails(pull_published, "gend-pe-l", run, yes)
    assert "save config.json and model.safetensors from https://huggingface.co/yermandy/GenD_PE_L/tree/main" in line
    assert f"torchfakes pull gend-pe-l {run} --files FILES" in line and "licence: MIT; its encoder" in line
    assert not run.exists()


def test_a_clear_no_of_the_hub_is_no_matter_of_the_network(run, server):
    line = fails(pull_published, "gend-pe-l", run, yes)
    assert "no such repository" in line and "--files" not in line


def test_files_fetched_by_hand_need_no_network(run, server, tmp_path):
    given = fetched_by_hand(tmp_path / "by hand")
    pull_published("gend-pe-l", run, yes, given)
    assert server.requests == [] and visible(run) == ["detector.json", WEIGHTS]
    origin = load_detector(run).extra["published"]
    assert origin["by_hand"] and origin["revision"] is None
    assert origin["sha256"] == digest((given / WEIGHTS).read_bytes())
    assert str(tmp_path) not in (run / "detector.json").read_text(), "no path of this machine goes along"


def test_half_a_file_fetched_by_hand(run, tmp_path, monkeypatch):
    whole = files("GenD-PE-L")[WEIGHTS]
    given = fetched_by_hand(tmp_path / "by hand", **{WEIGHTS: whole[: len(whole) // 2]})
    assert "not a file of weights" in fails(pull_published, "gend-pe-l", run, yes, given)
    pin = replace(PUBLISHED["gend-pe-l"], revision="1" * 40, sha256=digest(whole))
    monkeypatch.setitem(PUBLISHED, "gend-pe-l", pin)
    assert "half a file, or of another commit" in fails(pull_published, "gend-pe-l", run, yes, given)
    whole_again = fetched_by_hand(tmp_path / "again")
    assert load_detector(pull_published("gend-pe-l", run, yes, whole_again)).extra["published"]["pinned"] is True


def test_files_that_are_not_there(run, tmp_path):
    pickles = fetched_by_hand(tmp_path / "by hand", **{WEIGHTS: None, "pytorch_model.bin": b"\x80"})
    assert "only pickled weights" in fails(pull_published, "gend-pe-l", run, yes, pickles)
    assert "no such folder; get config.json and" in fails(pull_published, "gend-pe-l", run, yes, tmp_path / "nowhere")


def test_a_folder_of_something_else(run, server):
    serve(server, "gend-pe-l")
    run.mkdir(parents=True)
    (run / "thesis.tex").write_text("mine")
    assert "holds other things" in fails(pull_published, "gend-pe-l", run, yes)
    assert server.requests == []


def command(*words):
    return main.main([str(word) for word in words])


def test_the_command_asks_and_says(run, server, monkeypatch, capsys):
    serve(server, "gend-pe-l")
    assert command("pull", "gend-pe-l", run) == 2, "nobody is there to ask"
    assert "--accept-licence" in capsys.readouterr().err
    terminal = io.StringIO("no\nyes\n")
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    assert command("pull", "gend-pe-l", run) == 2 and server.seen("storage") == []
    capsys.readouterr()
    assert command("pull", "gend-pe-l", run) == 0
    said = capsys.readouterr()
    assert "licence: MIT" in said.err and "torchfakes calibrate" in said.err and f"is in {run}" in said.out
    assert command("pull", "gend-pe-l", "--out", run, "--json") == 0, "the same place, said otherwise"
    assert '"sha256"' in capsys.readouterr().out
    assert command("pull", "gend-pe-l", run, "--out", run.with_name("other")) == 2
    assert command("pull", "gend-pe-x", run) == 2
    assert "gend-clip-l14, gend-pe-l, gend-dinov3-l" in capsys.readouterr().err
    assert command("pull", "owner/name", "--files", run) == 2


def test_nothing_stays_in_the_hubs_cache(run, server, tmp_path):
    """A gigabyte is kept once; and what was damaged there would be read again for ever."""
    serve(server, "gend-pe-l")
    pull_published("gend-pe-l", run, yes)
    assert cached_files(tmp_path) == []


def test_a_pulled_detector_is_not_random(run, server):
    """It was read, not drawn: two pulls give one detector."""
    serve(server, "gend-clip-l14")
    one, two = (load_detector(pull_published("gend-clip-l14", run.with_name(n), yes)) for n in ("one", "two"))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not isinstance(one.backbone.head, nn.Identity) and one.backbone.head.weight.abs().sum() > 0


def test_who_made_it_goes_along_wherever_it_is_shown(run, server):
    serve(server, "gend-dinov3-l")
    pull_published("gend-dinov3-l", run, yes)
    card = package(run, "me/copy").files["README.md"].decode()
    assert "made by others" in card and "DINOv3 Licence" in card and "trained with TorchFakes" not in card
    training = write._describe(run, load_detector(run)).training
    assert training["licence"].startswith("MIT, say its authors") and "FaceForensics" in training["learned from"]
    strange = {"published": {"title": 3, "licence": ["x"]}}
    assert made_by_others(strange) == made_by_others({"published": "x"}) == made_by_others(None) == {}


def test_predict_answers_with_a_caution_and_exports_agree(run, server, tmp_path, capsys):
    """The folder is a run for what comes after: a portrait gets a score and no verdict, and ONNX says the same."""
    serve(server, "gend-clip-l14")
    pull_published("gend-clip-l14", run, yes)
    photo = tmp_path / "photo.png"
    Image.fromarray(astronaut()).save(photo)
    assert command("predict", run, photo, "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["verdict"] == "cannot tell" and f"no verdict is given: {NOT_FIXED}" in answer["reason"]
    assert answer["scope"].startswith(
        "trained on FaceForensics++: Deepfakes, Face2Face, FaceSwap and NeuralTextures at c23"
    )
    assert answer["notes"] == [f"caution: {NOT_FIXED}"] and 0 < answer["probability_fake"] < 1
    assert command("export", run, "--format", "onnx", "--precision", "fp32", "--out", tmp_path / "onnx") == 0
    capsys.readouterr()
    network = tmp_path / "onnx" / "detector.fp32.onnx"
    assert command("predict", run, photo, "--network", network, "--json") == 2
    again = json.loads(capsys.readouterr().out)
    assert again["probability_fake"] == pytest.approx(answer["probability_fake"], abs=1e-3)
