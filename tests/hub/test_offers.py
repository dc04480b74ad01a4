"""What is asked for and cannot be had: each is one clear line, and what that says to do, helps."""

from dataclasses import replace

import pytest

from torchfakes_utils.cli import main
from torchfakes_utils.hub.catalogue import PUBLISHED
from torchfakes_utils.hub.published import pull_published
from torchfakes_utils.models.detector import load_detector

from helpers.gend import files
from helpers.hub import fails
from helpers.hub_server import Fault
from helpers.published import CONFIG, KIND, NAME, WEIGHTS, digest, fetched_by_hand, serve, yes

pytest.importorskip("timm", minversion="1.0.20")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("gend")]

REPOSITORY = PUBLISHED[NAME].repository
ANY = "(GET|HEAD)"


@pytest.mark.parametrize("revision", ["", "a b", "../../x", "-x"])
def test_what_is_no_revision(run, server, revision):
    assert "is no revision; give a branch, a tag or a commit" in fails(pull_published, NAME, run, yes, None, revision)
    assert server.requests == [] and not run.exists()


def test_the_commit_that_we_name_is_gone(run, server, monkeypatch):
    serve(server)
    monkeypatch.setitem(PUBLISHED, NAME, replace(PUBLISHED[NAME], revision="1" * 40, sha256="2" * 64))
    line = fails(pull_published, NAME, run, yes)
    assert f"{REPOSITORY}: commit {'1' * 40}, which this TorchFakes names, is no longer there" in line
    assert "--revision main" in line and "check the revision" not in line
    assert "check the revision" in fails(pull_published, NAME, run, yes, None, "3" * 40), "the user's own is"
    assert load_detector(pull_published(NAME, run, yes, None, "main")).extra["published"]["pinned"] is False


def test_a_revision_where_there_are_none(run, server, tmp_path):
    given = fetched_by_hand(tmp_path / "by hand")
    line = fails(pull_published, NAME, run, yes, given, "main")
    assert "files of yours are what they are" in line and "leave out --revision or --files" in line
    line = fails(pull_published, "deepfakebench-xception", run, yes, None, "main")
    assert "is not on the Hub, and has no revisions" in line
    assert not run.exists() and server.requests == []


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG])
def test_a_file_instead_of_the_folder(run, tmp_path, name):
    given = fetched_by_hand(tmp_path / "by hand")
    line = fails(pull_published, NAME, run, yes, given / name)
    assert f"{given / name}: a file, and {NAME} is two, config.json and model.safetensors" in line
    assert "give the folder that holds them" in line and "get " not in line


@pytest.mark.parametrize("place", ["link", "link/deeper"])
def test_a_link_to_nowhere_for_a_folder(server, tmp_path, place):
    serve(server)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    line = fails(pull_published, NAME, tmp_path / place, yes)
    assert f"a link in its way leads to {tmp_path / 'nowhere'}, which is not there; make that folder" in line
    assert server.requests == []
    (tmp_path / "nowhere").mkdir()
    assert load_detector(pull_published(NAME, tmp_path / place, yes)).extra["published"]["name"] == NAME


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_the_host_that_keeps_the_files_refuses(run, server, status):
    serve(server)
    server.faults.append(Fault("GET /storage/", status))
    line = fails(pull_published, NAME, run, yes)
    assert line.startswith(f"{REPOSITORY}: localhost, which keeps its files for the Hub, ") and f"({status})" in line
    assert "log in" not in line and "newer TorchFakes" not in line
    assert len(server.seen("GET /storage")) == 1, "asking again changes nothing"
    server.faults.clear()
    pull_published(NAME, run, yes)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("where", ["GET /api/", f"{ANY} .*{CONFIG}", f"{ANY} .*/resolve/.*{WEIGHTS}"])
def test_a_gated_repository_is_named_with_what_to_do(run, server, where, status):
    serve(server)
    server.faults.append(Fault(where, status, "GatedRepo", "Access to it is restricted"))
    line = fails(pull_published, NAME, run, yes)
    assert line.startswith(f"{REPOSITORY}: it is gated") and "Access to it is restricted" in line
    assert f"accept them at {server.url}/{REPOSITORY}, and log in with `hf auth login`" in line
    assert "by hand" not in line and not (run / "detector.json").exists()


def test_the_hub_itself_refuses_the_weights(run, server):
    serve(server)
    server.faults.append(Fault(f"{ANY} .*/resolve/.*{WEIGHTS}", 403))
    assert "the Hub forbids it (403); use a token" in fails(pull_published, NAME, run, yes)


def test_a_token_goes_to_the_hub_and_to_nobody_else(run, server, monkeypatch):
    """The stand-in's storage refuses whoever shows one."""
    serve(server)
    server.repositories[REPOSITORY].private = True
    assert load_detector(pull_published(NAME, run, yes)).extra["published"]["name"] == NAME
    monkeypatch.delenv("HF_TOKEN")
    assert "or a private one" in fails(pull_published, NAME, run.with_name("other"), yes)


def test_weights_that_fit_nothing_are_not_advised_to_be_fetched_again(run, server):
    commit = serve(server, model__safetensors=files("GenD-CLIP-L14")[WEIGHTS]).branches["main"]
    line = fails(pull_published, NAME, run, yes)
    assert f"it is what commit {commit} holds, so take another one (--revision), or tell its owner" in line
    assert "goes on" not in line and "by hand" not in line


def test_a_description_that_is_broken_on_the_hub(run, server):
    commit = serve(server, config__json=b"[1").branches["main"]
    line = fails(pull_published, NAME, run, yes)
    assert f"{REPOSITORY} at commit {commit}: config.json cannot be read" in line and "take another commit" in line
    assert "by hand" not in line


def test_the_command_refuses_in_one_line(run, server, tmp_path, capsys):
    serve(server)
    given = fetched_by_hand(tmp_path / "by hand")
    for words in (["--revision", ""], ["--files", given, "--revision", "main"], ["--files", given / WEIGHTS]):
        command = ["pull", NAME, run, "--accept-licence", *words]
        assert main.main([str(word) for word in command]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert digest(files(KIND)[WEIGHTS]) not in str(list(run.parent.rglob("*")))
