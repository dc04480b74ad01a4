"""A run with its table and its export; the web page's modules, runtime and a whole page."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export import web_page, web_runtime
from torchfakes_utils.export.description import describe
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.face_networks import FACE_NETWORKS
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.metrics.band import MOST_FACES, Band, Rate
from torchfakes_utils.models.decision import DISTANCE, Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig, features
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.scope import Scope

from helpers.browser import require, require_package
from helpers.detectors import opinionated
from helpers.export import build, run_beside_its_table
from helpers.web import FP32_ONLY, TEMPLATES, people, png

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def packages():
    """What the extra "export" brings."""
    for name in OnnxRuntime.packages:
        require_package(name)


@pytest.fixture(scope="session")
def run(tiny_faces, tmp_path_factory):
    """A run near its table."""
    return run_beside_its_table(build(), tiny_faces, tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="session")
def table(run):
    return run.parents[1] / "data/tiny/faces/faces.csv"


@pytest.fixture(scope="session")
def exported(run):
    """The folder of an ONNX export, and what was said of it."""
    made = export_run(run)
    return made.folder, made


@pytest.fixture
def quick(exported, monkeypatch):
    """The face networks are copied, where they are not what a test is about."""

    def copy(self, folder):
        names = [f"{name}.onnx" for name in FACE_NETWORKS]
        return {name.removesuffix(".onnx"): shutil.copy(exported[0] / name, folder / name) for name in names}

    monkeypatch.setattr(OnnxRuntime, "export_face_networks", copy)


@pytest.fixture(scope="session")
def modules(tmp_path_factory) -> Path:
    """Our modules where node takes them for modules."""
    folder = tmp_path_factory.mktemp("modules")
    for path in TEMPLATES.glob("*.js"):
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


@pytest.fixture(scope="session")
def package(tmp_path_factory) -> Path:
    """The runtime's package, fetched once and kept beside what else is built."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHFAKES_CACHE", str(ROOT / "build" / "cache"))
        try:
            return web_runtime.fetch_package()
        except InputError as error:
            return require(None, f"onnxruntime-web ({error})")


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("TORCHFAKES_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def detector(portraits) -> Detector:
    """A small network whose answers to the test's photos are fake, real and neither."""
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig("Meso4", None, None, Preprocessing(size=128)))
    predictor = Predictor(detector, "cpu")
    crops = [crop for one in people(portraits) for crop in predictor.examine(png(one)).crops.values()]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    last = [module for module in detector.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.bias -= detector.logits(images).mean()
    logits = detector.logits(images).sort().values
    # Spread out, and with the thresholds in the widest gaps: no photo shall be called otherwise for a hair's breadth.
    decision = Decision(temperature=float(logits.std() / 2))
    gaps = (logits[1:] - logits[:-1]).topk(2).indices.sort().values
    middles = torch.stack([logits[gap : gap + 2].mean() for gap in gaps])
    real_to, fake_from = decision.probability(middles.numpy()).tolist()
    rates = Rate(0.05, 0.01, 0.14, 2, 40, 20), Rate(0.02, 0.0, 0.11, 1, 50, 25)
    photo = Band((fake_from,) * MOST_FACES, real_to, *rates, 0.1, 0.2)
    ranges = {"face": (40.0, None), "brightness": (40.0, 220.0), "contrast": (5.0, None), "sharpness": (5.0, None)}
    detector.decision = Decision(
        0.5, decision.temperature, ranges, photo=photo, film=photo, scope=Scope("Portraits", ("Deepfakes",), ("c23",))
    )
    detector.likeness = fit_likeness(features(detector, [images] * 4))
    # Of the test's photos, no face that can be judged otherwise is refused for its distance: see test_web_verdicts.py.
    farthest = float(detector.answers(detector.preprocessing.apply(images))[:, 1].max())
    detector.decision = dataclasses.replace(detector.decision, ranges=ranges | {DISTANCE: (None, 1000 * farthest)})
    return detector


@pytest.fixture(scope="session")
def site(tmp_path_factory, detector, package) -> Path:
    """The page, complete."""
    folder = tmp_path_factory.mktemp("web") / "site"
    folder.mkdir()
    OnnxRuntime().export_detector(detector, folder / "detector.fp32.onnx")
    OnnxRuntime().export_face_networks(folder)
    (folder / "detector.json").write_text(json.dumps(describe(detector, "fp32", OnnxRuntime.packages)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCHFAKES_CACHE", str(package.parent))
        web_page.write_web(folder / "no run", folder, detector, FP32_ONLY)
    return folder
