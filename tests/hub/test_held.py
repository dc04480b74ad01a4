"""A folder that holds a published detector already: which commit it is of, and which was asked for; and its damage."""

import os
import shutil
from dataclasses import replace

import pytest
import torch

from torchfakes_utils.cli import main
from torchfakes_utils.hub.catalogue import FACEFORENSICS
from torchfakes_utils.hub.published import pull_published
from torchfakes_utils.models.detector import load_detector

from helpers.gend import files
from helpers.hub import fails, liken
from helpers.hub_server import Fault
from helpers.published import KIND, NAME, WEIGHTS, fetched_by_hand, move_on, serve, visible, yes

pytest.importorskip("timm", minversion="1.0.20")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("gend")]


@pytest.fixture
def repository(run, server):
    """Theirs, and a folder that its first commit was pulled to; what comes then, may fetch nothing."""
    repository = serve(server)
    pull_published(NAME, run, yes)
    server.requests.clear()
    return repository


def again(run, server, caplog, revision=None, files=None):
    """What is said when it is pulled once more, of which nothing is fetched."""
    caplog.clear()
    assert pull_published(NAME, run, None, files, revision) == run
    assert server.seen("resolve|storage") == []
    return caplog.text


def test_it_says_which_commit_is_there_and_which_is_newest(run, server, repository, caplog):
    first = repository.branches["main"]
    assert f"holds {NAME} at commit {first}, which is the newest" in again(run, server, caplog)
    second = move_on(repository)
    said = again(run, server, caplog)
    assert f"at commit {first}; the newest is {second}: to have that, choose another folder, or delete this one" in said
    shutil.rmtree(run)
    pull_published(NAME, run, yes)
    assert load_detector(run).extra["published"]["revision"] == second, "as it said"


def test_a_commit_that_changes_no_weights_is_no_news(run, server, repository, caplog):
    first = repository.branches["main"]
    second = repository.commit(files(KIND) | {"README.md": b"---\nlicense: mit\n---\nbetter words\n"})
    assert f"the newest is commit {second}, whose weights are the same" in again(run, server, caplog)
    assert f"main is commit {second}, whose weights are the same" in again(run, server, caplog, "main")
    assert load_detector(run).extra["published"]["revision"] == first


@pytest.mark.parametrize("fault", [Fault("GET /api", keep=0.5), Fault("GET /api", 500)])
def test_without_an_answer_it_says_that_it_cannot_tell(run, server, repository, caplog, fault):
    server.faults.append(fault)
    assert "whether that is the newest cannot be told" in again(run, server, caplog)
    line = fails(pull_published, NAME, run, yes, None, "main")
    assert f"at commit {repository.branches['main']}; whether that is main cannot be told" in line
    assert again(run, server, caplog, repository.branches["main"]) == "", "a commit never changes"


def test_a_branch_or_tag_is_known_again(run, server, repository, caplog):
    first = repository.branches["v1"] = repository.branches["main"]
    assert "which is main" in again(run, server, caplog, "main") and "which is v1" in again(run, server, caplog, "v1")
    second = move_on(repository)
    assert "which is v1" in again(run, server, caplog, "v1")
    line = fails(pull_published, NAME, run, yes, None, "main")
    assert f"at commit {first}, and main is commit {second}, another; choose another folder, or delete this one" in line
    assert f"and {second} is another; " in fails(pull_published, NAME, run, yes, None, second)
    assert "check the revision" in fails(pull_published, NAME, run, yes, None, "v2")
    elsewhere = pull_published(NAME, run.with_name("main"), yes, None, "main")
    assert load_detector(elsewhere).extra["published"]["revision"] == second, "as it said"


def test_the_command_names_the_commit(run, repository, capsys):
    assert main.main(["pull", NAME, "--out", str(run)]) == 0
    said = capsys.readouterr()
    assert f"{NAME} at commit {repository.branches['main']} is in {run}" in said.out
    assert "which is the newest" in said.err


def test_one_of_files_fetched_by_hand(run, server, caplog, tmp_path):
    given = fetched_by_hand(tmp_path / "by hand")
    pull_published(NAME, run, yes, given)
    assert "made of files fetched by hand" not in again(run, server, caplog, files=given)
    assert "of files fetched by hand, which is compared with nothing" in again(run, server, caplog)
    assert server.requests == []
    serve(server)
    assert "main is commit" in again(run, server, caplog, "main"), "the Hub knows its digest"
    (given / WEIGHTS).write_bytes(files(KIND, seed=1)[WEIGHTS])
    line = fails(pull_published, NAME, run, yes, given)
    assert "which is another file than" in line and "choose another folder" in line


def test_nothing_is_written_where_it_is_whole(run, server, repository, caplog, monkeypatch):
    monkeypatch.setattr("torchfakes_utils.hub.published.check_place", lambda folder: pytest.fail("not asked for"))
    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    assert "which is the newest" in again(run, server, caplog)
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before


def damage(run, how):
    path = run / WEIGHTS
    if how == "half":
        os.truncate(path, path.stat().st_size // 2)
    elif how == "a bit":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["half", "a bit", "gone"])
def test_what_predict_says_of_damage_helps(run, server, repository, how, capsys):
    """The command that it names is typed as it stands; what was fixed for the detector stays with it."""
    before, first = (run / WEIGHTS).read_bytes(), repository.branches["main"]
    assert load_detector(run).decision.scope == FACEFORENSICS, "as its authors say"
    liken(run)
    fixed = load_detector(run).decision
    measured = (run / "likeness.safetensors").read_bytes()
    move_on(repository)
    damage(run, how)
    assert main.main(["predict", str(run), "photo.jpg"]) == 2
    said = capsys.readouterr().err
    command = said[said.index("torchfakes pull") : said.index(" makes it again")]
    assert command == f"torchfakes pull {NAME} {run}" and said.count("\n") == 1
    assert main.main([*command.split()[1:], "--accept-licence"]) == 0
    assert "it is made again" in capsys.readouterr().err
    detector = load_detector(run)
    assert (run / WEIGHTS).read_bytes() == before
    assert visible(run) == ["detector.json", "likeness.safetensors", WEIGHTS]
    assert detector.decision == replace(fixed, scope=FACEFORENSICS) and fixed.likeness
    assert (run / "likeness.safetensors").read_bytes() == measured, "by which it refuses"
    assert detector.extra["published"]["revision"] == first


def test_damage_is_mended_from_the_same_file_or_not_at_all(run, server, tmp_path, capsys):
    given = fetched_by_hand(tmp_path / "by hand")
    pull_published(NAME, run, yes, given)
    damage(run, "half")
    assert f"torchfakes pull {NAME} {run} --files FILES makes it again" in fails(pull_published, NAME, run, yes)
    other = fetched_by_hand(tmp_path / "other", **{WEIGHTS: files(KIND, seed=1)[WEIGHTS]})
    assert "is another file; choose another folder" in fails(pull_published, NAME, run, yes, other)
    pull_published(NAME, run, yes, given)
    assert torch.isfinite(load_detector(run).backbone.head.weight).all() and server.requests == []


def test_damage_of_a_commit_that_is_gone(run, server, repository):
    del repository.commits[repository.branches["main"]]
    move_on(repository)
    damage(run, "half")
    line = fails(pull_published, NAME, run, yes)
    assert "damaged, and that is no longer on the Hub; choose another folder, or delete this one" in line
    shutil.rmtree(run)
    pull_published(NAME, run, yes)


def test_weights_of_which_nobody_knows_what_they_are_are_not_written_over(run, server, repository):
    (run / "detector.json").unlink()
    before = (run / WEIGHTS).read_bytes()
    line = fails(pull_published, NAME, run, yes)
    assert "no detector.json beside it; move it away and pull again" in line
    assert (run / WEIGHTS).read_bytes() == before
    (run / WEIGHTS).unlink()
    assert load_detector(pull_published(NAME, run, yes)).extra["published"]["name"] == NAME


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"{}", b"[]"])
def test_a_damaged_description(run, server, repository, content):
    (run / "detector.json").write_bytes(content)
    line = fails(pull_published, NAME, run, yes)
    assert line.endswith("choose another folder, or delete this one")
    shutil.rmtree(run)
    assert load_detector(pull_published(NAME, run, yes)).extra["published"]["name"] == NAME
