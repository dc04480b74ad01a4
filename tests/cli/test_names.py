"""Whatever a table calls its clips, and wherever its paths lead: a command writes into its own place alone.

Tables of clips are in `tests/faces/test_extraction_names.py`; here are those of crops, for every command that reads
one.
"""

import csv
import shutil
import unicodedata
from pathlib import Path

import pytest
import torch

from torchfakes_utils.cli.main import main

from cases.registry import digests
from cases.runs import run as small_run
from cases.tables import BAD_NAMES, theirs

TRAINED = "--architecture Meso4 --image-size 64 --epochs 1 --batch-size 4 --min-sharpness 0 --device cpu --tracker none"
COMMANDS = {
    "train": f"train {{faces}} --out {{out}} {TRAINED}",
    "evaluate": "evaluate {run} {faces}",
    "explain": "explain {run} {faces} --out {out} --limit 6 --no-checks",
    "matrix": f"matrix {{faces}} --out {{out}} {TRAINED}",
    "export": "export {run} --faces {faces} --out {out} --format onnx --precision fp32",
}
# Columns that are, or are in, the name of a file or a folder for one command or another, and those that might be.
COLUMNS = {
    "train": ("clip_id",),
    "evaluate": ("clip_id", "method", "compression", "target_id", "source_id"),
    "explain": ("clip_id", "method", "compression"),
    "matrix": ("clip_id", "method"),
    "export": ("method",),
}


def bad_names(folder: Path) -> list[str]:
    """What a text of a table may be instead of a name, pairs that differ by next to nothing among them."""
    found = [make(folder) for make in BAD_NAMES.values()]
    found = [text for text in found if "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)]
    return list(dict.fromkeys([*found, "", " ", "-rf", "~", "NUL", "com1.txt", "Swap", "swap", "swap.", "swap ",
            unicodedata.normalize("NFC", "né"), unicodedata.normalize("NFD", "né"), "n" * 300]))  # fmt: skip


@pytest.fixture
def place(tmp_path, tiny_faces):
    """Crops, a run and somebody's own files, side by side, and the rows of the table."""
    faces = shutil.copytree(tiny_faces, tmp_path / "a" / "faces")
    theirs(tmp_path)
    run = small_run(tmp_path / "a")
    with (faces / "faces.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    torch.manual_seed(0)
    return {"folder": tmp_path, "faces": faces / "faces.csv", "run": run, "out": tmp_path / "a" / "out", "rows": rows}


def written(place, rows):
    with place["faces"].open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def outside(place):
    """What lies outside of the command's own place, and in the run before it was measured."""
    own = ("a/out/", "a/run/", "a/faces/faces.csv", "a/faces/.cache/")
    return {name: digest for name, digest in digests(place["folder"]).items() if not name.startswith(own)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "column"), [(name, column) for name in COLUMNS for column in COLUMNS[name]])
def test_a_column_of_bad_names(place, capsys, name, column):
    """A clip for each name beside those that are there; all of them are used, and nobody's file changes."""
    like = next(row for row in place["rows"] if row["label"] == "1")
    names, rows = bad_names(place["folder"]), list(place["rows"])
    if (name, column) == ("matrix", "method"):  # a detector for each: one bad name of a method will do
        bad = names[1]
        rows, names = [row | {"method": bad} if row["method"] == "FaceSwap" else row for row in rows], []
    for number, text in enumerate(names):
        path = f"crops/more/{number}.png"
        (place["faces"].parent / path).parent.mkdir(exist_ok=True)
        shutil.copy(place["faces"].parent / like["path"], place["faces"].parent / path)
        split = "test" if number % 2 else "train"
        rows.append(like | {"clip_id": f"more{number}", "path": path, "split": split} | {column: text})
    written(place, rows)
    before = outside(place)
    methods = ["--methods", "Deepfakes,FaceSwap"] if name == "matrix" and names else []
    status = main([*(word.format(**place) for word in COMMANDS[name].split()), *methods])
    said = capsys.readouterr().err
    assert "Traceback" not in said and "unexpected" not in said
    assert status == 0, said
    assert outside(place) == before


PATHS = {
    "an absolute path": lambda place: str(place["folder"] / "theirs" / "holiday.png"),
    "a way up": lambda place: "../../theirs/holiday.png",
    "a folder": lambda place: "crops",
    "nothing": lambda place: "",
    "a dot": lambda place: ".",
    "two dots": lambda place: "..",
    "a drive": lambda place: "C:\\Windows\\a.png",
    "another machine": lambda place: "\\\\server\\share\\a.png",
    "an address": lambda place: "file:///etc/passwd",
    "a device": lambda place: "/dev/zero",
    "300 bytes": lambda place: "n" * 300,
    "5,000 letters": lambda place: "n/" * 2500,
    "a line break": lambda place: "a\nb.png",
    "an option": lambda place: "--out",
    "a home": lambda place: "~/a.png",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "evaluate", "explain"])
@pytest.mark.parametrize("what", PATHS)
def test_a_path_that_leads_elsewhere(place, capsys, name, what):
    """It is read as a crop or refused in a line; nothing there changes."""
    split = "train" if name == "train" else "test"
    chosen = next(row for row in reversed(place["rows"]) if row["split"] == split)
    written(place, [row | {"path": PATHS[what](place)} if row is chosen else row for row in place["rows"]])
    before = outside(place)
    status = main([word.format(**place) for word in COMMANDS[name].split()])
    said = capsys.readouterr().err
    assert outside(place) == before
    if (place["faces"].parent / PATHS[what](place)[:200]).is_file():  # a file of theirs, which is no picture
        assert "holiday.png: this crop cannot be read" in said
    else:
        assert status == 2 and len(said.strip().splitlines()) == 1 and said.startswith("torchfakes: "), said
        assert len(said) < 2100
