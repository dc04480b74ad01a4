"""What people hand over (tests/cases), given to the commands and to the app: each is answered, and nobody is hurt.

`predict` gets all that it is for at once, in one folder; the app gets the same, one file after the other, but for three
that take long; each other command gets its own, one by one.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from torchfakes_utils.app import server
from torchfakes_utils.cli.main import main
from torchfakes_utils.cli.predict import line
from torchfakes_utils.hub import pull
from torchfakes_utils.inference.verdict import FaceVerdict, FrameVerdict, Prediction

from cases import CASES
from cases.registry import Case, digests
from cases.runs import WORD
from cases.runs import run as small_run
from cases.table import JUDGED, QUOTED
from cases.weights import SPRUNG
from helpers.app import client, started
from helpers.crops import make_faces
from helpers.memory import Peaks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures and limits memory as Linux has it")

# What docs/limits.md allows: to the process that reads, and to the one that judges what was read.
READING = JUDGING = 3 * 2**30
# These take more than a minute between them, in the reader that all share: `predict` meets them for all.
COSTLY = ("8K at 1,000 frames a second", "an hour of a still 4K", "a long GIF")
# Whoever takes all of these has no bound; the machine has to live on.
MOST_ADDRESSES, MOST_SECONDS = 16 * 2**30, 1200


def bounded():
    """Called in a process before it becomes one of ours."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def command(*words):
    return [sys.executable, "-m", "torchfakes_utils", *map(str, words)]


def shown(path: Path | str) -> str:
    """A path as JSON has it, which is text."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def watched(words: list[str], folder: Path, answers: Path) -> SimpleNamespace:
    """A command, its temporary files in a folder: status, what it says beside its answers, and what it takes."""
    environment = os.environ | {"TMPDIR": str(folder), "OMP_WAIT_POLICY": "PASSIVE"}
    with (folder / "said.txt").open("w") as said, answers.open("w") as output:
        process = subprocess.Popen(words, stdout=output, stderr=said, env=environment, preexec_fn=bounded)
        peaks = Peaks(process.pid)
        try:
            status = process.wait(MOST_SECONDS)
        finally:
            process.kill()
    return SimpleNamespace(status=status, said=(folder / "said.txt").read_text(), peaks=peaks)


# predict


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    """A run whose detector has seen no face below 70 pixels."""
    folder = tmp_path_factory.mktemp("detector")
    return small_run(folder, lambda description: description["decision"].update(ranges={"face": [70.0, None]}))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """One folder with all that `predict` is for, and what of it is each case's own."""
    root = tmp_path_factory.mktemp("corpus")
    places = {}
    for number, name in enumerate(JUDGED):
        folder = root / f"{number:03d}"
        folder.mkdir()
        path = CASES[name].make(folder)
        places[name] = folder if CASES[name].command.endswith("{folder}") else path
    return SimpleNamespace(root=root, places=places, before=digests(root))


@pytest.fixture(scope="module")
def judged(corpus, detector, tmp_path_factory):
    """What one `predict` says of it all, and what it takes."""
    out = tmp_path_factory.mktemp("answers")
    words = command("predict", detector, corpus.root, "--json", "--csv", out / "answers.csv", "--device", "cpu")
    found = watched(words, out, out / "answers.jsonl")
    found.records = [json.loads(one) for one in (out / "answers.jsonl").read_text().splitlines()]
    found.out = out
    return found


def files(root: Path) -> list[str]:
    """What `predict` is to say something of: files and, not entered, links to folders."""
    found = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    linked = [Path(folder, name) for folder, below, _ in os.walk(root) for name in below]
    return [shown(path) for path in [*found, *(path for path in linked if path.is_symlink())]]


def said_of(record: dict) -> str:
    """A record as lines for people."""
    faces = [
        FaceVerdict(**face | {"face": face["face"] - 1, "frames": [FrameVerdict(**one) for one in face["frames"]]})
        for face in record["faces"]
    ]
    return line(Prediction(**record | {"faces": faces}))


def below(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


@pytest.mark.slow
def test_predict_answers_every_file_of_the_corpus_in_one_line(corpus, judged):
    assert judged.status == 1, judged.said[-3000:]  # some could not be judged
    assert Counter(record["path"] for record in judged.records) == Counter(files(corpus.root))
    wrong = []
    for record in judged.records:
        reason, (first, *people) = record["reason"], said_of(record).split("\n")
        assert reason and len(reason) < 400 and reason.isprintable(), reason
        assert first.startswith(record["verdict"]) and first.isprintable() and len(people) < 200
        unsure = record["probability_fake"] is None or reason.endswith("faces could not be judged")
        assert unsure == (record["verdict"] == "cannot tell"), record
        assert "unexpected" not in reason and "crashed" not in reason, record
    for name, place in corpus.places.items():
        own = [record for record in judged.records if below(record["path"], shown(place))]
        text = "\n".join(map(said_of, own))
        if not own or not CASES[name].answered(text) or QUOTED.get(name, "") not in text:
            wrong.append(f"{name}: {text[:500]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_predict_says_nothing_else_and_writes_nothing_else(corpus, judged):
    assert "Traceback" not in judged.said
    notes = judged.said.splitlines()
    assert 0 < len(notes) < 10 and all(note.startswith("torchfakes: ") and note.isprintable() for note in notes), notes
    assert digests(corpus.root) == corpus.before
    assert {path.name for path in judged.out.iterdir()} == {"said.txt", "answers.jsonl", "answers.csv"}


@pytest.mark.slow
def test_predict_takes_no_more_memory_than_it_may(judged):
    readers = judged.peaks.children.values()
    print(f"judging {judged.peaks.own / 2**20:.0f} MiB, reading {max(readers) / 2**20:.0f} MiB")
    assert judged.peaks.own < JUDGING
    assert readers and max(readers) < READING


# clips and extract


@pytest.mark.slow
def test_extract_names_what_gives_no_face(corpus, tmp_path):
    """The same photos and films as a data set: each gives faces or has its line, and it is the process that works which
    opens them."""
    root, names = tmp_path / "set", []
    places = [place for name, place in corpus.places.items() if place.is_file() and name not in COSTLY]
    for number, place in enumerate(places):
        names.append(f"{('real', 'fake')[number % 2]}/{number:03d}{place.suffix}")
        (root / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, root / names[-1])
    for words in (["clips", root], ["extract", root, "--out", tmp_path / "faces", "--frames", 8, "--device", "cpu"]):
        found = watched(command(*words), tmp_path, tmp_path / "answers.txt")
        assert found.status in (0, 1) and "Traceback" not in found.said and "unexpected" not in found.said, found.said
        assert all(note.startswith("torchfakes: ") and note.isprintable() for note in found.said.splitlines())
    print(f"extracting {found.peaks.own / 2**20:.0f} MiB")
    assert found.peaks.own < JUDGING
    listed = pd.read_csv(root / "clips.csv", dtype=str)
    # By their names, songs and raw photos are none of it.
    assert set(listed["path"]) == {name for name in names if not name.endswith((".m4a", ".dng"))}
    faces, failures = (pd.read_csv(tmp_path / f"faces/{name}.csv", dtype=str) for name in ("faces", "failures"))
    assert set(faces["clip_id"]) | set(failures["clip_id"]) == set(listed["clip_id"])
    assert not set(faces["clip_id"]) & set(failures["clip_id"])
    assert not failures["reason"].str.contains("--", regex=False).any(), "extract has no such option"
    assert failures["reason"].str.len().between(10, 400).all() and failures["reason"].map(str.isprintable).all()


# The app


@pytest.fixture(scope="module")
def served(detector, tmp_path_factory):
    with started(command("app", detector, "--json", "--device", "cpu"), tmp_path_factory.mktemp("served")) as served:
        served.peaks = Peaks(served.process.pid)
        yield served


@pytest.mark.slow
def test_the_app_answers_every_file_of_the_corpus_in_one_line(corpus, served):
    """By its endpoints, as programs use them; what is no film is one for `judge_video`, too."""
    from gradio_client import handle_file

    connection = client(served.url)
    for name, place in corpus.places.items():
        if name in COSTLY:
            continue
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if not path.is_file() or path.is_symlink() or not path.name.isprintable():
                continue  # there is nothing to send, or no client sends such a name
            endpoint = "judge_photo" if path.suffix in (".png", ".jpg") else "judge_video"
            answer = connection.predict(handle_file(path), api_name=f"/{endpoint}")
            assert answer["verdict"] in ("fake", "real", "cannot tell"), name
            reason = answer["reason"]
            assert reason and len(reason) < 400 and reason.isprintable(), reason
            assert "unexpected" not in reason and "crashed" not in reason and str(served.temporary) not in reason
    assert served.process.poll() is None, "and it lives on"
    assert client(served.url).predict(handle_file(corpus.places["whole"]), api_name="/judge_photo")["faces"]
    said = served.said.read_text()
    assert "Traceback" not in said, said[-3000:]
    readers = served.peaks.children.values()
    print(f"judging {served.peaks.own / 2**20:.0f} MiB, reading {max(readers) / 2**20:.0f} MiB")
    assert served.peaks.own < JUDGING
    assert max(readers) < READING


# The other commands


OTHERS = [one for one in CASES.values() if one.command not in ("predict {run} {path}", "predict {run} {folder}")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A small data set with its clips.csv, crops with their faces.csv, and a lesson."""
    from cases.folders import faceforensics

    folder = tmp_path_factory.mktemp("shared")
    data = faceforensics(folder / "data")
    main(["clips", str(data)])
    faces = make_faces(folder / "faces", size=64, frames=2)
    (folder / "notebooks").mkdir()
    lesson = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebooks" / "00_nothing.ipynb").write_text(json.dumps(lesson))
    return SimpleNamespace(data=data, faces=faces, notebooks=folder / "notebooks")


@pytest.fixture
def places(shared, tmp_path):
    """What commands are given beside a case, and a folder for that."""
    folder = tmp_path / "case"
    folder.mkdir()
    (tmp_path / "detector").mkdir()
    run = small_run(tmp_path / "detector")
    return {"folder": folder, "run": run, "data": shared.data, "faces": shared.faces}


@pytest.fixture
def unplugged(monkeypatch, places):
    """The app ends as soon as it answers, and what is pulled is there."""

    def serve(run, config, device, ready):
        predictor = server.Predictor.from_run(run, device, limits=config.limits.media)
        with server.Served(predictor, config) as served:
            ready(served)

    monkeypatch.setattr(server, "serve_run", serve)
    monkeypatch.setattr(pull, "pull", lambda *words: places["run"] / "best")


def in_process(words: list[str], capsys) -> tuple[int, str]:
    try:
        status = main(words)
    except SystemExit as error:  # wrong usage
        status = error.code
    said = capsys.readouterr()
    return status, said.out + said.err


def alone(words: list[str], capsys) -> tuple[int, str]:
    done = subprocess.run(
        command(*words), capture_output=True, text=True, errors="replace", timeout=300, preexec_fn=bounded, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("case", OTHERS, ids=lambda one: one.name)
def test_each_command_answers_what_it_is_given(case: Case, places, shared, unplugged, capsys):
    folder = places["folder"]
    places["path"] = case.make(folder)
    before = digests(folder)
    said, named = "", set()
    for words in case.commands(**places):
        named |= {Path(word) for word in words if word.startswith(str(folder))}
        more = ["--notebooks", str(shared.notebooks)] if words[0] == "course" else []
        status, text = (alone if case.hungry else in_process)([*words, *more], capsys)
        said += text
        assert status in (0, 1, 2), text
        assert "Traceback" not in text and "unexpected" not in text, text
        assert all(one.isprintable() for one in text.splitlines()), text
        if status == 2:
            *_, last = text.splitlines()
            assert last.startswith("torchfakes: ") and len(last) < 1000, text
            break
    assert case.answered(said.replace(str(folder), "")), said
    assert QUOTED.get(case.name, "") in said
    unharmed(folder, before, named, said)


# What a command is there to change, and says so, though a case has made it: a link to a film that is no use (where it
# leads to, nothing happens), a detector that gets a threshold.
CHANGED = {
    "; deleted": "set/original_sequences/youtube/c23/videos/000.mp4",
    "had no threshold of its own": "run/best/detector.json",
}


def unharmed(folder: Path, before: dict[str, str], named: set[Path], said: str) -> None:
    """Nothing of somebody else's is gone or changed, what is new is where it was wanted, and no secret is in it."""
    after = digests(folder)
    allowed = {name for words, name in CHANGED.items() if words in said}
    assert {name for name, content in before.items() if after.get(name) != content} <= allowed
    assert not (folder / SPRUNG).exists()
    for path in (folder / name for name in after.keys() - before.keys()):
        wanted = any(path.is_relative_to(place) or path == place.with_name(f".{place.name}.sha256") for place in named)
        assert wanted, path
        assert WORD.encode() not in path.read_bytes(), path
