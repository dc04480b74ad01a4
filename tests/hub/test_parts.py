"""Downloads that break off: what has come is gone on with, whatever the Hub holds by then, and only that is deleted."""

import pytest

from torchfakes_utils.hub import parts
from torchfakes_utils.hub.published import pull_published
from torchfakes_utils.models.detector import load_detector

from helpers.gend import files
from helpers.hub import fails
from helpers.hub_server import Fault
from helpers.published import KIND, NAME, WEIGHTS, digest, fetched_by_hand, move_on, serve, visible, yes

pytest.importorskip("timm", minversion="1.0.20")
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("gend")]


def origin(run):
    return load_detector(run).extra["published"]


@pytest.fixture
def broken_off(run, server):
    """A repository, and half of the weights of its first commit."""
    repository = serve(server)
    server.faults.append(Fault("GET /storage/", keep=0.5))
    line = fails(pull_published, NAME, run, yes)
    assert "the same command goes on where it broke off" in line and "by hand" in line
    server.faults.clear()
    server.requests.clear()
    return repository


def ranges(server, monkeypatch):
    """From where on large files were asked for, as it happens."""
    sent, real = [], server.RequestHandlerClass._send_file
    monkeypatch.setattr(
        server.RequestHandlerClass,
        "_send_file",
        lambda self, content, headers: sent.append(self.headers.get("Range")) or real(self, content, headers),
    )
    return sent


def test_a_second_run_goes_on_where_the_first_broke_off(run, server, broken_off, monkeypatch, caplog):
    commit, whole = broken_off.branches["main"], files(KIND)[WEIGHTS]
    (part,) = (run / f".fetched-{commit}").iterdir()
    had = part.stat().st_size
    assert 0 < had < len(whole) and visible(run) == [f".fetched-{commit}"]
    sent = ranges(server, monkeypatch)
    pull_published(NAME, run, yes)
    assert f"bytes={had}-" in sent
    assert origin(run)["sha256"] == digest(whole) and visible(run) == ["detector.json", WEIGHTS]
    assert f"going on with commit {commit}, of which 1 MB are there" in caplog.text


def test_it_goes_on_with_the_commit_that_it_began(run, server, broken_off, monkeypatch, caplog):
    """The Hub's main branch moves faster than a gigabyte: each time another one would never end."""
    commit, sent = broken_off.branches["main"], ranges(server, monkeypatch)
    move_on(broken_off)
    pull_published(NAME, run, yes)
    assert origin(run)["revision"] == commit and origin(run)["sha256"] == digest(files(KIND)[WEIGHTS])
    assert any(sent), "what had come was kept"
    assert f"going on with commit {commit}" in caplog.text and "(the newest: --revision main)" in caplog.text


def test_all_had_come_and_the_detector_was_not_made(run, server, broken_off, monkeypatch):
    """What is written down is the commit that the weights are of, and not the one that is the newest by now."""
    commit = broken_off.branches["main"]
    parts.place(run, commit).write_bytes(files(KIND)[WEIGHTS])
    move_on(broken_off)
    pull_published(NAME, run, yes)
    assert server.seen("storage") == []
    assert (origin(run)["revision"], origin(run)["sha256"]) == (commit, digest(files(KIND)[WEIGHTS]))


def test_what_lies_there_is_compared_with_what_was_announced(run, server, broken_off):
    parts.place(run, broken_off.branches["main"]).write_bytes(files(KIND, seed=3)[WEIGHTS])
    pull_published(NAME, run, yes)
    assert origin(run)["sha256"] == digest(files(KIND)[WEIGHTS])


def test_another_commit_begins_again(run, server, broken_off, caplog):
    first, second = broken_off.branches["main"], move_on(broken_off)
    pull_published(NAME, run, yes, None, "main")
    assert origin(run)["revision"] == second and visible(run) == ["detector.json", WEIGHTS]
    assert f"what had come of commit {first} is deleted" in caplog.text


def test_a_commit_that_is_gone_begins_again(run, server, broken_off, caplog):
    first, second = broken_off.branches["main"], move_on(broken_off)
    del broken_off.commits[first]
    pull_published(NAME, run, yes)
    assert origin(run)["revision"] == second and visible(run) == ["detector.json", WEIGHTS]
    assert f"commit {first}, of which a part had come, is no longer there; beginning again" in caplog.text


def test_files_fetched_by_hand_take_the_place_of_half_a_download(run, server, broken_off, tmp_path):
    half = b"half of something else"
    given = fetched_by_hand(tmp_path / "by hand", **{WEIGHTS: half})
    fails(pull_published, NAME, run, yes, given)
    assert parts.begun(run) is not None, "what the Hub has given may be of use yet"
    (given / WEIGHTS).write_bytes(files(KIND)[WEIGHTS])
    pull_published(NAME, run, yes, given)
    assert visible(run) == ["detector.json", WEIGHTS]


@pytest.mark.parametrize("unusable", [False, True], ids=["made", "unusable"])
def test_what_somebody_has_put_there_stays(run, server, unusable):
    commit = serve(server, **{"model__safetensors": b"no weights"} if unusable else {}).branches["main"]
    theirs = [run / ".fetched" / "notes.txt", run / f".fetched-{commit}" / "notes.txt", run / f".fetched-{'0' * 40}"]
    for path in theirs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    if unusable:
        line = fails(pull_published, NAME, run, yes)
        assert "not a file of weights; it is what commit" in line and "goes on where it broke off" not in line
    else:
        pull_published(NAME, run, yes)
    assert [path.read_text() for path in theirs] == ["mine"] * 3
    assert not parts.place(run, commit).exists()


def test_a_link_in_the_place_of_our_folder_is_not_followed(run, server, tmp_path):
    commit = serve(server).branches["main"]
    run.mkdir(parents=True)
    (run / f".fetched-{commit}").symlink_to(tmp_path)
    assert "a link, which would be lost; move it away" in fails(pull_published, NAME, run, yes)
    assert server.seen("storage") == []


def test_the_last_one_that_was_begun(tmp_path):
    assert parts.begun(tmp_path) is None and parts.forget(tmp_path) == []
    for number, size in (("a", 5), ("b", 0)):
        path = parts.place(tmp_path, number * 40)
        path.parent.mkdir()
        path.write_bytes(bytes(size))
    assert parts.begun(tmp_path) == ("a" * 40, 5) and parts.size(tmp_path) == 5
    assert parts.forget(tmp_path, but="a" * 40) == [] and visible(tmp_path) == [f".fetched-{'a' * 40}"]
    assert parts.forget(tmp_path) == ["a" * 40] and visible(tmp_path) == []
