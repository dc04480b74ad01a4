"""A decision fixed on a table of one's own: what it becomes, what stays, and what is refused."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from torchfakes_utils.cli import main
from torchfakes_utils.datasets.mini.config import MINI_FILE
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import calibrate as module
from torchfakes_utils.evaluation import deciding
from torchfakes_utils.evaluation.calibrate import calibrate
from torchfakes_utils.evaluation.config import EvaluationConfig, Scoring
from torchfakes_utils.evaluation.doubts import FEWEST_CLIPS
from torchfakes_utils.evaluation.evaluate import evaluate
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.io import files
from torchfakes_utils.io.tables import FACE_COLUMNS, write_table
from torchfakes_utils.models.decision import LIMITS, NOT_FIXED, Decision, decide
from torchfakes_utils.models.detector import Detector, DetectorConfig, features, load_detector, save
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.models.scope import Scope
from torchfakes_utils.models.stored import store_decision

from helpers.decisions import Answering
from helpers.hub import fails


@pytest.fixture
def run(tmp_path):
    """A detector of somebody else's that takes bright crops for fakes, and is not sure where bright begins."""
    torch.manual_seed(0)
    detector = Detector(DetectorConfig("Meso4", None, preprocessing=Preprocessing(size=32, crop_size=32))).eval()
    return save(detector, tmp_path / "run", {"published": {"name": "somebody's"}})


class Bright(Answering, torch.nn.Module):
    """Its logit is far too sure of itself, and 0 at a brightness of 120."""

    def __init__(self, folder, **options):
        super().__init__()
        whole = load_detector(folder, **options)
        self.whole = [whole]
        self.preprocessing, self.decision, self.extra, self.sha256 = (
            Preprocessing(32, 120.0, 10.0), whole.decision, whole.extra, whole.sha256,
        )  # fmt: skip
        self.slope = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, images):
        return self.slope * images.mean(dim=(1, 2, 3))


@pytest.fixture(autouse=True)
def bright(monkeypatch):
    monkeypatch.setattr(module, "load_detector", Bright)
    monkeypatch.setattr(deciding, "features", of_the_network)


def of_the_network(detector, batches):
    """The features of the network whose weights lie there."""
    return features(detector.whole[0], batches)


def table(folder, reals=12, fakes=12, split="val", apart=15):
    """Reals about as bright as 150, fakes brighter, both too bright for a threshold of 120; two crops a clip."""
    generator, rows = np.random.default_rng(0), []
    for number in range(reals + fakes):
        label = int(number >= reals)
        level = 150 + label * apart + generator.normal(0, 8)
        for frame in (0, 1):
            path = f"crops/{number}_{frame}.png"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.clip(generator.normal(level, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / path)
            rows.append(dict.fromkeys(FACE_COLUMNS, "") | {
                "clip_id": f"{number:03d}", "path": path, "label": label, "method": "mine", "compression": "c23",
                "split": split, "frame": frame, "x1": 0, "y1": 0, "x2": 24, "y2": 24, "probability": 1,
                "sharpness": 90 + number, "landmarks": "1 1 2 1 1 2 1 3 2 3",
            })  # fmt: skip
    write_table(pd.DataFrame(rows), folder / "faces.csv", FACE_COLUMNS)
    return folder / "faces.csv"


def test_it_is_the_decision_that_training_would_fix(run, tmp_path):
    faces_csv = table(tmp_path / "faces")
    found = calibrate(run, faces_csv)
    stored = load_detector(run).decision
    assert stored == found.after and stored.is_fixed and NOT_FIXED not in stored.caution
    detector = Bright(run)
    faces = module.load_faces_for(detector, faces_csv, "val")
    expected = decide(score(detector, faces))
    assert (stored.threshold, stored.temperature) == (expected.threshold, expected.temperature)
    assert stored.threshold > 0.5 and stored.temperature > 1
    assert found.clips == (12, 12)


def test_before_and_after_are_what_the_clips_say(run, tmp_path):
    found = calibrate(run, table(tmp_path / "faces"))
    before, after = found.metrics["before"], found.metrics["after"]
    assert before["fpr"] == 1 and before["balanced_accuracy"] == 0.5, "everything was fake"
    assert after["balanced_accuracy"] > 0.7 and after["loss"] < before["loss"]
    assert found.before.caution == NOT_FIXED


def test_what_looks_unlike_the_table_gets_no_answer(run, tmp_path):
    decision = calibrate(run, table(tmp_path / "faces")).after
    usual = {"brightness": 155.0, "contrast": 11.0, "face": 24.0, "sharpness": 100.0}
    assert decision.outside(usual) == ""
    assert "too dark" in decision.outside(usual | {"brightness": 20.0})
    assert "too small" in decision.outside(usual | {"face": 10.0})


def test_weights_stay_and_the_old_description_too(run, tmp_path):
    faces_csv = table(tmp_path / "faces")
    weights, description = ((run / name).read_bytes() for name in ("model.safetensors", "detector.json"))
    first = calibrate(run, faces_csv)
    assert (run / "model.safetensors").read_bytes() == weights
    assert first.kept.read_bytes() == description
    now = json.loads((run / "detector.json").read_text())
    assert now["extra"] == {"published": {"name": "somebody's"}} and now["sha256"] == json.loads(description)["sha256"]
    assert "fixed by `torchfakes calibrate` on split 'val' of faces.csv" in now["decision"]["notes"][0]
    assert len(list(run.glob("*before-calibration*"))) == 1
    second = calibrate(run, table(tmp_path / "others", apart=30))
    assert second.kept != first.kept and first.kept.read_bytes() == description


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fakes": 0}, "12 real and 0 fake clips, and a threshold lies between two classes"),
        ({"reals": 0}, "0 real and 12 fake clips"),
        ({"reals": FEWEST_CLIPS - 1}, f"9 real and 12 fake clips, and a threshold takes {FEWEST_CLIPS} of each"),
        ({"split": "test"}, "no crops in split 'val'"),
    ],
    ids=["no fakes", "no reals", "few", "another split"],
)
def test_tables_that_fix_nothing(run, tmp_path, options, words):
    before = (run / "detector.json").read_bytes()
    assert words in fails(calibrate, run, table(tmp_path / "faces", **options))
    assert (run / "detector.json").read_bytes() == before and len(list(run.iterdir())) == 2


def test_a_table_that_it_knows_nothing_of_may_be_taken_whole(run, tmp_path):
    faces_csv = table(tmp_path / "faces", reals=FEWEST_CLIPS, fakes=FEWEST_CLIPS)
    lines = faces_csv.read_text().splitlines()
    lines[1:] = [line.replace(",val,", ",test,") if number // 2 % 2 else line for number, line in enumerate(lines[1:])]
    faces_csv.write_text("\n".join(lines) + "\n")
    assert "or --split all if the detector has learned from none" in fails(calibrate, run, faces_csv)
    (run / "README.md").write_text("a card")
    found = calibrate(run, faces_csv, "all")
    assert found.clips == (FEWEST_CLIPS, FEWEST_CLIPS)
    assert "README.md; run `torchfakes evaluate` again" in found.notes[0]


@pytest.mark.parametrize(
    ("detector_is", "table_is", "words"),
    [
        (True, False, "has never seen a real person"),
        (False, True, "these are practice data, which show no real person"),
        (True, True, r"train it again in a new folder"),
    ],
    ids=["practice detector", "practice data", "practice without likeness"],
)
def test_practice_and_people_are_kept_apart(run, tmp_path, detector_is, table_is, words):
    store_decision(run, Decision(scope=Scope("some data", ("Deepfakes",), practice=detector_is)))
    faces_csv = table(tmp_path / "faces")
    if table_is:
        (tmp_path / MINI_FILE).write_text("{}")
    before = (run / "detector.json").read_bytes()
    said = fails(calibrate, run, faces_csv)
    assert words in said and (detector_is or "calibrate on faces like those it is to judge" in said)
    assert (run / "detector.json").read_bytes() == before


def test_a_practice_detector_that_has_lost_its_scope_is_known_by_its_table(run, tmp_path):
    learned = table(tmp_path / "mini", split="train")
    (learned.parent / MINI_FILE).write_text("{}")
    learned_from(run, learned, "detector.json")
    damaged(run, "no decision")
    assert "has never seen a real person" in fails(calibrate, run, table(tmp_path / "faces"))


def damaged(run, how):
    """A detector whose decision, or the likeness that it speaks of, cannot be read."""
    likeness, text = run / "likeness.safetensors", (run / "detector.json").read_text()
    if how == "no likeness":
        likeness.unlink()
    elif how == "another likeness":
        likeness.write_bytes(likeness.read_bytes()[:-4] + b"abcd")
    else:
        description = json.loads(text)
        decision = description.pop("decision")
        if how != "no decision":
            description["decision"] = decision | {"rate": {"false_alarms": 0}, "word": {"fog": 1}}[how]
        (run / "detector.json").write_text(json.dumps(description))


@pytest.mark.parametrize("how", ["no likeness", "another likeness", "no decision", "rate", "word"])
def test_what_is_damaged_is_mended_as_it_is_said(run, tmp_path, how):
    store_decision(run, Decision(scope=Scope("some data", ("Deepfakes",))))
    faces_csv = table(tmp_path / "faces")
    first = calibrate(run, faces_csv).after
    damaged(run, how)
    assert "run `torchfakes calibrate`, or train again in a new folder" in fails(load_detector, run)
    found = calibrate(run, faces_csv)
    assert found.kept is not None and found.before.caution
    again = load_detector(run)
    expected = first if how != "no decision" else dataclasses.replace(first, scope=Scope())
    assert again.decision == expected == found.after and again.likeness is not None


def learned_from(run, faces_csv, where):
    """Let a run's record say that it was trained on a table, in the run's folder or in that of its detector."""
    record = {"faces_sha256": files.sha256_of(faces_csv)}
    if where == "config.json":
        (run / "best").mkdir()
        for name in ("detector.json", "model.safetensors"):
            (run / name).rename(run / "best" / name)
        (run / "config.json").write_text(json.dumps(record))
        return
    description = json.loads((run / "detector.json").read_text())
    (run / "detector.json").write_text(json.dumps(description | {"extra": {"run": record}}))


@pytest.mark.parametrize("where", ["config.json", "detector.json"])
def test_no_threshold_is_fixed_on_what_a_detector_has_learned(run, tmp_path, where):
    faces_csv = table(tmp_path / "faces", reals=36, fakes=36)
    lines = faces_csv.read_text().splitlines()
    kept = {0: ",val,", 1: ",train,", 2: ",test,"}
    lines[1:] = [line.replace(",val,", kept[number // 2 % 3]) for number, line in enumerate(lines[1:])]
    faces_csv.write_text("\n".join(lines) + "\n")
    learned_from(run, faces_csv, where)
    for split, words in (("train", "trained on 24 of these 24 clips"), ("all", "trained on 24 of these 72 clips")):
        said = fails(calibrate, run, faces_csv, split)
        assert words in said and "take --split val, or a table that it has not learned from" in said
    assert (run / "best").exists() == (where == "config.json") and not list(run.rglob("*before-calibration*"))
    if where == "config.json":
        assert "trained on 24 of" in fails(calibrate, run / "best", faces_csv, "train")
    for split in ("val", "test"):
        assert calibrate(run, faces_csv, split).clips == (12, 12)
    assert calibrate(run, faces_csv, "test").notes[0].startswith("already calibrated so"), "its own table is no doubt"


def a_trained_run(run, folder):
    """Its table, a third of whose clips are in training, whole and by rows."""
    faces_csv = table(folder, reals=36, fakes=36)
    rows = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    rows["split"] = [("val", "train", "test")[number // 2 % 3] for number in range(len(rows))]
    write_table(rows, faces_csv, FACE_COLUMNS)
    learned_from(run, faces_csv, "config.json")
    return faces_csv, rows


EDITS = {
    "one number": lambda rows: rows.assign(sharpness=["7", *rows["sharpness"][1:]]),
    "another split": lambda rows: rows.assign(split="val"),
    "no split": lambda rows: rows.assign(split=""),
    "other names": lambda rows: rows.assign(clip_id="mine" + rows["clip_id"], split="val"),
    "one crop a clip": lambda rows: rows[rows["frame"] == "1"],
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("copied", [False, True], ids=["beside it", "with its crops"])
def test_an_edited_copy_of_the_training_table_is_known_by_its_crops(run, tmp_path, edit, copied):
    original, rows = a_trained_run(run, tmp_path / "faces")
    faces_csv = original.with_name("edited.csv")
    if copied:
        shutil.copytree(original.parent, tmp_path / "far/away/copy")
        faces_csv = tmp_path / "far/away/copy/faces.csv"
    write_table(EDITS[edit](rows), faces_csv, FACE_COLUMNS)
    said = fails(calibrate, run, faces_csv, "all")
    assert "was trained on 24 of these 72 clips" in said and f"take --split val of {original}" in said
    write_table(EDITS[edit](rows[rows["split"] != "train"]), faces_csv, FACE_COLUMNS)
    assert calibrate(run, faces_csv, "all").notes == ()


def test_of_a_table_that_is_gone_it_is_said_that_nothing_is_known(run, tmp_path):
    faces_csv, rows = a_trained_run(run, tmp_path / "faces")
    write_table(rows.assign(split="val"), faces_csv, FACE_COLUMNS)
    found = calibrate(run, faces_csv)
    (note,) = found.notes
    assert "was trained on another table" in note and "this threshold flatters" in note
    assert note in load_detector(run).decision.notes, "whoever gets the detector may know"


def test_crops_of_another_scale(run, tmp_path, monkeypatch):
    faces_csv = table(tmp_path / "faces")
    monkeypatch.setattr("torchfakes_utils.crops.table.read_extraction", lambda folder: {"crop_scale": 2.0})
    assert "cut at 2.0 times the face, and the detector was trained at 1.3" in fails(calibrate, run, faces_csv)


def test_crops_that_are_smaller_than_what_the_network_takes(run, tmp_path):
    faces_csv = table(tmp_path / "faces")
    for path in (faces_csv.parent / "crops").iterdir():
        Image.open(path).resize((20, 20)).save(path)
    (note,) = calibrate(run, faces_csv).notes
    assert "crops of 20 px, and the network takes 32 px" in note and "extract them again at 32 px" in note


def test_crops_that_cannot_be_read_do_not_count(run, tmp_path):
    faces_csv = table(tmp_path / "faces", reals=FEWEST_CLIPS)
    for frame in (0, 1):
        (faces_csv.parent / "crops" / f"0_{frame}.png").write_bytes(b"no picture")
    assert f"9 real and 12 fake clips, and a threshold takes {FEWEST_CLIPS}" in fails(calibrate, run, faces_csv)


def test_a_full_disk_leaves_the_old_description(run, tmp_path, monkeypatch):
    faces_csv, before = table(tmp_path / "faces"), (run / "detector.json").read_bytes()
    real = files.Path.replace

    def full(self, target):
        if str(target).endswith("detector.json"):
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(files.Path, "replace", full)
    assert "No space left" in fails(calibrate, run, faces_csv)
    assert (run / "detector.json").read_bytes() == before


def test_a_detector_that_knows_nothing_is_said_to(run, tmp_path):
    assert "better than a coin" in calibrate(run, table(tmp_path / "faces", apart=0)).after.caution


def test_the_command(run, tmp_path, capsys):
    faces_csv = table(tmp_path / "faces")
    assert main.main(["calibrate", str(run), str(faces_csv)]) == 0
    said = capsys.readouterr()
    before, after = said.out.split("after: temperature")
    assert "before: temperature 1.00" in before and "no verdicts" in before
    assert "fake from" in after and "is kept in" in after
    assert main.main(["calibrate", str(run), str(faces_csv), "--json", "--frames", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["real_clips"] == 12
    assert main.main(["calibrate", str(run), str(faces_csv), "--split", "test"]) == 2


def test_an_old_report_is_named(run, tmp_path):
    (run / "report.json").write_text("{}")
    (note,) = calibrate(run, table(tmp_path / "faces")).notes
    assert "torchfakes evaluate` again" in note


def test_the_same_decision_is_not_written_again(run, tmp_path, capsys):
    faces_csv = table(tmp_path / "faces")
    first = calibrate(run, faces_csv)
    files_then = {path: path.read_bytes() for path in run.iterdir()}
    second = calibrate(run, faces_csv, scoring=Scoring(batch=5))
    assert second.kept is None and second.after == first.after and second.to_json()["kept"] is None
    (note,) = second.notes
    assert note.startswith("already calibrated so") and "nothing was written" in note
    assert main.main(["calibrate", str(run), str(faces_csv)]) == 0
    said = capsys.readouterr()
    assert "already calibrated so" in said.err and "is kept in" not in said.out
    assert {path: path.read_bytes() for path in run.iterdir()} == files_then


def test_what_gains_nothing_but_ranges_is_said_to(run, tmp_path):
    faces_csv = table(tmp_path / "faces")
    fixed = calibrate(run, faces_csv).after
    store_decision(run, dataclasses.replace(fixed, ranges={}))
    second = calibrate(run, faces_csv)
    (note,) = second.notes
    assert note.startswith("nothing gained") and f"{second.metrics['before']['loss']:.3f}" in note
    assert "what is refused, and why, is by these crops now" in note
    assert second.kept.is_file() and load_detector(run).decision == fixed


@pytest.mark.parametrize(
    ("columns", "value", "words"),
    [
        (["x1", "y1", "x2", "y2"], "", "no range of face: x1, y1, x2, y2 of the table are no measurements"),
        (["x1", "y1", "x2", "y2"], "0", "no range of face"),
        (["sharpness"], "", "no range of sharpness: sharpness of the table"),
        (["sharpness"], "-1", "nothing is refused as too blurred or too noisy"),
        (["sharpness"], "0", "no range of sharpness"),
        (["sharpness"], "1", "no range of sharpness"),
    ],
)
def test_a_range_that_the_table_does_not_tell_is_named(run, tmp_path, columns, value, words):
    faces_csv = table(tmp_path / "faces")
    rows = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    write_table(rows.assign(**dict.fromkeys(columns, value)), faces_csv, FACE_COLUMNS)
    found = calibrate(run, faces_csv)
    (note,) = found.notes
    assert words in note and note in load_detector(run).decision.notes
    assert set(LIMITS) - set(found.after.ranges) == {"sharpness" if columns == ["sharpness"] else "face"}


def test_a_range_of_some_crops_is_said_to_be(run, tmp_path):
    faces_csv = table(tmp_path / "faces")
    rows = pd.read_csv(faces_csv, dtype=str, keep_default_na=False)
    write_table(rows.assign(sharpness=["", "nan", *rows["sharpness"][2:]]), faces_csv, FACE_COLUMNS)
    (note,) = calibrate(run, faces_csv).notes
    assert note.startswith("the range of sharpness is that of 46 of 48 crops")


@pytest.mark.slow
def test_evaluate_keeps_a_calibrated_decision(run, tmp_path, monkeypatch):
    """It fixes one only where there is none."""
    faces_csv = table(tmp_path / "faces")
    after = calibrate(run, faces_csv).after
    test = table(tmp_path / "test", split="test")
    results = evaluate(run, test, EvaluationConfig(replicates=20)).results
    assert results.decision == after == load_detector(run).decision


def test_no_detector_there(tmp_path, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(InputError, match="no detector here"):
        calibrate(tmp_path / "nowhere", table(tmp_path / "faces"))
