"""The small network that a phone can carry: EfficientNet-Lite0 by every way out of Python, in 8 bits under 5 MB."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.export import web_page
from torchfakes_utils.export.config import FP32, INT8, ExportConfig
from torchfakes_utils.export.description import describe
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.onnx_format import OnnxRuntime
from torchfakes_utils.export.parity import Exported
from torchfakes_utils.export.runtimes import load_network
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.models.architectures import LITE0, architecture
from torchfakes_utils.models.detector import DetectorConfig, features, load_detector
from torchfakes_utils.models.likeness import fit_likeness
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.pretrained import build_detector

from helpers.browser import require_package
from helpers.decisions import answering
from helpers.export import DECISION, crops_of, logits_of, noise, run_beside_its_table
from helpers.web import judged, opened, passed, people, png

MOST_MEGABYTES = 5.0


def lite0(size, crop_size):
    """From ImageNet, as the recipe for a CPU begins."""
    wanted = architecture(LITE0).input
    preprocessing = Preprocessing(size, wanted.mean, wanted.std, crop_size=crop_size)
    detector, _ = build_detector(DetectorConfig(LITE0, "imagenet", preprocessing=preprocessing))
    return detector.eval()


@pytest.fixture(scope="module")
def small_run(tiny_faces, tmp_path_factory):
    """A run near its table whose network was fine-tuned on the table's crops."""
    detector = lite0(64, 64)
    detector.decision = DECISION
    return run_beside_its_table(detector, tiny_faces, tmp_path_factory.mktemp("lite0"), steps=30)


def check_files(made, run, suffix):
    """What a file is said to be, it is: its size, and its AUC on the test crops beside the detector's own."""
    assert made.refused == {} and [one.precision for one in made.files] == ["fp32", "int8"]
    test = load_faces(run.parents[1] / "data/tiny/faces/faces.csv", "test")
    crops, labels = crops_of(test), test["label"]
    own = logits_of(load_detector(run), crops)
    for one in made.files:
        path = made.folder / f"detector.{one.precision}{suffix}"
        theirs = load_network(path)(crops)[:, 0]
        assert one.auc["crop"] == pytest.approx(roc_auc_score(labels, theirs))
        assert one.auc_detector["crop"] == pytest.approx(roc_auc_score(labels, own))
        assert one.max_logit_difference == pytest.approx(np.abs(theirs - own).max(), abs=1e-4)
        assert one.megabytes == path.stat().st_size / 1e6
    fp32, int8 = made.files
    assert fp32.max_logit_difference <= 1e-3 < int8.max_logit_difference
    assert int8.megabytes < MOST_MEGABYTES and 2.5 * int8.megabytes < fp32.megabytes
    assert int8.points["crop"] >= -0.5 and roc_auc_score(labels, own) > 0.9


@pytest.mark.slow
def test_onnx_in_32_and_8_bits(small_run, exported, quick, tmp_path):
    made = export_run(small_run, ExportConfig(out=tmp_path / "onnx"))
    check_files(made, small_run, ".onnx")
    assert load_network(made.folder / "detector.int8.onnx").description["preprocessing"]["mean"] == 127.5
    check_integers(made.folder / "detector.int8.onnx")


def check_integers(path):
    """In float32 are the classifier and, without a gap, the layers that hold the first eighth of the weights."""
    import onnx

    graph = onnx.load(path).graph
    made_by = {output: node for node in graph.node for output in node.output}
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    weights = []
    for node in graph.node:
        if node.op_type in ("Conv", "Gemm"):
            source = made_by.get(node.input[1])
            weights.append((source is not None, math.prod(shapes[(source or node).input[0 if source else 1]])))
    integers, sizes = (list(column) for column in zip(*weights, strict=True))
    first = integers.index(True)
    assert integers == [False] * first + [True] * (len(integers) - first - 1) + [False]
    assert sum(sizes[:first]) <= sum(sizes) / 8 < sum(sizes[: first + 1]) and first > 20


@pytest.mark.slow
def test_an_8_bit_file_that_answers_otherwise_is_refused(small_run, exported, quick, tmp_path, monkeypatch):
    """As small as it should be, and of the right shape; but its classifier was never trained."""
    really = OnnxRuntime.export_int8

    def forgetful(self, detector, crops, path, fp32=None):
        worse = copy.deepcopy(detector)
        with torch.no_grad():
            worse.classifier.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
        return really(self, worse, crops, path)

    monkeypatch.setattr(OnnxRuntime, "export_int8", forgetful)
    made = export_run(small_run, ExportConfig(out=tmp_path / "onnx"))
    assert "points lower" in made.refused["int8"] and not (tmp_path / "onnx" / "detector.int8.onnx").exists()
    assert [one.precision for one in made.files] == ["fp32"]


@pytest.mark.slow
def test_executorch_in_32_and_8_bits(small_run, tmp_path):
    require_package("executorch")
    made = export_run(small_run, ExportConfig("executorch", out=tmp_path / "programs"))
    check_files(made, small_run, ".pte")


@pytest.mark.slow
@pytest.mark.parametrize("size", [128, 160, 224])
def test_at_every_size_that_it_is_trained_at(size, tmp_path):
    detector = lite0(size, max(160, size))
    with torch.no_grad():
        detector.classifier.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
    path = OnnxRuntime().export_detector(detector, tmp_path / "detector.fp32.onnx")
    crops = noise(2, size)
    assert np.allclose(load_network(path)(crops)[:, 0], logits_of(detector, crops), rtol=0, atol=1e-3)


@pytest.mark.browser
@pytest.mark.parametrize("precision", [FP32, INT8])
def test_the_web_page_says_what_predict_says(precision, chromium, package, portraits, tmp_path, monkeypatch):
    """At the recipe's size, 128 px, from crops that are cut at 160, in the network's own range."""
    detector = lite0(128, 160)
    photos = [png(one) for one in people(portraits)]
    predictor = Predictor(detector, "cpu")
    crops = [crop for one in photos for crop in predictor.examine(one).crops.values()]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        detector.classifier.weight.normal_(0, 0.1, generator=torch.Generator().manual_seed(0))
        detector.classifier.bias -= detector.logits(images).mean()
        spread = float(detector.logits(images).std())
    detector.decision = answering(0.5, spread / 2, {"sharpness": (1.0, None)})
    detector.likeness = fit_likeness(features(detector, [images] * 4))
    site = tmp_path / "site"
    site.mkdir()
    model = site / f"detector.{precision}.onnx"
    if precision == INT8:
        OnnxRuntime().export_int8(detector, detector.preprocessing.resize(images).numpy(), model)
        predictor = Predictor(detector, "cpu", network=load_network(model))
    else:
        OnnxRuntime().export_detector(detector, model)
    OnnxRuntime().export_face_networks(site)
    (site / "detector.json").write_text(json.dumps(describe(detector, precision, OnnxRuntime.packages)))
    monkeypatch.setenv("TORCHFAKES_CACHE", str(package.parent))
    web_page.write_web(tmp_path / "no run", site, detector, Exported([passed(precision)]))
    found, most = [], 0.03 if precision == FP32 else 0.1  # other processors round otherwise, and a hair becomes a step
    with opened(chromium, site) as page:
        for photo in photos:
            ours, its = predictor.predict(photo).to_json(), judged(page, photo, "a photo")
            (one,), (other,) = its["faces"], ours["faces"]
            found.append(other["frames"][0]["probability_fake"])
            assert one["frames"][0]["distance"] == pytest.approx(other["frames"][0]["distance"], rel=most)
            assert one["frames"][0]["probability_fake"] == pytest.approx(found[-1], abs=most)
    assert max(found) - min(found) > 0.3  # they would differ, were anything otherwise on the way
