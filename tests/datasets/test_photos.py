"""Photos of real people: who is on which side, what is left out, and LFW from a server, a mirror or a file."""

import hashlib
import io
import logging
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import _lfw

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets import lfw
from torchfakes_utils.datasets.lfw import fetch_lfw
from torchfakes_utils.datasets.photos import index_photos
from torchfakes_utils.errors import InputError
from torchfakes_utils.io import downloads
from torchfakes_utils.io.tables import FAILURE_COLUMNS, INDEX_COLUMNS, read_table

from helpers.web_server import Server


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)


def saved(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])


def index(root: Path, **more: int) -> pd.DataFrame:
    return read_table(index_photos(root, root.parent / "clips.csv", **more), INDEX_COLUMNS)


def test_a_folder_is_a_person_and_a_person_on_one_side(tmp_path):
    touch(tmp_path / "in", *(f"Person_{n}/Person_{n}_{photo:04d}.jpg" for n in range(60) for photo in range(3)))
    clips = index(tmp_path / "in")
    assert len(clips) == 180 and (clips["label"] == 0).all() and set(clips["method"]) == {"photo"}
    assert (clips.groupby("target_id")["split"].nunique() == 1).all() and clips["target_id"].nunique() == 60
    assert set(clips["split"]) == {"train", "val", "test"}
    assert all((tmp_path / path).is_file() for path in clips["path"]), "relative to the table, wherever the photos lie"
    fewer = index(tmp_path / "in", most=70)
    assert len(fewer) == 70 and fewer["target_id"].nunique() == 60
    sides = clips.drop_duplicates("target_id").set_index("target_id")["split"]
    assert (fewer.drop_duplicates("target_id").set_index("target_id")["split"] == sides).all(), "whoever else is there"


def test_photos_of_nobody_are_dealt_out_one_by_one_and_said(tmp_path, caplog):
    touch(tmp_path / "in", "a.jpg", "a.png", "b.JPG", "x-y.jpg", "x/y.jpg", "notes.txt", ".hidden.jpg", "c/.d/e.jpg")
    with caplog.at_level(logging.WARNING):
        clips = index(tmp_path / "in")
    assert clips["clip_id"].is_unique and len(clips) == 5 and clips["target_id"].nunique() == 5
    assert "4 photos lie in no folder of a person" in caplog.text and "1 files left out" in caplog.text


def test_folders_that_say_fake_are_not_taken_for_real(tmp_path):
    touch(tmp_path / "in", "real/a.jpg", "fake/b.jpg")
    with pytest.raises(InputError, match="say real and fake.*`torchfakes clips"):
        index(tmp_path / "in")
    for name, why in (("empty", "no photos found"), ("gone", "no such folder")):
        if name == "empty":
            (tmp_path / name).mkdir()
        with pytest.raises(InputError, match=why):
            index(tmp_path / name)
    assert not (tmp_path / "clips.csv").exists()


@pytest.fixture
def people(tmp_path, portraits):
    """Photos of two people, and such as give nothing."""
    root = tmp_path / "people"
    for number, portrait in enumerate(portraits):
        for photo in range(2):
            saved(root / f"Person_{number}/{photo}.png", np.roll(portrait, 4 * photo, 1))
    saved(root / "Nobody/wall.png", np.full((120, 160, 3), 90, np.uint8))
    saved(root / "Nobody/tiny.png", np.full((4, 4, 3), 90, np.uint8))
    whole = (root / "Person_0/0.png").read_bytes()
    (root / "Nobody/cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "Nobody/empty.jpg").write_bytes(b"")
    (root / "Nobody/film.jpg").write_bytes(b"\x00\x00\x00\x18ftypmp42")
    # A header that promises 20,000 x 20,000 pixels.
    huge = bytearray(whole)
    huge[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    huge[29:33] = zlib.crc32(bytes(huge[12:29])).to_bytes(4, "big")
    (root / "Nobody/huge.png").write_bytes(huge)
    return root


@pytest.mark.slow
def test_photos_that_give_no_face_are_rows_with_a_reason_and_the_rest_is_cut(people, tmp_path, capsys):
    status = main(["faces", str(people), "--out", str(tmp_path / "out"), "--size", "96"])
    said = capsys.readouterr()
    assert status == 1 and "4 faces from 10 clips" in said.out and "--self-blended 1" in said.out
    failures = read_table(tmp_path / "out/faces/failures.csv", FAILURE_COLUMNS)
    reasons = dict(zip(failures["path"].map(lambda path: Path(path).name), failures["reason"], strict=True))
    assert set(reasons) == {"wall.png", "tiny.png", "cut.png", "empty.jpg", "film.jpg", "huge.png"}
    assert (
        "no face" in reasons["wall.png"] and "empty" in reasons["empty.jpg"] and "far too large" in reasons["huge.png"]
    )
    assert all(reason and "\n" not in reason and "unexpected" not in reason for reason in reasons.values())
    faces = pd.read_csv(tmp_path / "out/faces/faces.csv")
    assert (faces["label"] == 0).all() and faces["landmarks"].str.split().str.len().eq(10).all()
    assert set(faces["target_id"]) == {"Person_0", "Person_1"}
    assert main(["faces", str(people), "--out", str(tmp_path / "out"), "--size", "96"]) == 1, (
        "a second time as the first"
    )


@pytest.mark.slow
def test_what_the_command_refuses(people, tmp_path, capsys):
    for words, why in (
        ([str(people), "--out", str(people / "out")], "lies among the photos"),
        ([str(people), "--out", str(tmp_path / "o"), "--mirror", "http://x"], "are for lfw"),
        (["lfw", "--out", str(tmp_path / "o"), "--archive", str(people / "Person_0/0.png")], "is not lfw.tgz"),
        (["lfw", "--out", str(tmp_path / "o"), "--archive", str(tmp_path / "gone.tgz")], "cannot be read"),
        ([str(people / "Nobody"), "--out", str(tmp_path / "p")], "not one face in 6 clips"),
    ):
        assert main(["faces", *words]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert why in said[-1], said
    assert not (tmp_path / "o").exists()


# --- LFW


@pytest.fixture
def archive(tmp_path, portraits, monkeypatch):
    """An archive as LFW's, of two people; also what no photo is, and what leads elsewhere."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for number, portrait in enumerate(portraits):
            _, encoded = cv2.imencode(".jpg", portrait[..., ::-1])
            for name in (
                f"lfw/Person_{number}/Person_{number}_0001.jpg",
                f"../elsewhere/{number}.jpg",
                f"lfw/{number}.txt",
            ):
                entry = tarfile.TarInfo(name)
                entry.size = len(encoded)
                tar.addfile(entry, io.BytesIO(encoded.tobytes()))
        link = tarfile.TarInfo("lfw/Person_9/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    body = packed.getvalue()
    monkeypatch.setattr(lfw, "ARCHIVES", {hashlib.sha256(body).hexdigest(): "lfw.tgz"})
    (tmp_path / "mine.tgz").write_bytes(body)
    return body


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)
    running = Server()
    monkeypatch.setattr(lfw, "URL", f"{running.url}/usual")
    yield running
    running.close()


def test_address_and_checksums_are_scikit_learns():
    assert _lfw.ARCHIVE.url == lfw.URL
    assert {
        _lfw.ARCHIVE.checksum: _lfw.ARCHIVE.filename, _lfw.FUNNELED_ARCHIVE.checksum: _lfw.FUNNELED_ARCHIVE.filename,
    } == lfw.ARCHIVES  # fmt: skip


PHOTOS = ["Person_0/Person_0_0001.jpg", "Person_1/Person_1_0001.jpg"]


def in_folder(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.suffix != ".json")


@pytest.mark.parametrize("way", ["usual", "mirror", "file", "after a stall"])
def test_it_comes_from_its_address_a_mirror_or_a_file(archive, server, tmp_path, way):
    server.answer = lambda path, times: ("cut", archive) if way == "after a stall" and times < 2 else (200, archive)
    more = {"mirror": {"mirror": f"{server.url}/other"}, "file": {"archive": tmp_path / "mine.tgz"}}.get(way, {})
    folder = fetch_lfw(tmp_path / "out/photos", **more)
    assert in_folder(folder) == PHOTOS and not (tmp_path / "elsewhere").exists()
    assert {*server.asked} == {"usual": {"/usual"}, "mirror": {"/other"}, "file": set(), "after a stall": {"/usual"}}[
        way
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["photos"], "the archive is not kept"
    asked = len(server.asked)
    assert fetch_lfw(folder) == folder and len(server.asked) == asked, "what is there is not fetched again"


@pytest.mark.parametrize(
    ("answer", "why"), [((404, b""), "does not have it"), ((200, b"<html>"), "no archive of LFW"), ("cut", "came")]
)
def test_what_does_not_come_leaves_nothing_and_says_what_to_do(archive, server, tmp_path, answer, why):
    server.answer = lambda path, times: answer
    with pytest.raises(InputError, match=f"{why}.*--archive FILE or --mirror URL"):
        fetch_lfw(tmp_path / "out/photos")
    assert not list((tmp_path / "out").rglob("*")), "nothing is left behind"


@pytest.mark.slow
def test_from_lfw_to_a_table_of_faces(archive, server, tmp_path, capsys):
    server.answer = lambda path, times: (200, archive)
    assert main(["faces", "lfw", "--out", str(tmp_path / "lfw"), "--size", "64"]) == 0
    faces = pd.read_csv(tmp_path / "lfw/faces/faces.csv")
    assert set(faces["target_id"]) == {"Person_0", "Person_1"} and "2 faces from 2 clips" in capsys.readouterr().out
