"""The Hub through its real client and a stand-in server, and runs to publish."""

from dataclasses import replace

import pytest

from torchfakes_utils.evaluation.config import EvaluationConfig
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.hub.catalogue import PUBLISHED
from torchfakes_utils.report import write

from helpers.gend import all_small
from helpers.hub import lead_to, small
from helpers.hub_server import TOKEN, serving


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def client(server, tmp_path, monkeypatch):
    """The real client, on its way to the stand-in, with its owner's token."""
    lead_to(server.url, tmp_path, monkeypatch)
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def gend(monkeypatch):
    """GenD's encoders are small, and the one with a pin has it without what it pins."""
    monkeypatch.setitem(PUBLISHED, "gend-clip-l14", replace(PUBLISHED["gend-clip-l14"], revision=None, sha256=None))
    with all_small():
        yield


@pytest.fixture
def run(tmp_path):
    return tmp_path / "runs" / "gend"


@pytest.fixture
def bare(tmp_path):
    """A run that was trained and never evaluated, with things in its folder that are nobody's business."""
    run = small(tmp_path / "runs" / "bare")
    for name in ("last.safetensors", "history.csv", "config.json", "best/notes.txt", ".env"):
        (run / name).write_text("private")
    return run


@pytest.fixture(scope="module")
def evaluated(tiny_faces, tmp_path_factory):
    run = small(tmp_path_factory.mktemp("runs") / "mine", seed=1)
    write.write_report(run, evaluate(run, tiny_faces / "faces.csv", EvaluationConfig(replicates=20)))
    return run
