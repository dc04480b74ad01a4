"""What is published and what is not, through the Hub's real client, and one line for all that can go wrong."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys

import huggingface_hub
import pytest
import torch

from torchfakes_utils.cli import main
from torchfakes_utils.hub import package
from torchfakes_utils.hub.pull import PULLED, pull
from torchfakes_utils.hub.push import push
from torchfakes_utils.io import hub_client
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.run_files import DETECTOR_FILE, LIKENESS_FILE, WEIGHTS_FILE

from helpers.hub import NAME, contents, fails, probabilities, published, small
from helpers.hub_server import GUEST, OWNER, TOKEN, Fault

pytestmark = pytest.mark.slow

INFO = f"GET /api/models/{NAME}"


def test_what_is_pushed_comes_back_the_same(evaluated, server):
    pushed = push(evaluated, NAME, message="first")
    files = set(package.FILES) - {LIKENESS_FILE}  # it has none
    assert set(published(server)) == files == set(pushed.files)
    assert (pushed.url, pushed.notes, pushed.private) == (f"{server.url}/{NAME}", [], True)
    assert server.repositories[NAME].private and server.repositories[NAME].titles[-1] == "first"
    folder = pull(NAME)
    assert folder.name == pushed.commit == server.repositories[NAME].branches["main"]
    assert {path.name for path in folder.iterdir()} == set(PULLED) - {LIKENESS_FILE} == files - {"report.html"}
    assert (folder / WEIGHTS_FILE).read_bytes() == (evaluated / "best" / WEIGHTS_FILE).read_bytes()
    assert (folder / "README.md").read_bytes() == (evaluated / "best" / "README.md").read_bytes()
    assert load_detector(folder).decision == load_detector(evaluated).decision
    assert torch.equal(probabilities(folder), probabilities(evaluated))


def test_nothing_but_the_listed_files_leaves_the_machine(bare, server):
    pushed = push(bare, NAME)
    assert set(published(server)) == {DETECTOR_FILE, WEIGHTS_FILE, "README.md"} == set(pushed.files)
    assert b"private" not in b"".join(published(server).values())
    assert (bare / "best" / "README.md").exists() is False, "the run is as it was"


def test_a_detector_that_was_never_evaluated_says_so_in_its_card(bare, server):
    (note,) = push(bare, NAME).notes
    assert "never evaluated" in note and "torchfakes evaluate" in note
    card = huggingface_hub.ModelCard(published(server)["README.md"].decode())
    assert "never evaluated" in card.text and "Meso4 at 64 px" in card.text
    assert "It gives no verdict: its thresholds and temperature were never fixed" in card.text
    assert "A verdict compares a face with clips" in card.text
    assert card.data.library_name == "torchfakes" and card.data.eval_results is None


def test_no_face_and_no_clips_name_is_published(evaluated, tiny_faces, server):
    push(evaluated, NAME)
    files = published(server)
    own = json.loads((evaluated / "report.json").read_text())
    theirs = json.loads(files["report.json"])
    assert own["mistakes"] and "data:image/jpeg" in (evaluated / "report.html").read_text(), "else nothing is tested"
    assert [one["probability_fake"] for one in theirs["mistakes"]] == [
        one["probability_fake"] for one in own["mistakes"]
    ]
    assert {one["clip_id"] for one in theirs["mistakes"]} == {""}
    assert theirs | {"mistakes": []} == own | {"mistakes": []}
    page = files["report.html"].decode()
    figures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert figures and "image/jpeg" not in page and "Left out" in page and "By manipulation" in page
    text = re.sub(r"data:[^\"]+", "", page) + "".join(base64.b64decode(figure).decode() for figure in figures)
    for clip in {one["clip_id"] for one in own["mistakes"] if "_" in one["clip_id"]}:
        assert clip not in text


def test_paths_in_a_description_are_not_published(bare, server):
    path = bare / "best" / DETECTOR_FILE
    described = json.loads(path.read_text())
    described["extra"] = {"run": {"weights": "/home/ada/secret project/vgg.pt", "data": str(bare)}}
    path.write_text(json.dumps(described))
    notes = push(bare, NAME).notes
    assert any(DETECTOR_FILE in note and "2 paths" in note for note in notes)
    everything = b"".join(published(server).values())
    assert b"/home/ada" not in everything and str(bare.parent).encode() not in everything
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare))


def test_a_report_about_other_weights_is_refused(evaluated, tmp_path, server):
    run = tmp_path / "run"
    shutil.copytree(evaluated, run)
    small(run, seed=5)
    assert "measured with other weights" in fails(push, run, NAME)
    assert server.requests == [], "found out before anything was sent"


def test_a_second_push_replaces_the_first_and_takes_back_its_report(evaluated, bare, server):
    first = push(evaluated, NAME)
    again = push(evaluated, NAME)
    assert published(server)["report.json"]
    second = push(bare, NAME)
    assert len({first.commit, again.commit, second.commit}) == 3
    assert set(published(server)) == {DETECTOR_FILE, WEIGHTS_FILE, "README.md"}
    assert torch.equal(probabilities(pull(NAME)), probabilities(bare))
    pinned = pull(NAME, first.commit)
    assert torch.equal(probabilities(pinned), probabilities(evaluated))


def test_private_unless_said_otherwise(bare, server):
    assert not push(bare, f"{OWNER}/open", private=False).private
    assert not server.repositories[f"{OWNER}/open"].private
    before = len(server.repositories[f"{OWNER}/open"].commits)
    assert "public; say --public" in fails(push, bare, f"{OWNER}/open")
    assert len(server.repositories[f"{OWNER}/open"].commits) == before
    assert push(bare, NAME).private
    pushed = push(bare, NAME, private=False)
    assert pushed.private and any("stays private" in note for note in pushed.notes)


def test_a_branch_is_made_and_pulled(evaluated, bare, server):
    push(evaluated, NAME)
    push(bare, NAME, revision="trial")
    assert torch.equal(probabilities(pull(NAME, "trial")), probabilities(bare))
    assert torch.equal(probabilities(pull(NAME)), probabilities(evaluated))
    assert "report.json" not in published(server, "trial")


def test_to_push_takes_a_token(bare, server, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    line = fails(push, bare, NAME)
    assert "hf auth login" in line and "HF_TOKEN" in line
    assert server.requests == []


def test_a_token_that_is_wrong_or_somebody_elses(bare, server, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    for call in (lambda: push(bare, NAME), lambda: pull(NAME)):
        line = fails(call)
        assert "does not let you in (401" in line and "hf auth login" in line and "hf_wrong" not in line
    monkeypatch.setenv("HF_TOKEN", GUEST)
    assert "(403: You don't have the rights" in fails(push, bare, NAME)
    server.add(NAME, contents(bare))
    assert "(403: You need write access" in fails(push, bare, NAME, private=False)
    assert len(server.repositories[NAME].commits) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(INFO, silent=True), "did not answer in time"),
        (Fault("POST /api/repos/create", 500), "(500)"),
        (Fault("POST /api/repos/create", 402, message="private storage is full"), "402: private storage is full"),
        (Fault("validate-yaml", 400), "refuses this (400: Invalid metadata in README.md"),
        (Fault("preupload", 403, message="read-only token"), "(403: read-only token)"),
        (Fault("preupload", 503), "(503)"),
        (Fault("objects/batch", 500), "(500)"),
        (Fault("PUT /storage/", 500), "localhost, which keeps its files for the Hub, has trouble of its own (500)"),
        (Fault("PUT /storage/", 403), "localhost, which keeps its files for the Hub, refuses this (403)"),
        (Fault("POST .*/commit/", 409, message="the branch has moved"), "(409: the branch has moved); try again"),
        (Fault("POST .*/commit/", 413), "refuses this (413)"),
        (Fault("POST .*/commit/", 500), "(500)"),
        (Fault("POST .*/commit/", keep=0.3), "that failed"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else None,
)
def test_every_fault_of_a_push_is_one_line(fault, words, bare, server, monkeypatch):
    monkeypatch.setattr(hub_client, "TIMEOUT", 0.3)
    server.faults.append(fault)
    line = fails(push, bare, NAME)
    assert words in line and line.startswith(f"{NAME}: ") and TOKEN not in line
    server.faults.clear()
    assert push(bare, NAME).private
    assert set(published(server)) == {DETECTOR_FILE, WEIGHTS_FILE, "README.md"}


def test_nothing_to_push(tmp_path, bare, server):
    assert "no detector here" in fails(push, tmp_path / "nothing", NAME)
    (bare / "best" / WEIGHTS_FILE).write_bytes(b"changed")
    assert "damaged or changed" in fails(push, bare, NAME)
    assert server.requests == []


def test_the_command_pushes_and_pulls_as_a_user_does_it(evaluated, tmp_path, server):
    environment = os.environ | {
        "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN, "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH"):
        environment.pop(variable, None)

    def run(*arguments, **changed):
        command = [sys.executable, "-m", "torchfakes_utils", *map(str, arguments)]
        return subprocess.run(command, env=environment | changed, capture_output=True, text=True, cwd=tmp_path)

    result = run("push", evaluated, NAME, "--message", "by hand", "--json")
    assert result.returncode == 0, result.stderr
    (pushed,) = map(json.loads, result.stdout.splitlines())
    assert pushed["commit"] == server.repositories[NAME].branches["main"] and pushed["private"] is True
    result = run("pull", NAME, "--revision", pushed["commit"], "--out", "mine", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"name": NAME, "commit": pushed["commit"], "folder": "mine"}
    assert torch.equal(probabilities(tmp_path / "mine"), probabilities(evaluated))
    result = run("push", evaluated, NAME, HF_TOKEN="")
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("\n") == 1 and "hf auth login" in result.stderr


def test_the_command_says_what_was_pushed_and_pulled(bare, server, capsys):
    assert main.main(["push", str(bare), NAME, "--public"]) == 0
    shown = capsys.readouterr()
    commit = server.repositories[NAME].branches["main"]
    assert f"{server.url}/{NAME} (public)" in shown.out and f"hf://{NAME}@{commit}" in shown.out
    assert "never evaluated" in shown.err
    assert main.main(["pull", NAME]) == 0
    assert f"{NAME} at commit {commit} is in " in capsys.readouterr().out
    assert main.main(["pull", f"{OWNER}/nothing"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "no such repository" in shown.err
