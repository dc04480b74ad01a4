"""A stand-in's one repository, small detectors to put there, and the one line with which a call to the Hub fails."""

import time

import pytest
import torch
from huggingface_hub import constants

from torchfakes_utils.errors import InputError
from torchfakes_utils.models.decision import Decision
from torchfakes_utils.models.detector import DetectorConfig, features, load_detector, save
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.stored import store_decision

from helpers.decisions import answering
from helpers.detectors import opinionated
from helpers.hub_server import OWNER

NAME = f"{OWNER}/mini-detector"


def lead_to(url, folder, monkeypatch):
    """Send the Hub's real client to a stand-in, or to nobody, with an empty cache in a folder and no token; what it
    read from the environment when it was imported is set as if it read it now. Its pauses are left out."""
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def small(folder, seed=0):
    torch.manual_seed(seed)
    detector = opinionated(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=64, crop_size=64)))
    detector.decision = Decision(0.4, 1.3, {"brightness": (100.0, None)}, ("made by hand",))
    return save(detector, folder / "best").parent


def liken(folder):
    """Give a stored detector a likeness, and a decision that refuses by it; the likeness."""
    detector = load_detector(folder)
    crops = torch.randint(0, 256, (24, 3, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    likeness = fit_likeness(features(detector, [crops]))
    store_decision(folder, answering(0.4, ranges={"distance": (None, 2.5)}), likeness)
    return likeness


def contents(run):
    """The files of a detector, as a repository would hold them."""
    return {path.name: path.read_bytes() for path in (run / "best").iterdir() if path.suffix != ".txt"}


def published(server, branch="main"):
    repository = server.repositories[NAME]
    files = dict(repository.commits[repository.branches[branch]])
    files.pop(".gitattributes", None)
    return files


def probabilities(folder):
    crops = torch.randint(0, 256, (4, 3, 64, 64), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    return load_detector(folder).probability(crops)


def fails(call, *arguments, **options):
    """The one line that a call ends with."""
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cached_files(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and ".locks" not in path.parts]
