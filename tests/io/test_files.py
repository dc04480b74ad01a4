"""A file is there whole or not at all, whatever happens while it is written; a record of another version is refused."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import (
    atomic_write,
    check_room,
    check_writable,
    read_json,
    read_record,
    sha256_of,
    write_record,
)

MAKER = "torchfakes evaluate"


def write(path, content, error=None):
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)
        (temporary.parent / "beside").write_bytes(b"what a library leaves")
        if error is not None:
            raise error


def test_the_folder_is_made_and_the_suffix_kept(tmp_path):
    path = tmp_path / "a" / "b" / "clip.mp4"
    with atomic_write(path) as temporary:
        assert temporary.suffix == ".mp4" and not path.exists()
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole" and [found.name for found in path.parent.iterdir()] == ["clip.mp4"]


def test_a_file_is_as_readable_as_any_other(tmp_path):
    with atomic_write(tmp_path / "result") as temporary:
        temporary.touch(mode=0o600)  # as libraries do that write by way of a private file
    (tmp_path / "other").touch()
    assert (tmp_path / "result").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("odd"), OSError(28, "No space left on device")])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_bytes(b"before")
    with pytest.raises(InputError if isinstance(error, OSError) else type(error)) as caught:
        write(path, b"half", error)
    if isinstance(error, OSError):
        assert str(caught.value) == (
            f"{path}: cannot be written (No space left on device); free some space or choose another folder"
        )
    assert path.read_bytes() == b"before" and [found.name for found in tmp_path.iterdir()] == ["table.csv"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file: cannot write there \(.*\); choose another output folder"):
        write(tmp_path / "file" / "table.csv", b"")


def test_a_link_to_nowhere_is_named(tmp_path):
    link, target = tmp_path / "link", tmp_path / "gone"
    link.symlink_to(target)
    for folder in (link, link / "deeper"):
        with pytest.raises(InputError, match=rf"a link in its way leads to {target}, which is not there; make that"):
            check_writable(folder)
    target.mkdir()
    check_writable(link / "deeper")
    assert list(target.iterdir()) == []


def test_two_files_that_belong_together_appear_together_or_not_at_all(tmp_path):
    def both():
        with atomic_write(tmp_path / "one") as one, atomic_write(tmp_path / "two") as two:
            one.touch()
            two.touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        both()
    assert not os.listdir(tmp_path)  # noqa: PTH208 - what the file system says, and no more


def test_room_is_looked_for_where_the_folder_will_be(tmp_path, monkeypatch):
    asked, full = [], shutil.disk_usage("/")._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: asked.append(place) or full)
    check_room(tmp_path / "not/yet", 5_000_000)
    assert asked == [tmp_path]
    with pytest.raises(InputError, match="not/yet: 6 MB are needed and 5 MB are free; free some, or choose"):
        check_room(tmp_path / "not/yet", 6_000_000)


@given(content=st.binary(max_size=1000))
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path_factory, content):
    path = Path(tmp_path_factory.mktemp("digest")) / "file"
    path.write_bytes(content)
    assert sha256_of(path) == hashlib.sha256(content).hexdigest()


# --- records


def test_there_and_back(tmp_path):
    content = {"format": 3, "auc": 0.5, "reasons": {"eer": None}, "names": ["Fälschung"]}
    assert read_record(write_record(tmp_path / "report.json", content), MAKER, 3) == content


def test_what_json_does_not_know_is_no_record(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(tmp_path / "report.json", {"auc": float("nan")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read .*; run `torchfakes evaluate` again"),
        (b"{", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "not what `torchfakes evaluate` writes"),
        (b"{}", r"of another torchfakes made it \(format without one; this one makes 3\)"),
        (b'{"format": 2}', r"of another torchfakes made it \(format 2; this one makes 3\)"),
        (b'{"format": "3"}', r"of another torchfakes made it \(format '3'; this one makes 3\)"),
    ],
)
def test_what_is_no_record_of_this_version(tmp_path, content, words):
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_record(path, MAKER, 3)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(path)) and MAKER in line


@pytest.mark.parametrize(("text", "why"), [
    ("1" + "0" * 400, "1000.* is no number that is used here"),
    ("[-1e999]", "-1e999 is no number"),
    ('{"auc": NaN}', "NaN is no number"),
    ('{"a": 1, "b": 2, "a": 3}', "it names 'a' twice"),
    ("[" * 100_000, "nested too deeply"),
    ("[1", "delimiter"),
])  # fmt: skip
def test_numbers_of_strangers_are_finite_and_names_are_there_once(tmp_path, text, why):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=why):
        read_json(tmp_path / "a.json")


def test_json_of_a_windows_editor(tmp_path):
    (tmp_path / "a.json").write_text('{"a": [1, 2.5, "x"]}', encoding="utf-8-sig")
    assert read_json(tmp_path / "a.json") == {"a": [1, 2.5, "x"]}


def test_json_of_strangers_has_bounds(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 200_000 + "]" * 200_000)
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    with (tmp_path / "long.json").open("wb") as file:
        file.truncate(100_000_001)
    for name, why in (("deep.json", "nested too deeply"), ("endless.json", "a pipe or a device"),
                      ("long.json", "longer than 100 MB")):  # fmt: skip
        with pytest.raises(ValueError, match=why):
            read_json(tmp_path / name)
        with pytest.raises(InputError, match=why):
            read_record(tmp_path / name, MAKER, 1)
