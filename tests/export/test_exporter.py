import dataclasses
import hashlib
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchfakes_utils.cli import main
from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.export import check, executorch_format, onnx_format
from torchfakes_utils.export import exporter as stage
from torchfakes_utils.export import graph as export_graph
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.exporter import export, load_network
from torchfakes_utils.export.mtcnn_numpy import FaceNetworks
from torchfakes_utils.export.parity import Checked, Parity, why_refused
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import light, variance_of_laplacian
from torchfakes_utils.models.decision import LIMITS, Decision
from torchfakes_utils.models.detector import Detector, DetectorConfig, load, save
from torchfakes_utils.models.preprocessing import Preprocessing

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SIZE = 64
DECISION = Decision(0.4, 1.7, {"face": (30.0, None), "brightness": (20.0, 200.0)})


def build(architecture="Meso4", size=SIZE, crop_size=SIZE, seed=0):
    """A detector on random weights, of which the batch norms have met something."""
    torch.manual_seed(seed)
    spread = (127.5, 128.0) if architecture == "InceptionResnetV1" else (0.0, 255.0)
    detector = Detector(DetectorConfig(architecture, None, 0.0, Preprocessing(size, *spread, 1.3, crop_size)))
    with torch.no_grad():
        for part in detector.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                part.running_mean.uniform_(-0.2, 0.2)
                part.running_var.uniform_(0.5, 2)
                part.weight.uniform_(0.5, 1.5)
    detector.decision = DECISION
    return detector.eval()


def logits_of(detector, crops):
    with torch.inference_mode():
        return detector(detector.preprocessing.normalise(torch.as_tensor(crops))).numpy()


def noise(count, size=SIZE, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def teach(detector, crops, labels, steps=80):
    """Let a detector tell these crops apart, by far: random weights would make each rounding count."""
    images, wanted = detector.preprocessing.normalise(torch.from_numpy(crops)), torch.tensor(labels.tolist()).float()
    optimiser = torch.optim.Adam(detector.parameters(), 3e-3)
    detector.train()
    for _ in range(steps):
        optimiser.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(detector(images), wanted).backward()
        optimiser.step()
    detector.eval()


def crops_of(faces):
    return torch.stack([read_crop(file) for file in faces["file"]]).numpy()


@pytest.fixture(scope="module")
def run(tiny_faces, tmp_path_factory):
    """A run near its table, as people have it: project/runs/one and project/data/tiny/faces."""
    project = tmp_path_factory.mktemp("project")
    faces = project / "data/tiny/faces"
    shutil.copytree(tiny_faces, faces)
    table = load_faces(faces / "faces.csv")
    detector = build()
    teach(detector, crops_of(table), table["label"].to_numpy())
    folder = project / "runs/one"
    save(detector, folder / "best")
    known = {"faces_sha256": hashlib.sha256((faces / "faces.csv").read_bytes()).hexdigest()}
    (folder / "config.json").write_text(json.dumps(known))
    return folder


@pytest.fixture(scope="module")
def table(run):
    return run.parents[1] / "data/tiny/faces/faces.csv"


@pytest.fixture(scope="module")
def exported(run):
    """The folder of an ONNX export, and what was said of it."""
    made = export(run)
    return made.folder, made


@pytest.fixture
def quick(exported, monkeypatch):
    """The face networks are copied, where they are not what a test is about."""

    def copy(folder):
        names = [f"{name}.onnx" for name in export_graph.FACE_NETWORKS]
        return {name.removesuffix(".onnx"): shutil.copy(exported[0] / name, folder / name) for name in names}

    monkeypatch.setattr(onnx_format, "export_face_networks", copy)


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- what is in the folder


def test_a_run_is_exported_whole_and_checked_on_its_test_crops(run, table, exported):
    folder, made = exported
    assert folder == run / "export" / "onnx"
    assert {path.name for path in folder.iterdir()} == {
        "detector.fp32.onnx", "detector.int8.onnx", "pnet.onnx", "rnet.onnx", "onet.onnx", "detector.json",
        "parity.json", "parity.md",
    }  # fmt: skip
    known = json.loads((folder / "parity.json").read_text())
    assert known == made.to_json() and known["refused"] == {} and known["rejected"] == [] and known["threads"] == 1
    assert set(known["face_networks"]) == {"pnet", "rnet", "onet"} and max(known["face_networks"].values()) < 1e-5

    test = load_faces(table, "test")
    crops, detector = crops_of(test), load(run)
    own = logits_of(detector, crops)
    for one in known["files"]:
        path = folder / one["file"]
        theirs = load_network(path)(crops)
        assert one["megabytes"] == path.stat().st_size / 1e6
        assert (one["crops"], one["clips"]) == (len(test), len(test.drop_duplicates(["clip_id", "method"])))
        assert one["max_logit_difference"] == pytest.approx(np.abs(theirs - own).max(), abs=1e-6)
        assert one["auc"]["crop"] == pytest.approx(roc_auc_score(test["label"], theirs))
        assert one["auc_detector"]["crop"] == pytest.approx(roc_auc_score(test["label"], own))
        assert one["auc"]["clip"] == 1
        assert one["points"]["crop"] == pytest.approx(100 * (one["auc"]["crop"] - one["auc_detector"]["crop"]))
        called = [values / 1.7 >= np.log(0.4 / 0.6) for values in (theirs, own)]
        assert one["agreement"] == np.mean(called[0] == called[1])
        assert one["speedup"] == pytest.approx(one["milliseconds_detector"] / one["milliseconds"])
    fp32, int8 = known["files"]
    assert (fp32["precision"], int8["precision"]) == ("fp32", "int8")
    assert fp32["max_logit_difference"] <= 1e-3 < int8["max_logit_difference"]  # rounded to 256 levels, and it shows
    page = (folder / "parity.md").read_text()
    assert "| detector.int8.onnx |" in page and f"{len(test)} test crops" in page and "1 thread." in page


def test_the_description_travels_in_the_file_and_beside_it(run, exported):
    folder, _ = exported
    detector = load(run)
    beside = json.loads((folder / "detector.json").read_text())
    for precision in ("fp32", "int8"):
        inside = load_network(folder / f"detector.{precision}.onnx").description
        assert inside["precision"] == precision
        assert {name: value for name, value in inside.items() if name != "precision"} == {
            name: value for name, value in beside.items() if name != "precision"
        }
    assert beside["precision"] == "fp32 and int8"
    assert beside["source"] == {"architecture": "Meso4", "weights_sha256": detector.sha256}
    assert beside["input"]["shape"] == ["B", 3, SIZE, SIZE] and beside["preprocessing"]["crop_scale"] == 1.3
    decision = beside["decision"]
    assert (decision["threshold"], decision["temperature"]) == (0.4, 1.7)
    assert decision["ranges"] == {"face": [30.0, None], "brightness": [20.0, 200.0]}
    # Enough to say "cannot tell" without this package: an order, measures and words for every quality.
    assert decision["order"] == list(LIMITS)
    assert set(decision["measures"]) == set(decision["words"]) == set(LIMITS)
    assert decision["words"]["face"] == ["too small", None]
    assert decision["words"]["brightness"] == ["too dark", "too bright"]
    assert set(beside["made_with"]) >= {"torch", "onnxruntime"}


def by_description(crop):
    """Qualities of a crop (H, W, 3) in plain arithmetic, as `decision.measures` and docs/phone.md say."""
    luma = crop.astype(float) @ [0.299, 0.587, 0.114]
    some, grey = luma[::2, ::2], np.pad(np.rint(luma), 1, mode="reflect")
    edges = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return {"brightness": some.mean(), "contrast": some.std(), "sharpness": edges.var()}


def test_what_the_description_says_of_measures_is_how_they_are_measured(portraits):
    for portrait in portraits:
        crop = portrait[10:170, 20:180]
        brightness, contrast = light(crop.transpose(2, 0, 1)[None])
        expected = {"brightness": brightness[0], "contrast": contrast[0], "sharpness": variance_of_laplacian(crop)}
        for name, value in by_description(crop).items():
            assert value == pytest.approx(expected[name], rel=0.01), name


@pytest.mark.parametrize(("edge", "size"), [(231, 160), (97, 160)])
def test_what_the_description_says_of_the_crop_is_how_it_is_cut(portraits, edge, size):
    """The square by hand, as in docs/phone.md: by areas where it shrinks, bicubic with a = -0.75 where it grows."""
    box = np.array([-20.0, 30.0, -20 + edge / 1.3, 30 + edge / 1.5])  # reaches over the left edge
    crop, square = square_crop(portraits[0], box, 1.3, size)
    edge = max(1, round(1.3 * (box[2:] - box[:2]).max()))
    left, top = (round((low + high - edge) / 2) for low, high in zip(box[:2], box[2:], strict=True))
    assert square == (left, top, left + edge, top + edge)
    rows, columns = (np.clip(np.arange(edge) + start, 0, len(portraits[0]) - 1) for start in (top, left))
    weights = np.zeros((size, edge))
    for new in range(size):
        if edge > size:
            start, stop = new * edge / size, (new + 1) * edge / size
            covered = np.clip(np.minimum(stop, np.arange(edge) + 1) - np.maximum(start, np.arange(edge)), 0, None)
            weights[new] = covered * size / edge
            continue
        place, a = (new + 0.5) * edge / size - 0.5, -0.75
        for old in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            d = abs(place - old)
            near = ((a + 2) * d - (a + 3)) * d * d + 1
            weights[new, np.clip(old, 0, edge - 1)] += near if d <= 1 else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    by_hand = np.einsum("yr,rcd,xc->yxd", weights, portraits[0][rows][:, columns].astype(float), weights, optimize=True)
    assert np.abs(np.clip(np.rint(by_hand), 0, 255) - crop).max() <= 1


def test_the_recipe_for_phones_names_the_bounds_that_there_are():
    text = (Path(__file__).parents[2] / "docs/phone.md").read_text(encoding="utf-8")
    assert f"B from 1 to {executorch_format.BATCH};" in text and f"N from 1 to {executorch_format.PATCHES} |" in text
    assert f"H and W from {executorch_format.LEAST_EDGE} to {executorch_format.MOST_EDGE} |" in text


def test_the_graph_holds_normalisation_and_temperature_and_takes_any_batch(run, exported):
    folder, _ = exported
    session = onnx_format.open_session(folder / "detector.fp32.onnx")
    for count in (1, 2, 5):
        crops = noise(count)
        logit, probability = session.run(["logit", "probability_fake"], {"crops": crops})
        assert logit.shape == probability.shape == (count,)
        assert np.allclose(logit, logits_of(load(run), crops), rtol=0, atol=1e-5)
        assert np.allclose(probability, 1 / (1 + np.exp(-logit / 1.7)), rtol=0, atol=1e-6)
    names = [node.op_type for node in __import__("onnx").load(folder / "detector.fp32.onnx").graph.node]
    assert names[0] == "Cast" and names[-1] == "Sigmoid"


def test_int8_computes_in_integers_but_at_both_ends(exported):
    import onnx

    folder, _ = exported
    graph = onnx.load(folder / "detector.int8.onnx").graph
    made_by = {output: node for node in graph.node for output in node.output}
    weights = [made_by.get(node.input[1]) for node in graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    integers = [node is not None and node.op_type == "DequantizeLinear" for node in weights]
    assert integers == [False] + [True] * (len(weights) - 2) + [False]


@pytest.mark.parametrize("architecture", ["InceptionResnetV1", "MesoInception4"])
def test_other_architectures(architecture, tmp_path):
    detector = build(architecture, 80)
    path = onnx_format.export_detector(detector, tmp_path / "detector.fp32.onnx")
    crops = noise(3, 80)
    assert np.allclose(load_network(path)(crops), logits_of(detector, crops), rtol=0, atol=1e-5)
    import onnx

    kinds = [node.op_type for node in onnx.load(path).graph.node]
    if architecture == "InceptionResnetV1":  # there every batch norm follows a convolution
        assert "BatchNormalization" not in kinds
    assert load_network(path).description["source"]["architecture"] == architecture


# --- what is refused


def absurd(crops):
    """Crops to calibrate on that are all black: every other value is then out of range."""
    return np.zeros((4, *crops.shape[1:]), np.uint8)


def test_int8_that_answers_otherwise_is_refused_and_float32_stays(run, quick, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(onnx_format, "calibration_set", absurd)
    out = tmp_path / "onnx"
    with pytest.raises(InputError) as caught:
        export(run, ExportConfig(out=out))
    text = str(caught.value)
    assert "detector.int8.onnx is refused" in text and "points lower" in text and "\n" not in text
    assert (out / "detector.fp32.onnx").is_file() and not (out / "detector.int8.onnx").exists()
    known = json.loads((out / "parity.json").read_text())
    assert set(known["refused"]) == {"int8"} and known["refused"]["int8"] in text
    assert [one["precision"] for one in known["files"]] == ["fp32"]
    assert known["rejected"][0]["points"]["crop"] < -0.5
    assert "detector.int8.onnx (refused)" in (out / "parity.md").read_text()
    # The command says the same, and ends with "some of it is done".
    assert main.main(["export", str(run), "--out", str(out), "--json"]) == 1
    shown = capsys.readouterr()
    assert json.loads(shown.out)["refused"] == known["refused"] and "is refused" in shown.err


def test_int8_alone_that_is_refused_leaves_what_was_there(run, quick, exported, tmp_path, monkeypatch):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)
    monkeypatch.setattr(onnx_format, "calibration_set", absurd)
    with pytest.raises(InputError, match="is refused"):
        export(run, ExportConfig(precisions=("int8",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_a_float32_file_that_answers_otherwise_is_refused(run, quick, exported, tmp_path, monkeypatch):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)
    right = export_graph.WholeDetector.forward

    def off(self, crops):
        logit, probability = right(self, crops)
        return logit + 0.002, probability

    monkeypatch.setattr(export_graph.WholeDetector, "forward", off)
    with pytest.raises(InputError, match="differs from the detector's by 0.002, and 0.001 is the most"):
        export(run, ExportConfig(precisions=("fp32",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def parity(**changes):
    usual = Parity(
        "detector.int8.onnx", "int8", 1.0, 100, 10, 0.2, 0.1, {"crop": 0.9, "clip": 0.9}, {"crop": 0.9, "clip": 0.9},
        {"crop": 0.0, "clip": 0.0}, 1.0, 1.0, 4.0, 4.0,
    )  # fmt: skip
    return dataclasses.replace(usual, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ""),
        ({"points": {"crop": -0.5, "clip": -9.0}}, ""),  # by crop it counts
        ({"points": {"crop": 3.0, "clip": 3.0}}, ""),
        ({"points": {"crop": -0.51, "clip": 0.0}}, "0.51 points lower"),
        ({"points": {"crop": None, "clip": None}}, "cannot be measured"),
        ({"max_logit_difference": float("nan")}, "no numbers"),
        ({"precision": "fp32", "max_logit_difference": 1e-3}, ""),
        ({"precision": "fp32", "max_logit_difference": 1.1e-3}, "0.0011"),
        ({"precision": "fp32", "max_logit_difference": float("inf")}, "no numbers"),
    ],
)
def test_the_limits(changes, words):
    why = why_refused(parity(**changes))
    assert words in why and bool(why) == bool(words) and "\n" not in why


def test_figures_that_are_no_numbers_can_be_written_as_json(tmp_path):
    checked = Checked(rejected=[parity(max_logit_difference=float("nan"))], folder=tmp_path)
    assert json.loads(json.dumps(checked.to_json(), allow_nan=False))["rejected"][0]["max_logit_difference"] is None


def test_latencies_are_taken_in_turn_and_their_median_counts(monkeypatch):
    clock, calls = [0.0], []

    def network(name, seconds):
        def run(crop):
            calls.append(name)
            clock[0] += seconds * (50 if len(calls) % 10 < 2 else 1)  # now and then something else takes the machine
            return crop

        return run

    monkeypatch.setattr(check.time, "perf_counter", lambda: clock[0])
    times = check.latencies({"slow": network("slow", 0.04), "fast": network("fast", 0.01)}, noise(3, 8))
    assert times == pytest.approx({"slow": 40.0, "fast": 10.0})
    assert calls[:4] == ["slow", "fast", "slow", "fast"]


# --- whole or not at all


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), RuntimeError("odd")])
def test_a_failure_on_the_way_leaves_the_export_that_was_there(run, quick, exported, tmp_path, monkeypatch, error):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(stage, "_write_texts", fail)  # the last step
    with pytest.raises(InputError if isinstance(error, OSError) else type(error)):
        export(run, ExportConfig(precisions=("fp32",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_what_a_killed_run_left_is_cleared_up(run, exported, tmp_path):
    """Killed between moving the old export away and the new one in, and while filling a folder."""
    shutil.copytree(exported[0], tmp_path / ".onnx.old")
    (tmp_path / ".onnx.fresh").mkdir()
    (tmp_path / ".onnx.fresh/pnet.onnx").write_bytes(b"half")
    out = tmp_path / "onnx"
    with pytest.raises(RuntimeError):
        stage._replace(out, lambda folder: (_ for _ in ()).throw(RuntimeError("odd")))
    assert files_in(out) == files_in(exported[0]) and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_an_export_replaces_the_one_before_as_a_whole(exported, tmp_path):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    stage._replace(out, lambda folder: (folder / "parity.json").write_text("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"] and files_in(out) == {"parity.json": b"new"}


def test_a_folder_with_other_things_is_left_alone(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="left alone"):
        export(run, ExportConfig(out=tmp_path))
    with pytest.raises(InputError, match="a file"):
        export(run, ExportConfig(out=tmp_path / "thesis.tex"))
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


# --- where crops come from


def test_the_run_s_own_table_is_found_near_it_by_its_content(run, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert stage.find_faces(run) == table.resolve() and stage.find_faces(run / "best") == table.resolve()
    moved = tmp_path / "elsewhere/runs/one"
    shutil.copytree(run / "best", moved / "best")
    (moved / "config.json").write_text(json.dumps({"faces_sha256": "0" * 64}))
    shutil.copytree(table.parent, tmp_path / "elsewhere/data/tiny/faces")
    assert stage.find_faces(moved) is None  # a table, but not this one's
    (moved / "config.json").unlink()
    assert stage.find_faces(moved) is None


def test_without_a_table_float32_is_compared_on_generated_crops(run, quick, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run / "best", tmp_path / "far/away/best")
    with pytest.raises(InputError) as caught:
        export(tmp_path / "far/away")
    assert "--faces" in str(caught.value) and "\n" not in str(caught.value)
    made = export(tmp_path / "far/away", ExportConfig(precisions=("fp32",)))
    (one,) = made.files
    assert one.clips == 0 and one.auc == {"crop": None, "clip": None} and one.max_logit_difference <= 1e-3
    assert "generated crops" in caplog.text and "generated crops" in (made.folder / "parity.md").read_text()


def test_another_table_than_the_run_s_is_used_but_said(run, table, tmp_path, caplog):
    faces = tmp_path / "faces"
    shutil.copytree(table.parent, faces)
    with (faces / "faces.csv").open("a") as file:
        file.write("\n")
    data = stage._data(run, load(run), ExportConfig(faces=faces / "faces.csv"))
    assert "not the table that this run was trained on" in data.notes[0]
    assert stage._data(run, load(run), ExportConfig(faces=table)).notes == ()


def test_int8_is_calibrated_on_validation_crops_and_checked_on_test_crops(run, table):
    data = check.read_data(load(run), table)
    for name, crops in (("val", data.calibration), ("test", data.crops)):
        known = {crop.tobytes() for crop in crops_of(load_faces(table, name))}
        assert {crop.tobytes() for crop in crops} <= known
    assert len(data.crops) == len(data.faces) == 24 and set(data.faces["split"]) == {"test"}


def test_calibration_crops_are_spread_and_shown_with_more_contrast_too():
    crops = np.arange(200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 4), np.uint8)
    chosen = export_graph.calibration_set(crops)
    plain, strong = chosen[:64, 0, 0, 0].astype(int), chosen[64:, 0, 0, 0].astype(int)
    assert len(chosen) == 128 and plain[0] < 3 and plain[-1] > 196 and (np.diff(plain) > 0).all()
    assert (strong == np.clip((plain - 128) * 1.3 + 128, 0, 255).astype(int)).all()


# --- networks of a file


def test_a_file_runs_in_the_place_of_the_detector(run, exported, portraits, tmp_path):
    from PIL import Image

    from torchfakes_utils.inference.predictor import Predictor

    folder, _ = exported
    Image.fromarray(portraits[0]).save(tmp_path / "photo.png")
    predictor = Predictor.from_run(run, "cpu")
    expected = predictor.predict(tmp_path / "photo.png")
    other = Predictor.from_run(run, "cpu", network=load_network(folder / "detector.fp32.onnx", 1, predictor.detector))
    # Not one step of PyTorch's is left.
    other.face_detectors = [stage.load_face_detector(folder, one.config) for one in predictor.face_detectors]
    other.detector.forward = None
    found = other.predict(tmp_path / "photo.png")
    assert (found.verdict, len(found.faces)) == (expected.verdict, 1) and found.verdict != "cannot tell"
    assert found.probability_fake == pytest.approx(expected.probability_fake, abs=1e-3)
    assert found.faces[0].frames[0].box == pytest.approx(expected.faces[0].frames[0].box, abs=0.11)  # in tenths


def test_tensors_give_tensors_and_arrays_arrays_and_none_none(exported):
    network = load_network(exported[0] / "detector.fp32.onnx")
    crops = noise(40)  # more than go through at once
    as_array, as_tensor = network(crops), network(torch.from_numpy(crops))
    assert isinstance(as_array, np.ndarray) and isinstance(as_tensor, torch.Tensor)
    assert as_array.dtype == np.float32 and (as_tensor.numpy() == as_array).all() and as_array.shape == (40,)
    assert network(crops[:0]).shape == (0,)


def test_crops_as_they_are_cut_are_brought_to_size_as_the_detector_does(tmp_path):
    detector = build(size=48, crop_size=72)
    network = load_network(onnx_format.export_detector(detector, tmp_path / "detector.onnx"), detector=detector)
    crops = noise(3, 72)
    expected = logits_of(detector, detector.preprocessing.resize(torch.from_numpy(crops)))
    assert np.allclose(network(crops), expected, rtol=0, atol=1e-5)


def test_foreign_files_are_refused_in_one_line(exported, tmp_path, run):
    folder, _ = exported
    (tmp_path / "noise.onnx").write_bytes(b"no model")
    (tmp_path / "detector.txt").write_text("")
    cases = [
        (folder / "pnet.onnx", "not a torchfakes detector"),
        (tmp_path / "noise.onnx", "not an ONNX model"),
        (tmp_path / "gone.onnx", "no such file"),
        (tmp_path / "detector.txt", "neither .onnx nor .pte"),
    ]
    for path, words in cases:
        with pytest.raises(InputError, match=words) as caught:
            load_network(path)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a torchfakes face network"):
        onnx_format.face_callable(folder / "detector.fp32.onnx")
    with pytest.raises(InputError, match="made from other weights"):
        load_network(folder / "detector.fp32.onnx", detector=build(seed=1))


def test_the_command_refuses_a_network_of_other_weights(exported, tmp_path, portraits, capsys):
    from PIL import Image

    save(build(seed=1), tmp_path / "other/best")
    Image.fromarray(portraits[0]).save(tmp_path / "photo.png")
    network = str(exported[0] / "detector.fp32.onnx")
    assert main.main(["predict", str(tmp_path / "other"), str(tmp_path / "photo.png"), "--network", network]) == 2
    shown = capsys.readouterr()
    assert "made from other weights" in shown.err and shown.out == ""


# --- the command


def test_the_command_prints_a_table_or_one_object(run, quick, tmp_path, capsys):
    arguments = ["export", str(run), "--precision", "fp32", "--out", str(tmp_path / "onnx")]
    assert main.main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["path"] == str(tmp_path / "onnx") and printed["format"] == "onnx"
    assert [one["file"] for one in printed["files"]] == ["detector.fp32.onnx"]
    assert main.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("file") and lines[1].startswith("detector.fp32.onnx") and len(lines) == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [(["--format", "coreml"], "onnx, executorch, web"), (["--precision", "fp16"], "fp32, int8")],
)
def test_unknown_choices_are_one_line(run, options, words, capsys):
    assert main.main(["export", str(run), *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("package", "kind", "words"),
    [
        ("onnx", "onnx", "torchfakes[export]"),
        ("onnxscript", "onnx", "torchfakes[export]"),
        ("onnxruntime", "onnx", "torchfakes[export]"),
        ("executorch.exir", "executorch", "torchfakes[phone]"),
    ],
)
def test_a_missing_extra_is_one_line(run, tmp_path, monkeypatch, package, kind, words):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        export(run, ExportConfig(kind, ("fp32",), out=tmp_path / "out"))
    assert words in str(caught.value) and "\n" not in str(caught.value) and not list(tmp_path.iterdir())


# --- ExecuTorch


@pytest.fixture(scope="module")
def programs(run, tmp_path_factory):
    pytest.importorskip("executorch")
    return export(run, ExportConfig("executorch", out=tmp_path_factory.mktemp("programs") / "out"))


def test_programs_run_and_answer_as_the_detector_does(run, table, programs):
    from executorch.runtime import Runtime

    folder, detector = programs.folder, load(run)
    assert {path.suffix for path in folder.iterdir()} == {".pte", ".json", ".md"}
    fp32, int8 = programs.files
    assert fp32.max_logit_difference <= 1e-3 < int8.max_logit_difference and int8.points["crop"] >= -0.5
    program = Runtime.get().load_program(folder / "detector.fp32.pte")
    assert program.load_method("threshold").execute([]) == [0.4] and program.load_method("size").execute([]) == [SIZE]
    described = json.loads(program.load_method("torchfakes").execute([])[0])
    assert described["source"]["weights_sha256"] == detector.sha256 and "executorch" in described["made_with"]
    forward = program.load_method("forward")
    for count in (1, 3, executorch_format.BATCH):
        crops = noise(count)
        logit, probability = forward.execute([torch.from_numpy(crops)])
        assert np.allclose(logit.numpy(), logits_of(detector, crops), rtol=0, atol=1e-4)
        assert np.allclose(probability.numpy(), 1 / (1 + np.exp(-logit.numpy() / 1.7)), rtol=0, atol=1e-6)
    test = crops_of(load_faces(table, "test"))
    network = load_network(folder / "detector.int8.pte", detector=detector)
    assert len(test) > executorch_format.BATCH
    assert np.abs(network(test) - logits_of(detector, test)).max() == pytest.approx(int8.max_logit_difference, abs=1e-4)


def test_programs_find_the_faces_that_the_original_finds(programs, portraits):
    from torchfakes_utils.faces.detection import FaceDetector

    ours, original = stage.load_face_detector(programs.folder), FaceDetector("cpu")
    for portrait in portraits:
        (found,), (expected,) = ours.detect([portrait]), original.detect(portrait[None])
        assert len(found) == len(expected) == 1 and np.allclose(found.boxes, expected.boxes, rtol=0, atol=0.01)


@pytest.mark.parametrize("count", [1, 2, 3, 64, 65])
def test_programs_of_face_networks_take_any_number_of_patches(programs, count):
    callables = FaceNetworks(*(executorch_format.face_callable(programs.folder / f"{name}.pte") for name in
                               export_graph.FACE_NETWORKS))  # fmt: skip
    networks = export_graph.face_networks()
    for name in ("rnet", "onet"):
        pixels = export_graph.face_example(name, count)
        with torch.inference_mode():
            expected = networks[name](pixels)
        for value, own in zip(getattr(callables, name)(pixels.numpy()), expected, strict=True):
            assert np.allclose(value, own.numpy(), rtol=0, atol=1e-4)
    for shape in ((13, 13), (14, 40), (81, 640)):
        pixels = np.random.default_rng(0).uniform(-1, 1, (1, 3, *shape)).astype(np.float32)
        with torch.inference_mode():
            expected = networks["pnet"](torch.from_numpy(pixels))
        assert np.allclose(callables.pnet(pixels)[0], expected[0].numpy(), rtol=0, atol=1e-4)
    with pytest.raises(InputError, match="up to 640 px"):
        callables.pnet(np.zeros((1, 3, 20, 641), np.float32))


def test_foreign_programs_are_refused_in_one_line(programs, tmp_path):
    (tmp_path / "noise.pte").write_bytes(b"no program" * 100)
    cut = (programs.folder / "detector.fp32.pte").read_bytes()
    (tmp_path / "cut.pte").write_bytes(cut[: len(cut) // 2])
    cases = {"noise.pte": "not an ExecuTorch program", "cut.pte": "not an ExecuTorch program", "no.pte": "no such file"}
    for name, words in cases.items():
        with pytest.raises(InputError, match=words):
            load_network(tmp_path / name)
    with pytest.raises(InputError, match="not a torchfakes detector"):
        load_network(programs.folder / "rnet.pte")
