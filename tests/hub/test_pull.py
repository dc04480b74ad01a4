"""What is fetched and what is refused, through the Hub's real client, and one line for all that can go wrong."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import constants

from torchfakes_utils.cli import main, use
from torchfakes_utils.hub.pull import PULLED, pull, resolve
from torchfakes_utils.hub.push import push
from torchfakes_utils.io import hub_client
from torchfakes_utils.models.decision import OF_BEFORE
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.run_files import DETECTOR_FILE, LIKENESS_FILE, WEIGHTS_FILE

from helpers.hub import NAME, cached_files, contents, fails, liken, probabilities, published
from helpers.hub_server import OWNER, Fault

pytestmark = pytest.mark.slow

INFO = f"GET /api/models/{NAME}"


def test_a_commit_in_the_cache_needs_no_hub(bare, server):
    commit = push(bare, NAME).commit
    folder = pull(NAME)
    server.requests.clear()
    assert pull(NAME, commit) == folder
    assert server.requests == []
    server.requests.clear()
    assert pull(NAME) == folder
    assert server.seen("^GET .*resolve") == [], "asked for news, and fetched nothing again"


def test_offline_the_cache_answers(bare, server, monkeypatch, caplog):
    push(bare, NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE" in fails(pull, NAME)
    assert "HF_HUB_OFFLINE" in fails(push, bare, NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = pull(NAME)
    for fault in (Fault("^GET /api", 503), Fault("^GET /api", body=b"<html>a captive portal</html>")):
        server.faults[:] = [fault]
        assert pull(NAME) == folder
        assert f"commit {folder.name} from the cache" in caplog.text
        caplog.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert pull(NAME) == folder


def test_a_clear_no_is_not_answered_from_the_cache(bare, server):
    push(bare, NAME)
    pull(NAME)
    del server.repositories[NAME]
    assert "no such repository" in fails(pull, NAME)


def test_a_copy_is_whole_or_not_there(evaluated, bare, tmp_path, server, monkeypatch):
    push(evaluated, NAME)
    out = tmp_path / "copy"
    assert pull(NAME, out=out) == out
    assert sorted(path.name for path in out.iterdir()) == sorted({*PULLED} - {LIKENESS_FILE}), "it has none"
    assert not any(path.is_symlink() for path in out.iterdir())
    assert torch.equal(probabilities(out), probabilities(evaluated))
    assert pull(NAME, out=out) == out, "again"
    push(bare, NAME)
    assert "holds another detector" in fails(pull, NAME, out=out)
    assert "holds a training run" in fails(pull, NAME, out=bare)
    assert torch.equal(probabilities(out), probabilities(evaluated))

    def full(source, target):
        Path(target).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "No space left" in fails(pull, NAME, out=tmp_path / "second")
    assert list((tmp_path / "second").iterdir()) == []


def test_what_refuses_strange_faces_goes_with_the_detector(bare, tmp_path, server):
    likeness = liken(bare / "best")
    assert LIKENESS_FILE in push(bare, NAME).files
    out = pull(NAME, out=tmp_path / "copy")
    found = load_detector(out)
    assert torch.equal(found.likeness.centre, likeness.centre) and "distance" in found.decision.ranges
    (out / LIKENESS_FILE).write_bytes(b"half")
    assert f"{LIKENESS_FILE}: damaged or changed since it was saved" in fails(load_detector, out)
    pull(NAME, out=out)
    assert (out / LIKENESS_FILE).read_bytes() == (bare / "best" / LIKENESS_FILE).read_bytes()


def test_a_detector_without_the_likeness_that_it_speaks_of_is_refused(bare, server):
    liken(bare / "best")
    push(bare, NAME)
    repository = server.repositories[NAME]
    repository.commit({name: content for name, content in published(server).items() if name != LIKENESS_FILE})
    assert "is refused" in fails(pull, NAME) and LIKENESS_FILE in fails(pull, NAME)


def test_a_detector_of_before_is_fetched_and_says_what_to_do(bare, server, tmp_path):
    path = bare / "best" / DETECTOR_FILE
    description = json.loads(path.read_text())
    description["decision"] = {"threshold": 0.4, "temperature": 1.2, "ranges": {}, "notes": [], "caution": ""}
    path.write_text(json.dumps(description))
    push(bare, NAME)
    decision = load_detector(pull(NAME)).decision
    assert decision.silence == OF_BEFORE and "run `torchfakes calibrate`, or train again" in decision.silence


def test_an_address_stands_for_a_run(evaluated, tmp_path, server, caplog):
    commit = push(evaluated, NAME).commit
    folder = resolve(f"hf://{NAME}")
    assert folder.name == commit
    assert resolve(f"hf://{NAME}@{commit}") == resolve(Path(f"hf://{NAME}@main")) == folder
    work = resolve(f"hf://{NAME}", tmp_path / "work")
    assert work == tmp_path / "work" / f"{OWNER}--mini-detector-{commit[:12]}"
    assert commit in caplog.text
    (work / "report.html").write_text("measured here")
    (work / "README.md").write_text("measured here, too")
    assert resolve(f"hf://{NAME}", tmp_path / "work") == work
    assert (work / "report.html").read_text() + (work / "README.md").read_text() == "measured heremeasured here, too"


@pytest.mark.parametrize("path", ["runs/mini", "/data/runs/mini", "hf", "runs/hf:x", "run@2"])
def test_a_path_passes_through_untouched(path, server):
    assert resolve(path) == resolve(Path(path)) == Path(path)
    assert server.requests == []


def test_a_path_needs_no_client_of_the_hub():
    program = (
        "import sys; from torchfakes_utils.hub import pull; pull.resolve('runs/mini'); "
        "sys.exit('huggingface_hub' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_an_address_is_pulled_as_a_name_with_its_revision(evaluated, bare, server):
    first, second = (push(run, NAME).commit for run in (bare, evaluated))
    assert pull(f"hf://{NAME}").name == pull(f"hf://{NAME}@{second}").name == second
    assert pull(f"hf://{NAME}@{first}").name == first
    assert pull(f"hf://{NAME}@{second}", first).name == first, "what is said apart counts"


def test_tampered_weights_are_refused(bare, tmp_path, server):
    files = contents(bare)
    weights = bytearray(files[WEIGHTS_FILE])
    weights[-3] ^= 1
    server.add(NAME, files | {WEIGHTS_FILE: bytes(weights)})
    line = fails(pull, NAME, out=tmp_path / "out")
    assert "is refused" in line and "SHA-256" in line and "tell its owner" in line
    assert not (tmp_path / "out").exists()


def test_what_is_said_of_damage_in_the_cache_helps(bare, tmp_path, server, capsys):
    """The client takes what it has for sound, so that nothing but deleting it brings another."""
    push(bare, NAME)
    folder = pull(NAME)
    (folder / WEIGHTS_FILE).resolve().write_bytes(b"half")
    assert main.main(["predict", f"hf://{NAME}", "photo.jpg"]) == 2
    said = capsys.readouterr().err
    named = re.search(r"; delete (\S+) and start the same command again", said)[1]
    assert Path(named).is_relative_to(tmp_path / "cache") and f"delete {named} and pull again" in fails(pull, NAME)
    shutil.rmtree(named)
    assert main.main(["predict", f"hf://{NAME}", "photo.jpg"]) == 2, "there is no such photo"
    assert "damaged" not in capsys.readouterr().err
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare))


@pytest.mark.parametrize("how", ["half", "gone", "no description"])
def test_what_is_said_of_damage_in_a_copy_helps(bare, tmp_path, server, capsys, how):
    push(bare, NAME)
    out = pull(NAME, out=tmp_path / "copy")
    damaged = out / (DETECTOR_FILE if how == "no description" else WEIGHTS_FILE)
    damaged.unlink() if how != "half" else damaged.write_bytes(damaged.read_bytes()[:1000])
    assert main.main(["predict", str(out), "photo.jpg"]) == 2
    assert "pull" in capsys.readouterr().err
    assert torch.equal(probabilities(pull(NAME, out=out)), probabilities(bare))


@pytest.mark.parametrize("description", [b"{}", b"[1]", b"not JSON", b'{"format": 99, "preprocessing_version": 1}'])
def test_a_description_of_something_else_is_refused(description, bare, server):
    server.add(NAME, contents(bare) | {DETECTOR_FILE: description})
    assert "is refused" in fails(pull, NAME)


def test_pickles_are_never_fetched(bare, tmp_path, server):
    bomb = {"pytorch_model.bin": b"\x80\x04cos\nsystem\n", "detector.pkl": b"x", "modeling.py": b"raise SystemExit"}
    server.add(NAME, bomb | {DETECTOR_FILE: b"{}"})
    line = fails(pull, NAME)
    assert "pickled" in line and "run code" in line and WEIGHTS_FILE in line
    # Beside sound weights they are left where they are.
    server.add(NAME, contents(bare) | bomb)
    assert sorted(path.name for path in pull(NAME).iterdir()) == sorted([DETECTOR_FILE, WEIGHTS_FILE])
    assert server.seen(r"\.bin|\.pkl|\.py") == []


@pytest.mark.parametrize("missing", [DETECTOR_FILE, WEIGHTS_FILE])
def test_a_repository_of_something_else_is_refused(missing, bare, server):
    files = contents(bare)
    del files[missing]
    server.add(NAME, files)
    assert f"holds no {missing}" in fails(pull, NAME)
    assert server.seen("resolve") == []


@pytest.mark.parametrize(
    ("file", "size"), [(WEIGHTS_FILE, 10**13), (DETECTOR_FILE, 10**8), ("README.md", 10**9), (WEIGHTS_FILE, None)]
)
def test_absurd_sizes_are_refused_before_anything_is_fetched(file, size, bare, server):
    server.add(NAME, contents(bare) | {"README.md": b"---\n---\n"}).claimed_sizes = {file: size}
    line = fails(pull, NAME)
    assert f"{file} is " in line and "MB" in line
    assert server.seen("resolve|storage") == []


def test_names_that_lead_out_of_the_folder_are_never_written(bare, tmp_path, server):
    up = "../"
    traps = (f"{up * 2}trap", f"{up * 9}tmp/trap", "/trap", f"a/{up * 2}trap", "..\\trap", "best/trap", "trap/x.bin")
    server.add(NAME, contents(bare) | dict.fromkeys(traps, b"caught"))
    folder = pull(NAME, out=tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == sorted([DETECTOR_FILE, WEIGHTS_FILE])
    assert server.seen("trap") == []
    assert not [path for path in tmp_path.rglob("*") if "trap" in path.name]


def test_a_commit_that_is_none_is_not_made_a_path(bare, tmp_path, server):
    repository = server.add(NAME, contents(bare))
    repository.commits["../../../trap"] = repository.commits[repository.branches["main"]]
    repository.branches["main"] = "../../../trap"
    assert "names no commit" in fails(pull, NAME)
    assert cached_files(tmp_path) == []


def test_a_repository_that_changes_meanwhile_is_looked_at_again(bare, server, monkeypatch):
    push(bare, NAME)
    real = huggingface_hub.HfApi.hf_hub_download

    def changing(*words, **options):
        server.repositories[NAME].commit(published(server), title="quickly")
        return real(*words, **options)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(huggingface_hub.HfApi, "hf_hub_download", changing)
        assert "changed just now" in fails(pull, NAME)
    assert pull(NAME).name == server.repositories[NAME].branches["main"]


def test_a_public_detector_takes_no_token(bare, server, monkeypatch):
    push(bare, NAME, private=False)
    push(bare, f"{OWNER}/hidden")
    monkeypatch.delenv("HF_TOKEN")
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare))
    line = fails(pull, f"{OWNER}/hidden")
    assert "private one" in line and "hf auth login" in line


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(INFO, 401), "does not let you in (401)"),
        (Fault(INFO, 401, "RepoNotFound"), "no such repository on the Hub, or a private one"),
        (Fault(INFO, 403, message="not for you"), "forbids it (403: not for you)"),
        (Fault(INFO, 403, "GatedRepo", "ask for access"), "it is gated: its owner gives it to those alone who have"),
        (Fault(INFO, 401, "GatedRepo"), "accept them at http://127.0.0.1:"),
        (Fault(INFO, 404, "RepoNotFound"), "no such repository"),
        (Fault(INFO, 404), "(404)"),
        (Fault(INFO, 429), "wait some minutes"),
        (Fault(INFO, 500, message="out of order"), "trouble of its own (500: out of order)"),
        (Fault(INFO, 418, message="a teapot"), "refuses this (418: a teapot)"),
        (Fault(INFO, body=b"<html>"), "that failed"),
        (Fault(INFO, body=b"[]"), "that failed"),
        (Fault(INFO, silent=True), "did not answer in time"),
        (Fault(INFO, keep=0.5), "that failed"),
        (Fault("HEAD .*/resolve/", 503), "(503)"),
        (Fault("HEAD .*safetensors", 404, "EntryNotFound"), "(404"),
        (Fault("GET /storage/", 401), "localhost, which keeps its files for the Hub, refuses this (401)"),
        (Fault("GET /storage/", 403), "localhost, which keeps its files for the Hub, refuses this (403)"),
        (Fault("GET /storage/", 500), "(500"),
        (Fault("GET /storage/", keep=0.5), "that failed"),
        (Fault("GET /storage/", body=b"short"), "that failed"),
        (Fault("GET .*detector.json", body=b"{}"), "that failed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_every_fault_of_a_pull_is_one_line_and_leaves_nothing_behind(fault, words, bare, tmp_path, server, monkeypatch):
    monkeypatch.setattr(hub_client, "TIMEOUT", 0.3)
    server.add(NAME, contents(bare))
    server.faults.append(fault)
    line = fails(pull, NAME)
    assert words in line and line.startswith(f"{NAME}: ")
    assert not [path for path in cached_files(tmp_path) if path.name == WEIGHTS_FILE or "incomplete" in path.name]
    server.faults.clear()
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare)), "again, it goes well"


def test_a_download_that_breaks_off_once_goes_on(bare, server):
    server.add(NAME, contents(bare))
    server.faults.append(Fault("GET /storage/", keep=0.5, times=1))
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare))
    assert len(server.seen("GET /storage/")) == 2


@pytest.mark.parametrize("when", ["makedirs", "write"])
def test_a_full_disk_while_pulling_is_one_line(when, bare, tmp_path, server, monkeypatch):
    server.add(NAME, contents(bare))
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def tell(self):
            return 0

        def write(self, data):
            self.file.write(data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(path, mode="r", *rest, **options):
        file = real(path, mode, *rest, **options)
        return Full(file) if mode == "wb" and "incomplete" in path.name else file

    def refused(path, *rest, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        if when == "write":
            patched.setattr(Path, "open", opened)
        else:
            patched.setattr(os, "makedirs", refused)
        line = fails(pull, NAME)
    assert "cache cannot be written (No space left on device)" in line and "HF_HOME" in line
    assert not [path for path in cached_files(tmp_path) if "incomplete" in path.name]
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare)), "again, with room"


def test_commands_take_an_address_for_a_run(evaluated, tiny_faces, tmp_path, server, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    commit = push(evaluated, NAME).commit
    asked = []
    monkeypatch.setattr(use.Predict, "run", lambda command, output: asked.append(command.fetched()) or 0)
    assert main.main(["predict", f"hf://{NAME}@{commit}", "photo.jpg"]) == 0
    assert main.main(["predict", "runs/mini", "photo.jpg"]) == 0
    assert asked[0].name == commit and asked[0].is_relative_to(tmp_path / "cache")
    assert asked[1] == Path("runs/mini")
    pull(NAME)
    before = {path: path.read_bytes() for path in cached_files(tmp_path)}
    assert main.main(["evaluate", f"hf://{NAME}", str(tiny_faces / "faces.csv"), "--replicates", "100"]) == 0
    work = Path("runs") / f"{OWNER}--mini-detector-{commit[:12]}"
    assert (work / "report.html").is_file() and str(work) in capsys.readouterr().out
    assert {path: path.read_bytes() for path in cached_files(tmp_path)} == before, "nothing is written into the cache"
