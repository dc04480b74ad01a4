"""Our own tables, too, are read however they are written: a spreadsheet may have saved them."""

from pathlib import Path

import pandas as pd
import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_COLUMNS, SCORE_COLUMNS, read_table, write_table

CLIPS = pd.DataFrame(
    [
        {"clip_id": "000", "path": "films/000.mp4", "label": 0, "target_id": "000"},
        {"clip_id": "000_003", "path": "films/000_003.mp4", "label": 1, "target_id": "000", "source_id": "003"},
    ],
    columns=CLIP_COLUMNS, dtype=object,
).fillna("").astype({"label": int})  # fmt: skip


def text_of(tmp_path: Path, table: pd.DataFrame = CLIPS) -> str:
    return write_table(table, tmp_path / "ours.csv").read_text()


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_that_a_spreadsheet_has_saved(tmp_path: Path, separator: str, encoding: str) -> None:
    table = CLIPS.assign(method=["größe", "Deepfakes"])
    text = text_of(tmp_path, table).replace(",", separator).replace("\n", "\r\n") + separator * 7 + "\r\n"
    (tmp_path / "theirs.csv").write_bytes(text.encode(encoding))
    found = read_table(tmp_path / "theirs.csv", CLIP_COLUMNS)
    assert found.to_dict("records") == table.to_dict("records")
    assert pd.api.types.is_integer_dtype(found["label"])


def test_labels_in_words_and_windows_paths(tmp_path: Path) -> None:
    text = text_of(tmp_path).replace(",0,", ",REAL,").replace(",1,", ",Fake,").replace("/", "\\")
    (tmp_path / "theirs.csv").write_text(text)
    assert read_table(tmp_path / "theirs.csv", CLIP_COLUMNS).to_dict("records") == CLIPS.to_dict("records")


def test_people_whose_numbers_have_become_fractions_stay_the_same_people(tmp_path: Path) -> None:
    table = CLIPS.assign(target_id=["12", "13"], source_id=["", "12.0"])  # as pandas saves a column with gaps
    found = read_table(write_table(table, tmp_path / "theirs.csv"), CLIP_COLUMNS)
    assert found["target_id"].tolist() == ["12", "13"] and found["source_id"].tolist() == ["", "12"]
    for names in (["12.0", "a"], ["12.0", "12.5"], ["v1.0", "v2.0"]):
        table = CLIPS.assign(target_id=names)
        assert read_table(write_table(table, tmp_path / "theirs.csv"), CLIP_COLUMNS)["target_id"].tolist() == names


def test_decimal_commas(tmp_path: Path) -> None:
    scores = pd.DataFrame([{"label": 1, "frame": 3, "logit": 0.25, "probability_fake": 0.5}], columns=SCORE_COLUMNS)
    text = text_of(tmp_path, scores).replace(",", ";").replace("0.25", "0,25").replace("0.5", "0,5")
    (tmp_path / "theirs.csv").write_text(text)
    found = read_table(tmp_path / "theirs.csv", SCORE_COLUMNS).iloc[0]
    assert (found["frame"], found["logit"], found["probability_fake"]) == (3, 0.25, 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("films/000.mp4", "films/000, again.mp4"), "line 2 has 9 values for 8 columns; put quotes round a value"),
        (("000,films/000.mp4,0", "000,films/000.mp4,7"), "label '7' found; labels are 1 for fake and 0 for real"),
        (("clip_id,path", "name,path"), "lacks the column clip_id; .*it begins with 'name,path"),
        (("clip_id,path", "path,path"), "has the column path twice"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    (tmp_path / "theirs.csv").write_text(text_of(tmp_path).replace(*change, 1))
    with pytest.raises(InputError, match=f"theirs.csv: {message}") as caught:
        read_table(tmp_path / "theirs.csv", CLIP_COLUMNS)
    assert "\n" not in str(caught.value)


def test_a_word_for_a_number_is_said(tmp_path: Path) -> None:
    scores = pd.DataFrame([{"label": 1, "frame": "third"}], columns=SCORE_COLUMNS)
    with pytest.raises(InputError, match="ours.csv: frame is 'third' in one row, and should be a number"):
        read_table(write_table(scores, tmp_path / "ours.csv"), SCORE_COLUMNS)
