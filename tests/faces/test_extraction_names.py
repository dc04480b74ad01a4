"""Whatever clips are called and whatever lies in the folder: crops lie in it, and nothing of somebody else's goes."""

import contextlib
import itertools
import shutil
import unicodedata

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.io.tables import FACE_COLUMNS, read_table

from cases import tables
from cases.registry import digests


@pytest.mark.slow
def test_whatever_clips_are_called_nothing_is_touched_but_what_is_in_the_folder(tmp_path):
    """One clip for each column that becomes a path and each thing that it may hold instead of a name."""
    root, theirs, out = tables.films(tmp_path), tables.theirs(tmp_path), tmp_path / "out"
    bad = [make(tmp_path) for make in tables.BAD_NAMES.values()]
    bad = [text for text in bad if text.isprintable()]  # the others no table can hold
    pairs = [("Real", "real"), (unicodedata.normalize("NFC", "né"), unicodedata.normalize("NFD", "né"))]
    rows = []
    for column in ("clip_id", "method", "compression"):
        for text in [*bad, *itertools.chain(*pairs)]:
            path = f"{len(rows)}.mp4"
            (root / path).hardlink_to(root / "real.mp4")
            row = {"clip_id": f"c{len(rows)}", "method": "real", "compression": "c23", "label": 0, "split": "train"}
            rows.append(row | {"path": path, "target_id": "a", column: text})
    for compression in {row["compression"] for row in rows}:
        tables.written(root / "clips.csv", rows)
        before = digests(tmp_path)
        report = extract_faces(root, out, ExtractionConfig(frames=1, compression=compression), progress=False)
        assert report.faces == report.clips == sum(row["compression"] == compression for row in rows)
        now = digests(tmp_path)
        assert {name: now.get(name) for name in before if not name.startswith("out/")} == {
            name: digest for name, digest in before.items() if not name.startswith("out/")
        }
        assert all(name.startswith("out/") for name in now.keys() - before.keys())
        faces = read_table(out / "faces.csv", FACE_COLUMNS)
        assert faces["path"].str.casefold().is_unique and all((out / path).is_file() for path in faces["path"])
    assert len(list((out / "crops").rglob("*.png"))) == len(rows)
    assert (theirs / "holiday.png").read_bytes() == b"mine\n"


def test_usual_names_are_those_of_folders(tmp_path):
    root = tables.films(tmp_path)
    tables.written(root / "clips.csv", tables.two_rows(clip_id="000_003", method="Real videos", compression="c23")[:1])
    extract_faces(root, tmp_path / "out", ExtractionConfig(frames=1), progress=False)
    assert (tmp_path / "out/.parts/Real videos/c23/000_003.json").is_file()
    assert [path.parent for path in tmp_path.rglob("crops/*/*/*/*.png")] == [
        tmp_path / "out/crops/Real videos/c23/000_003"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["crops", "crops/real", "crops/real/c23/a", ".parts", ".parts/real"])
def test_a_link_out_of_the_folder_is_not_followed(tmp_path, part):
    root, theirs, out = tables.films(tmp_path), tables.theirs(tmp_path), tmp_path / "out"
    tables.written(root / "clips.csv", tables.two_rows(clip_id="a", compression="c23")[:1])
    extract_faces(root, out, ExtractionConfig(frames=1), progress=False)
    shutil.move(out / part, tmp_path / "elsewhere")
    (theirs / "c23" / "a").mkdir(exist_ok=True)
    (theirs / "c23" / "a" / "00001.png").write_text("mine")
    (out / part).symlink_to(theirs)
    (root / "real.mp4").write_bytes((root / "fake.mp4").read_bytes())  # is done again
    before = digests(theirs)
    with pytest.raises(InputError, match="leads out of this folder"):
        extract_faces(root, out, ExtractionConfig(frames=1), progress=False)
    for overwrite in (False, True):
        with contextlib.suppress(InputError):
            extract_faces(root, out, ExtractionConfig(frames=2), progress=False, overwrite=overwrite)
        assert digests(theirs) == before


def test_beginning_anew_and_films_that_changed_remove_our_crops_alone(tmp_path):
    root, out = tables.films(tmp_path), tmp_path / "out"
    tables.written(root / "clips.csv", tables.two_rows(clip_id="a", compression="c23")[:1])
    extract_faces(root, out, ExtractionConfig(frames=4), progress=False)
    mine = [
        out / name for name in ("crops/holiday.png", "crops/real/c23/a/holiday.png", ".parts/notes.txt", "notes.txt")
    ]
    for path in mine:
        path.write_text("mine")
    (root / "real.mp4").write_bytes((root / "fake.mp4").read_bytes())
    extract_faces(root, out, ExtractionConfig(frames=4), progress=False)
    extract_faces(root, out, ExtractionConfig(frames=1), progress=False, overwrite=True)
    assert all(path.read_text() == "mine" for path in mine)
    crops = [path for path in (out / "crops").rglob("*.png") if path not in mine]
    assert len(crops) == len(read_table(out / "faces.csv", FACE_COLUMNS)) == 1


def test_hidden_folders_of_somebody_else_are_seen_where_they_are_called_as_ours(tmp_path):
    root, out = tables.films(tmp_path), tmp_path / "out"
    tables.written(root / "clips.csv", tables.two_rows()[:1])
    (out / ".parts/real/unknown").mkdir(parents=True)
    (out / ".parts/real/unknown/real.json").write_text("mine")
    with pytest.raises(InputError, match="holds other things than crops"):
        extract_faces(root, out, ExtractionConfig(frames=1), progress=False)
    assert list(digests(out)) == [".parts/real/unknown/real.json"]
