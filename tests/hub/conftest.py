"""The Hub through its real client and a stand-in server, and runs to publish."""

import time

import pytest
from huggingface_hub import constants

from torchfakes_utils.evaluation.config import EvaluationConfig
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.report import write

from helpers.hub import small
from helpers.hub_server import TOKEN, serving


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def client(server, tmp_path, monkeypatch):
    """The real client, on its way to the stand-in, with an empty cache and its owner's token; what it read from the
    environment when it was imported is set as if it read it now. Its pauses between attempts are left out."""
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


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
