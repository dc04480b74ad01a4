"""`torchfakes predict`: rows for people, CSV for spreadsheets, pictures on request; patterns, folders, limits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data

from torchfakes_utils.cli import main, predict
from torchfakes_utils.inference.verdict import FaceVerdict, FrameVerdict, Prediction
from torchfakes_utils.io.video import write_video
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import answering
from helpers.detectors import opinionated

FACE = data.astronaut()[:192, 128:320]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    detector = opinionated(DetectorConfig("Meso4", pretrained=None, preprocessing=Preprocessing(size=64)))
    detector.decision = answering(0.5)
    save(detector, folder / "best")
    return folder


@pytest.fixture
def folder(tmp_path):
    out = tmp_path / "given"
    out.mkdir()
    Image.fromarray(FACE).save(out / "a.png")
    Image.fromarray(FACE[:, ::-1]).save(out / "b.png")
    write_video(out / "c.mp4", [np.roll(FACE, i, axis=1) for i in range(6)], fps=8)
    (out / "d.mp4").write_text("no film")
    return out


@pytest.mark.slow
def test_a_folder_a_table_and_pictures(run, folder, tmp_path, capsys):
    words = ["predict", str(run), str(folder), "--frames", "3", "--csv", str(tmp_path / "t.csv"), "--device", "cpu"]
    assert main.main([*words, "--heat-maps", str(tmp_path / "maps")]) == 1
    shown = capsys.readouterr()
    header, *rows = shown.out.splitlines()
    assert header == predict.HEADER and len(rows) == 4 + 3 * 2 + 2
    assert rows[-3].startswith("cannot tell") and "d.mp4: neither a photo nor a video" in rows[-3]
    assert rows[-2].startswith("scope: what it was trained on is not known") and rows[-1].startswith(
        "meaning: A verdict"
    )
    assert sum(row.startswith("  P(fake) is ") and "called fake from 0.50 on" in row for row in rows) == 3
    assert rows.count("  how often that is wrong was not counted: too few people in validation") == 3
    assert "4 files (1 video), 5 crops in" in shown.err and "1 of 4 got no verdict" in shown.err
    table = pd.read_csv(tmp_path / "t.csv")
    assert list(table.columns) == predict.COLUMNS
    assert table["scope"][:3].str.startswith("what it was trained on is not known").all()
    assert table["meaning"].notna().tolist() == [True, True, True, False]
    assert "how likely this very file is a forgery, it does not say" in table["meaning"][0]
    assert table["rate"].notna().tolist() == [True, True, True, False]
    assert (table["fake_from"][:3] == 0.5).all() and (table["real_to"][:3] < 0.5).all()
    assert table[["real_to", "fake_from"]].isna().all(axis=1).tolist() == [False, False, False, True]
    assert table["path"].tolist() == [str(folder / name) for name in ("a.png", "b.png", "c.mp4", "d.mp4")]
    assert table["verdict"].isin(["real", "fake"]).tolist() == [True, True, True, False]
    assert table["low"].notna().tolist() == [False, False, True, False]
    pictures = sorted(path.name for path in (tmp_path / "maps").glob("*.png"))
    assert pictures == ["0001-a-face1.png", "0002-b-face1.png", "0003-c-face1.png"]
    with Image.open(tmp_path / "maps" / pictures[0]) as both:
        assert both.size == (320, 160)  # the crop, and the crop under the map
    # The same answers with pictures as without, in JSON as in the table.
    assert main.main([*words, "--json"]) == 1
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["verdict"] for one in objects] == table["verdict"].tolist()
    for column in ("scope", "meaning", "rate"):
        assert [one[column] for one in objects] == table[column].fillna("").tolist()
    assert [one["probability_fake"] for one in objects[:3]] == pytest.approx(table["probability_fake"][:3].tolist())


def test_a_table_is_kept_when_the_run_is_interrupted(run, folder, tmp_path, monkeypatch, capsys):
    from torchfakes_utils.inference.predictor import Predictor

    def two_then_stop(self, sources, frames):
        yield from (Prediction(name, FAKE, 0.9, "P(fake) is 0.90") for name in ("a", "b"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Predictor, "predict_many", two_then_stop)
    assert main.main(["predict", str(run), "x", "--csv", str(tmp_path / "t.csv")]) == main.INTERRUPTED
    assert pd.read_csv(tmp_path / "t.csv")["path"].tolist() == ["a", "b"]


@pytest.mark.slow
def test_patterns_limits_and_empty_folders(run, folder, tmp_path, capsys):
    assert main.main(["predict", str(run), f"{folder}/*.png", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main.main(["predict", str(run), str(folder / "c.mp4"), "--max-seconds", "1", "--json"]) == 0
    write_video(tmp_path / "long.mp4", [FACE] * 20, fps=8)
    assert main.main(["predict", str(run), str(tmp_path / "long.mp4"), "--max-seconds", "2"]) == 2
    assert "2 s are the most" in capsys.readouterr().out
    (tmp_path / "nothing").mkdir()
    assert main.main(["predict", str(run), str(tmp_path / "nothing")]) == 2
    assert "no files there" in capsys.readouterr().err


def test_a_table_says_what_speaks_against_the_detector(tmp_path):
    table = predict.write([Prediction("a", FAKE, 0.7, "why", notes=("one", "caution: a coin"))], tmp_path / "t.csv")
    assert pd.read_csv(table)["notes"].tolist() == ["one; caution: a coin"]


def test_no_cell_of_the_table_is_a_formula(tmp_path):
    """A name is the sender's, and so are notes of a stranger's detector."""
    formula = '=HYPERLINK("http://127.0.0.1:9")'
    made = Prediction(formula + ".mp4", FAKE, 0.7, "+1", notes=("@sum", "two"), scope="=1", meaning="=2")
    table = pd.read_csv(predict.write([made], tmp_path / "t.csv"))
    assert table[["path", "reason", "notes"]].iloc[0].tolist() == [f"'{formula}.mp4", "'+1", "'@sum; two"]
    assert table[["scope", "meaning"]].iloc[0].tolist() == ["'=1", "'=2"]


def test_places_that_cannot_be_written_are_found_before_the_work(run, folder, tmp_path, capsys):
    assert main.main(["predict", str(run), str(folder), "--csv", str(tmp_path)]) == 2
    assert main.main(["predict", str(run), str(folder), "--heat-maps", str(folder / "a.png")]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and [line.partition(": ")[2].partition(": ")[2] for line in shown.err.splitlines()] == [
        "this is a folder; give --csv a file's name", "this is a file; give --heat-maps a folder"]  # fmt: skip


def test_a_row_says_what_matters_and_cannot_break_the_line():
    box = (10.0, 20.0, 30.0, 60.0)
    people = [FaceVerdict(who, FAKE, 0.7, None, "", [FrameVerdict(0, 0.0, box, 1.0, 0.7)]) for who in range(2)]
    photo = predict.line(Prediction("a.png", FAKE, 0.7, "why", people, kind="photo"))
    assert photo.splitlines()[3].endswith("face 2 (at x 20, y 40)"), "which of them is it?"
    row = predict.line(Prediction("a\n\x1b[2J.png", FAKE, 0.7, "why", people, (0.61, 0.79)))
    first, why, *below = row.splitlines()
    assert why == "  why"
    assert first.split() == ["fake", "0.70", "0.61", "to", "0.79", "a\\n\\x1b[2J.png", "(2", "faces)"]
    assert [line.split() for line in below] == [["fake", "0.70", "face", "1"], ["fake", "0.70", "face", "2"]]
    assert predict.line(Prediction("b", CANNOT_TELL, None, "two\nlines")).endswith("b: two\\nlines")
    noted = Prediction("c", FAKE, 0.7, "why", notes=("caution: a coin", "68 more\x1b[2J faces"))
    assert predict.line(noted).splitlines()[2:] == ["  note: 68 more\\x1b[2J faces"], "a caution is said once for all"
    assert "0 files" in predict.throughput([], 0.0)


def test_each_of_several_people_has_a_verdict_and_the_file_its_rate():
    frames = [FrameVerdict(0, 0.0, (10.0, 20.0, 30.0, 60.0), 1.0, 0.7)]
    people = [FaceVerdict(0, FAKE, 0.9, None, "", frames), FaceVerdict(1, REAL, 0.1, None, "", frames),
              FaceVerdict(2, CANNOT_TELL, 0.5, None, "between", frames)]  # fmt: skip
    made = Prediction("a.png", FAKE, 0.9, "why", people, kind="photo", rate="of 9 real\x1b[2J clips 1 was called fake")
    _, why, rate, *below = predict.line(made).splitlines()
    assert (why, rate) == ("  why", "  of 9 real\\x1b[2J clips 1 was called fake")
    assert [line.split()[0] for line in below] == ["fake", "real", "cannot"] and below[2].endswith(": between")


def test_a_detector_of_before_says_once_what_to_do(run, folder, tmp_path, capsys):
    """Its decision has one threshold and no bands: a score, no verdict, and the way to one."""
    old = tmp_path / "old"
    shutil.copytree(run / "best", old)
    description = json.loads((old / "detector.json").read_text())
    description["decision"] = {
        "threshold": 0.4, "temperature": 1.2, "ranges": {"face": [20.0, None]}, "notes": ["by hand"], "caution": ""
    }  # fmt: skip
    (old / "detector.json").write_text(json.dumps(description))
    assert main.main(["predict", str(old), str(folder / "a.png"), "--device", "cpu"]) == 2
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].startswith("cannot tell  0.")
    assert "no verdict is given: its decision was made by an older TorchFakes" in shown.out
    assert shown.err.count("run `torchfakes calibrate`, or train again") == 1 and "Traceback" not in shown.err
