"""What lies in the folder of an export, what is refused, and that it is whole or not there."""

import copy
import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from torchfakes_utils.cli import main
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.errors import InputError
from torchfakes_utils.export import check, graph, onnx_format, parity
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.description import limit_of, use_limit
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.runtimes import load_network
from torchfakes_utils.models.decision import LIMITS
from torchfakes_utils.models.detector import load_detector

from helpers.export import SIZE, answers_of, crops_of, files_in

pytestmark = pytest.mark.slow  # an export takes some twenty seconds


def test_a_run_is_exported_whole_and_checked_on_its_test_crops(run, table, exported):
    folder, made = exported
    assert folder == run / "export" / "onnx"
    assert {path.name for path in folder.iterdir()} == {
        "detector.fp32.onnx", "detector.int8.onnx", "pnet.onnx", "rnet.onnx", "onet.onnx", "detector.json",
        "parity.json", "parity.md", "torchfakes.json",
    }  # fmt: skip
    known = json.loads((folder / "parity.json").read_text())
    assert known == made.to_json() and known["refused"] == {} and known["rejected"] == [] and known["threads"] == 1
    assert set(known["face_networks"]) == {"pnet", "rnet", "onet"} and max(known["face_networks"].values()) < 1e-5

    test = load_faces(table, "test")
    crops, detector = crops_of(test), load_detector(run)
    own, far = answers_of(detector, crops).T
    for one in known["files"]:
        path = folder / one["file"]
        theirs, distances = load_network(path)(crops).T
        assert one["megabytes"] == path.stat().st_size / 1e6
        assert (one["crops"], one["clips"]) == (len(test), len(test.drop_duplicates(["clip_id", "method"])))
        assert one["max_logit_difference"] == pytest.approx(np.abs(theirs - own).max(), abs=1e-6)
        assert one["auc"]["crop"] == pytest.approx(roc_auc_score(test["label"], theirs))
        assert one["auc_detector"]["crop"] == pytest.approx(roc_auc_score(test["label"], own))
        assert one["auc"]["clip"] == 1
        assert one["points"]["crop"] == pytest.approx(100 * (one["auc"]["crop"] - one["auc_detector"]["crop"]))
        called = [values / 1.7 >= np.log(0.4 / 0.6) for values in (theirs, own)]
        assert one["agreement"] == np.mean(called[0] == called[1])
        check_distances(one["distances"], distances, far, detector.decision.ranges["distance"][1])
        assert one["speedup"] == pytest.approx(one["milliseconds_detector"] / one["milliseconds"])
    fp32, int8 = known["files"]
    assert (fp32["precision"], int8["precision"]) == ("fp32", "int8")
    assert fp32["max_logit_difference"] <= 1e-3 < int8["max_logit_difference"]  # rounded to 256 levels, and it shows
    page = (folder / "parity.md").read_text()
    assert "| detector.int8.onnx |" in page and f"{len(test)} test crops" in page and "1 thread." in page


def check_distances(figures, theirs, own, limit):
    """What is said of distances, by these; the files may have another limit than the detector."""
    assert figures["limit_detector"] == limit and figures["limit"] == pytest.approx(limit, rel=0.2)
    assert figures["largest_difference"] == pytest.approx(np.abs(theirs / own - 1).max(), abs=1e-6)
    refused = theirs > figures["limit"], own > limit
    assert figures["refused"] == refused[0].mean() and figures["refused_detector"] == refused[1].mean()
    assert figures["turned"] == np.mean(refused[0] != refused[1])


def test_the_description_travels_in_the_file_and_beside_it(run, exported):
    folder, _ = exported
    detector = load_detector(run)
    beside = json.loads((folder / "detector.json").read_text())
    for precision in ("fp32", "int8"):
        inside = load_network(folder / f"detector.{precision}.onnx").description
        assert inside["precision"] == precision
        limit = inside["decision"]["ranges"]["distance"][1]
        assert beside["distance_limits"][precision] == limit
        assert {name: value for name, value in inside.items() if name not in ("precision", "decision")} == {
            name: value for name, value in beside.items() if name not in ("precision", "decision", "distance_limits")
        }
        inside["decision"]["ranges"]["distance"] = beside["decision"]["ranges"]["distance"]
        assert inside["decision"] == beside["decision"]
    assert beside["precision"] == "fp32 and int8"
    assert beside["source"] == {"architecture": "Meso4", "weights_sha256": detector.sha256}
    assert beside["input"]["shape"] == ["B", 3, SIZE, SIZE] and beside["preprocessing"]["crop_scale"] == 1.3
    decision = beside["decision"]
    assert (decision["threshold"], decision["temperature"]) == (0.4, 1.7)
    own = detector.decision
    assert decision["ranges"] == {name: list(ends) for name, ends in own.ranges.items()} and len(own.ranges) == 4
    # Enough to say "cannot tell" without this package: an order, measures and words for every quality.
    assert decision["order"] == list(LIMITS)
    assert set(decision["measures"]) == set(decision["words"]) == set(LIMITS)
    assert decision["words"]["face"] == ["too small", None]
    assert decision["words"]["brightness"] == ["too dark", "too bright"]
    # And to give one of three answers, with all that has to be said beside it.
    for name, band in (("photo", own.photo), ("film", own.film)):
        assert decision[name]["fake_from"] == list(band.fake_from) and decision[name]["real_to"] == band.real_to
        assert decision[name]["rate"] == {verdict: own.rate(verdict, band) for verdict in ("fake", "real")}
    assert decision["fewest_frames"] == 4 and decision["measures_distance"] and decision["silence"] == ""
    assert (decision["meaning"], decision["scope"]["line"]) == (own.meaning, own.scope.line)
    assert all(name in decision["rule"] for name in ("fake_from", "real_to", "fewest_frames", "meaning", "silence"))
    assert set(beside["made_with"]) >= {"torch", "onnxruntime"}


def test_8_bits_whose_distances_lie_elsewhere_get_a_limit_of_their_own(run, quick, tmp_path, monkeypatch):
    monkeypatch.setattr(check, "own_limit", lambda detector, *others: 1.02 * limit_of(detector.decision))
    made = export_run(run, ExportConfig(out=tmp_path / "onnx"))
    detector, network = load_detector(run), load_network(tmp_path / "onnx/detector.int8.onnx")
    limit, own = network.description["decision"]["ranges"]["distance"][1], limit_of(detector.decision)
    assert limit == pytest.approx(1.02 * own)
    assert made.files[1].distances.limit == limit and made.files[0].distances.limit == own
    beside = json.loads((tmp_path / "onnx/detector.json").read_text())
    assert beside["distance_limits"] == {"fp32": own, "int8": limit}
    assert beside["decision"]["ranges"]["distance"] == [None, own]
    assert f"from a distance of {limit:.4g} on" in (tmp_path / "onnx/parity.md").read_text()
    monkeypatch.setattr(check, "own_limit", lambda detector, *others: 0.995 * limit_of(detector.decision))
    made = export_run(run, ExportConfig(out=tmp_path / "onnx"))  # so near that it needs none
    assert made.files[1].distances.limit == own and made.notes == []
    use_limit(detector, network.description)  # as `torchfakes predict --network` does
    assert limit_of(detector.decision) == limit


def test_8_bits_that_refuse_other_faces_are_refused(run, quick, tmp_path, monkeypatch):
    really = check._distances

    def other(*given):
        return dataclasses.replace(really(*given), turned=0.2 * ("int8" in given[1].description["precision"]))

    monkeypatch.setattr(check, "_distances", other)
    made = export_run(run, ExportConfig(out=tmp_path / "onnx"))
    assert "20.0% of the test crops are refused for their distance" in made.refused["int8"]
    assert [one.precision for one in made.files] == ["fp32"]


@pytest.fixture
def turned_round(monkeypatch):
    """Eight bits in which real and fake have changed places."""
    right = onnx_format.OnnxRuntime.export_int8

    def export_int8(self, detector, crops, path, fp32=None):
        other = copy.deepcopy(detector)
        with torch.no_grad():
            for parameter in other.classifier.parameters():
                parameter.neg_()
        return right(self, other, crops, path)  # not of the file that is there: that one is right

    monkeypatch.setattr(onnx_format.OnnxRuntime, "export_int8", export_int8)


def test_int8_that_answers_otherwise_is_refused_and_float32_stays(run, quick, turned_round, tmp_path, capsys):
    out = tmp_path / "onnx"
    exported = export_run(run, ExportConfig(out=out))
    with pytest.raises(InputError) as caught:
        exported.raise_for_refused()
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


def test_int8_alone_that_is_refused_leaves_what_was_there(run, quick, exported, turned_round, tmp_path):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)
    with pytest.raises(InputError, match="is refused"):
        export_run(run, ExportConfig(precisions=("int8",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_a_float32_file_that_answers_otherwise_is_refused(run, quick, exported, tmp_path, monkeypatch):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)
    right = graph.WholeDetector.forward

    def off(self, crops):
        logit, probability, distance = right(self, crops)
        return logit + 0.002, probability, distance

    monkeypatch.setattr(graph.WholeDetector, "forward", off)
    with pytest.raises(InputError, match="differs from the detector's by 0.002, and 0.001 is the most"):
        export_run(run, ExportConfig(precisions=("fp32",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device"), RuntimeError("odd")])
def test_a_failure_on_the_way_leaves_the_export_that_was_there(run, quick, exported, tmp_path, monkeypatch, error):
    out = tmp_path / "onnx"
    shutil.copytree(exported[0], out)
    before = files_in(out)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(parity, "page", fail)  # the last step
    with pytest.raises(InputError if isinstance(error, OSError) else type(error)):
        export_run(run, ExportConfig(precisions=("fp32",), out=out))
    assert files_in(out) == before and [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_a_folder_with_other_things_is_left_alone(run, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds other things than an export"):
        export_run(run, ExportConfig(out=tmp_path))
    with pytest.raises(InputError, match="a file"):
        export_run(run, ExportConfig(out=tmp_path / "thesis.tex"))
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_without_a_table_float32_is_compared_on_generated_crops(run, quick, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(run / "best", tmp_path / "far/away/best")
    with pytest.raises(InputError) as caught:
        export_run(tmp_path / "far/away")
    assert "--faces" in str(caught.value) and "\n" not in str(caught.value)
    made = export_run(tmp_path / "far/away", ExportConfig(precisions=("fp32",)))
    (one,) = made.files
    assert one.clips == 0 and one.auc == {"crop": None, "clip": None} and one.max_logit_difference <= 1e-3
    assert "generated crops" in caplog.text and "generated crops" in (made.folder / "parity.md").read_text()


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
        ("executorch", "executorch", "torchfakes[phone]"),
    ],
)
def test_a_missing_extra_is_one_line(run, tmp_path, monkeypatch, package, kind, words):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError) as caught:
        export_run(run, ExportConfig(kind, ("fp32",), out=tmp_path / "out"))
    assert words in str(caught.value) and "\n" not in str(caught.value) and not list(tmp_path.iterdir())
