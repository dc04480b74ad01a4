"""Wherever a command is told to write: no file of somebody else's is changed or removed, and no work is done in vain.

Which options these are is read from the parsers: one that is new is missed here, until somebody says what it is.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
import torch

from torchfakes_utils.cli.main import COMMANDS, command_parser, main
from torchfakes_utils.hub import pull

from cases.folders import SIBLINGS, THEIRS, theirs
from cases.people import portrait
from cases.photos import saved
from cases.runs import run as small_run
from helpers import voices

TRAINED = "--architecture Meso4 --image-size 64 --epochs 1 --batch-size 4 --min-sharpness 0 --device cpu"
# By command and option, how results are sent to {path}, and what a command then makes there.

OUTPUTS = {
    ("mini", "out"): ("mini {path} --identities 6", ["mini.json", "splits", "original_sequences"]),
    ("mini-temporal", "out"): (
        "mini-temporal {path} --identities 6 --size 96 --seconds 1.6 --forged-seconds 0.4",
        ["mini.json", "splits", "original_sequences"],
    ),
    ("clips", "out"): ("clips {data} --out {path}/clips.csv", ["clips.csv"]),
    ("extract", "out"): (
        "extract {data} --out {path} --frames 1",
        [
            "faces.csv",
            "failures.csv",
            "extraction.json",
            "crops",
            ".parts",
            "crops/youtube/c23/000/00003.png",
            ".parts/youtube/c23/000.json",
        ],
    ),
    ("train", "out"): (
        f"train {{faces}} --out {{path}} {TRAINED}",
        [
            "config.json",
            "history.csv",
            "steps.csv",
            "last.safetensors",
            "best",
            "best/detector.json",
            "best/model.safetensors",
        ],
    ),
    ("train-video", "out"): (
        "train-video {data}/clips.csv --out {path} --architecture diff3d --size 16 --seconds 0.32 --epochs 1 "
        "--windows-per-clip 1 --batch-size 2 --device cpu",
        ["config.json", "history.csv", "last.safetensors", "best", "best/detector.json", "best/model.safetensors"],
    ),
    ("matrix", "out"): (
        f"matrix {{faces}} --out {{path}} {TRAINED}",
        [
            "matrix.csv",
            "matrix.json",
            "torchfakes.json",
            "Deepfakes",
            "Deepfakes/config.json",
            "Deepfakes/best/detector.json",
        ],
    ),
    ("across", "out"): (
        "across {run} {faces} --out {path} --split all",
        ["torchfakes.json", "across.csv", "across.json"],
    ),
    ("faces", "out"): ("faces {photos} --out {path}", ["clips.csv", "faces/faces.csv", "faces/extraction.json"]),
    ("voices", "out"): ("voices {path}", ["torchfakes.json", "recordings.csv", "clips"]),
    ("recordings", "out"): ("recordings {speech} --out {path}/recordings.csv", ["recordings.csv"]),
    ("train-audio", "out"): (
        "train-audio {recordings} --out {path} --network logistic",
        ["config.json", "history.csv", "best/detector.json"],
    ),
    ("explain", "out"): (
        "explain {run} {faces} --out {path} --limit 2 --no-checks",
        [
            "torchfakes.json",
            "explanation.json",
            "explanations.csv",
            "regions.csv",
            "masks.csv",
            "maps.npz",
            "overlays",
        ],
    ),
    ("predict", "csv"): ("predict {run} {photo} --csv {path}/answers.csv", ["answers.csv"]),
    ("predict", "heat_maps"): ("predict {run} {photo} --heat-maps {path}", ["0001-photo-face1.png", "torchfakes.json"]),
    ("export", "out"): (
        "export {run} --out {path} --format onnx --precision fp32",
        [
            "torchfakes.json",
            "detector.json",
            "parity.json",
            "parity.md",
            "detector.fp32.onnx",
            "pnet.onnx",
        ],
    ),
    ("pull", "place"): (
        "pull owner/name {path}",
        ["detector.json", "model.safetensors", "README.md", "report.json"],
    ),
    ("pull", "out"): (
        "pull owner/name --out {path}",
        ["detector.json", "model.safetensors", "README.md", "report.json"],
    ),
    ("space", "out"): (
        "space {run} --out {path} --data {data}",
        [
            "README.md",
            "app.py",
            "requirements.txt",
            ".gitattributes",
            "torchfakes.json",
            "examples",
            "detector/detector.json",
        ],
    ),
    ("course", "out"): (
        "course 00 --out {path}",
        ["index.html", "report.json", "torchfakes.json", "00_start_here.html"],
    ),
    ("bundle", "out"): ("bundle {path}/b.tar --no-wheels", ["b.tar", "b.tar.sha256"]),
    ("capstone", "folder"): ("capstone {path}", ["capstone.json", "clips"]),
    ("capstone", "key"): ("capstone {photo}-clips --key {path}/key.json", ["key.json"]),
    # Beside what is given.
    ("clips", "root"): ("clips {data}", ["clips.csv"]),
    ("verify", "root"): ("verify {data}", ["manifest.csv"]),
    ("evaluate", "run_folder"): (
        "evaluate {run} {faces}",
        [
            "scores.csv",
            "report.json",
            "report.html",
            "best/README.md",
        ],
    ),
    ("explain", "run_folder"): (
        "explain {run} {faces} --limit 2 --no-checks",
        [
            "explanations/torchfakes.json",
            "explanations/regions.csv",
            "explanations/overlays",
        ],
    ),
    ("export", "run_folder"): (
        "export {run} --format onnx --precision fp32",
        [
            "export/onnx/detector.json",
            "export/onnx/parity.md",
            "export/onnx/notes.txt",
        ],
    ),
}
# What is only read.
INPUTS = {
    ("clips", "from_csv"),
    ("extract", "root"),
    ("train", "faces"),
    ("train", "weights"),
    ("calibrate", "faces"),
    ("calibrate", "run_folder"),  # its detector.json alone is written: tests/evaluation/test_calibrate.py
    ("pull", "files"),
    ("evaluate", "faces"),
    ("evaluate", "scores"),
    ("evaluate", "seeds"),
    ("evaluate", "against"),
    ("evaluate", "cross"),
    ("evaluate", "films"),
    ("matrix", "faces"),
    ("matrix", "weights"),
    ("explain", "faces"),
    ("explain", "data"),
    ("explain", "random_labels"),
    ("predict", "run_folder"),
    ("predict", "network"),
    ("export", "faces"),
    ("push", "run_folder"),
    ("app", "run_folder"),
    ("app", "examples"),
    ("app", "auth"),
    ("space", "run_folder"),
    ("space", "data"),
    ("course", "notebooks"),
    ("capstone", "hand_in"),
    ("across", "run_folder"),
    ("recordings", "root"),  # without --out, recordings.csv is written there as by --out
    ("train-audio", "recordings"),
    ("evaluate-audio", "recordings"),
    ("evaluate-audio", "run_folder"),  # into which it writes scores.csv and audio.json
    ("predict", "audio"),
    ("app", "audio"),
    ("voices", "held"),
    ("voices", "own"),
    ("faces", "archive"),
    ("train-video", "clips"),
    ("train-video", "faces"),
    ("evaluate-video", "clips"),
    ("evaluate-video", "faces"),
    ("evaluate-video", "run_folder"),  # into which it writes windows.csv and film_report.json
}
PLACES = [key for key in OUTPUTS if key[1] not in ("root", "run_folder")]
NAMES = [(*key, name) for key, (_, names) in OUTPUTS.items() for name in names]


def test_every_option_that_is_a_path_is_known_here():
    found = {
        (name, action.dest.rpartition(".")[2])
        for name in COMMANDS
        for action in command_parser(name)._actions
        if action.type is Path or action.metavar == "RUN"
    }
    assert found <= set(OUTPUTS) | INPUTS, "say above what is written where, and what is read"


@pytest.fixture
def command(tmp_path, tiny_ffpp, tiny_faces, monkeypatch, capsys):
    """Runs a command whose results go to a path; gives status and what was said."""
    data = tmp_path / "data"
    shutil.copytree(tiny_ffpp, data, ignore=shutil.ignore_patterns("clips.csv", ".clips.csv*"))
    main(["clips", str(data)])
    photo = tmp_path / "photo.png"
    saved(portrait(0), photo)
    (tmp_path / "of").mkdir()
    run = small_run(tmp_path / "of")
    monkeypatch.setattr(pull, "pull", lambda *words: run / "best")
    photos = tmp_path / "people"
    (photos / "ada").mkdir(parents=True)
    shutil.copy(photo, photos / "ada")
    for kind in ("real", "fake"):
        voices.write(tmp_path / "speech" / kind / "a.wav", voices.spoken(0.5))
    places = {"data": data, "faces": tiny_faces / "faces.csv", "photo": photo, "photos": photos, "run": run,
              "speech": tmp_path / "speech", "recordings": voices.data_set(tmp_path / "voices")}  # fmt: skip
    capsys.readouterr()
    torch.manual_seed(0)

    def call(key, path: Path | None = None):
        words = [word.format(**places, path=path) for word in OUTPUTS[key][0].split()]
        status = main(words)
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return status, shown.err

    call.beside = {"root": data, "run_folder": run}
    return call


def snapshot(folder: Path) -> dict[str, tuple[object, int]]:
    """Every file below a folder: where a link leads, or content, and when it was changed."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


def unchanged(before, folder: Path) -> bool:
    now = snapshot(folder)
    return {name: now.get(name) for name in before} == before


@pytest.mark.parametrize("key", PLACES, ids="-".join)
@pytest.mark.parametrize("linked", [False, True])
def test_a_folder_full_of_somebody_elses_files(command, tmp_path, key, linked):
    place = theirs(tmp_path / "project" / "x", (*THEIRS, *OUTPUTS[key][1][:1]) if key[0] != "mini" else THEIRS)
    out = place
    if linked:
        out = tmp_path / "link"
        out.symlink_to(place)
    before = snapshot(tmp_path / "project")
    status, said = command(key, out)
    assert status == 2 and len(said.strip().splitlines()) == 1 and said.startswith("torchfakes: ")
    assert snapshot(tmp_path / "project") == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option", "file"), NAMES)
def test_one_file_of_somebody_else_by_the_name_of_ours(command, tmp_path, name, option, file):
    """Whether the command goes on or not."""
    place = command.beside.get(option, tmp_path / "x")
    (place / file).parent.mkdir(parents=True, exist_ok=True)
    if (place / file).is_dir():
        shutil.rmtree(place / file)
    (place / file).write_text("mine\n")
    record = place / f".{file}.sha256"
    record.unlink(missing_ok=True)
    before = snapshot(place)
    status, said = command((name, option), place)
    assert unchanged(before, place)
    assert status == 2 and len(said.strip().splitlines()) == 1 and str(tmp_path) in said


@pytest.mark.slow
@pytest.mark.parametrize(
    "key",
    [
        ("clips", "out"),
        ("extract", "out"),
        ("train", "out"),
        ("explain", "out"),
        ("predict", "heat_maps"),
        ("predict", "csv"),
        ("pull", "out"),
    ],
    ids="-".join,
)
def test_again_and_beside_neighbours_and_in_a_repository(command, tmp_path, key):
    """What is hidden is no reason to refuse, what is ours is no stranger's, and what is added stays."""
    place = theirs(tmp_path / "project" / "x", (".git/HEAD", ".gitignore"))
    before = snapshot(tmp_path / "project")
    assert len(before) == 2 + len(SIBLINGS)
    status, said = command(key, place)
    assert status == 0, said
    (place / "notes.txt").write_text("mine\n")
    (place / "crops").mkdir(exist_ok=True)
    (place / "crops" / "notes.txt").write_text("mine\n")
    status, said = command(key, place)
    assert status == 0, said
    assert unchanged(before, tmp_path / "project")
    assert (place / "notes.txt").read_text() == (place / "crops" / "notes.txt").read_text() == "mine\n"


# What of a command's own results may be a link to somebody's file, or to their folder.
LINKS = {
    ("clips", "root"): ["clips.csv", ".clips.csv.sha256"],
    ("verify", "root"): ["manifest.csv"],
    ("extract", "out"): ["extraction.json", "faces.csv"],
    ("train", "out"): ["config.json", "history.csv", "steps.csv", "last.safetensors", "best", "best/detector.json"],
    ("evaluate", "run_folder"): [
        "scores.csv",
        "report.json",
        "report.html",
        "best/README.md",
        "mistakes/01.jpg",
        "mistakes",
    ],
    ("explain", "run_folder"): ["explanations/torchfakes.json", "explanations/regions.csv", "explanations/overlays"],
    ("predict", "csv"): ["answers.csv"],
    ("pull", "out"): ["model.safetensors"],
}


@pytest.mark.slow
@pytest.mark.parametrize("key", LINKS, ids="-".join)
def test_a_link_among_our_own_results(command, tmp_path, key):
    """Neither it nor what it leads to is changed, though that looks like ours."""
    place = command.beside.get(key[1], tmp_path / "x")
    assert command(key, place)[0] == 0
    for name in LINKS[key]:
        theirs = tmp_path / "theirs" / name
        theirs.parent.mkdir(parents=True, exist_ok=True)
        (place / name).rename(theirs)
        if theirs.name == "model.safetensors":
            theirs.write_bytes(b"mine")
        (place / name).symlink_to(theirs)
        before = snapshot(tmp_path / "theirs")
        status, said = command(key, place)
        assert status == 2 and len(said.strip().splitlines()) == 1 and name.split("/")[0] in said, name
        assert snapshot(tmp_path / "theirs") == before and (place / name).readlink() == theirs, name
        (place / name).unlink()
        theirs.rename(place / name)


@pytest.mark.slow
def test_a_picture_of_somebody_else_among_the_mistakes(command, tmp_path):
    run = command.beside["run_folder"]
    (run / "mistakes").mkdir()
    saved(portrait(0), run / "mistakes" / "01.jpg")
    before = snapshot(run)
    status, said = command(("evaluate", "run_folder"))
    assert status == 2 and "01.jpg: is there, and not what would be written; move it away" in said
    assert snapshot(run) == before
    (run / "mistakes" / "01.jpg").rename(run / "mistakes" / "holiday.jpg")
    assert command(("evaluate", "run_folder"))[0] == command(("evaluate", "run_folder"))[0] == 0
    (run / "report.json").unlink()  # as after a run that was killed
    assert command(("evaluate", "run_folder"))[0] == 0
    assert (run / "mistakes" / "holiday.jpg").read_bytes() == before["mistakes/01.jpg"][0]


@pytest.mark.parametrize(("key", "name"), [(("predict", "csv"), "answers.csv"), (("train", "out"), "config.json"),
                                           (("evaluate", "run_folder"), "report.json")])  # fmt: skip
@pytest.mark.timeout(60)
def test_a_pipe_is_not_waited_for(command, tmp_path, key, name):
    place = command.beside.get(key[1], tmp_path / "x")
    place.mkdir(exist_ok=True)
    os.mkfifo(place / name)
    status, said = command(key, place)
    assert status == 2 and len(said.strip().splitlines()) == 1 and name in said


# Where work begins: nothing of it is done where its results cannot be kept.
WORK = {
    "mini": "datasets.mini.build._film_all",
    "across": "evaluation.across.score",
    "voices": "audio.voices._voice",
    "recordings": "audio.voices.read_recordings",
    "train-audio": "audio.learning._Learner",
    "faces": "faces.extraction._run",
    "mini-temporal": "datasets.mini.temporal._all",
    "train-video": "temporal.training._Trainer",
    "extract": "faces.extraction._run",
    "train": "training.run.Trainer",
    "matrix": "evaluation.cross_manipulation.train",
    "explain": "explanation.explain.score",
    "export": "export.export.describe",
    "evaluate": "evaluation.evaluate.score",
    "predict": "inference.predictor.Predictor.from_run",
    "verify": "datasets.verification.probe",
    "space": "app.space.package",
    "pull": "hub.pull.pull",
    "course": "course.runner._prepare",
    "bundle": "course.state.made",
    "capstone": "course.capstone._render",
    "clips": "io.tables.read_table",
}


@pytest.mark.slow
@pytest.mark.parametrize("key", OUTPUTS, ids="-".join)
def test_a_read_only_folder_is_found_before_the_work(command, tmp_path, monkeypatch, key):
    """As root everything may be written to: so the system says no by order."""

    def refuses(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    def works(*_, **__):
        pytest.fail("work was begun")

    before = snapshot(tmp_path)
    monkeypatch.setattr(f"torchfakes_utils.{WORK[key[0]]}", works)
    monkeypatch.setattr(tempfile, "mkdtemp", refuses)
    status, said = command(key, tmp_path / "x" / "y")
    assert status == 2 and len(said.strip().splitlines()) == 1
    assert "cannot write there (Permission denied); choose another" in said
    assert {name for name in snapshot(tmp_path) if not name.endswith("-lock")} == set(before)


def test_an_output_is_no_input(command, tmp_path):
    """Neither by another way to it, nor by a pattern."""
    key = ("predict", "csv")
    film = tmp_path / "x" / "answers.csv"
    film.parent.mkdir()
    shutil.copy(tmp_path / "photo.png", film)
    before = snapshot(tmp_path)
    (tmp_path / "link").symlink_to(film.parent)
    for place in (film.parent, tmp_path / "link", tmp_path / "x" / ".." / "x"):
        status, said = command(key, place)
        assert status == 2 and "answers.csv: is there, and not what would be written" in said
    assert unchanged(before, tmp_path)
