"""Tables of other people: read however they are written, refused by the line where they contradict themselves."""

import json
from pathlib import Path

import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.datasets.own_table import from_csv, write_from_csv
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.io.tables import CLIP_COLUMNS, EXTRACTED_COLUMNS, INDEX_COLUMNS, read_table
from torchfakes_utils.io.video import write_video

from helpers.scenes import moving, person


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


# --- a table of one's own


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "mine.csv").write_text(text)
    return tmp_path / "mine.csv"


def test_the_least_that_a_table_needs(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a/one.mp4")
    clips = from_csv(written(tmp_path, "path,label\na/one.mp4,0\na/two.mp4, 1\n"))
    assert clips.columns.tolist() == INDEX_COLUMNS
    assert clips["clip_id"].tolist() == ["one", "two"]
    assert clips["method"].tolist() == ["real", "fake"]
    assert clips["target_id"].tolist() == ["one", "two"]
    assert set(clips["compression"]) == {"unknown"}
    assert set(clips["split"]) <= {"train", "val", "test"}
    assert "1 of 2 videos are not there, such as a/two.mp4" in caplog.text


def test_everything_that_a_table_may_say_is_kept(tmp_path: Path) -> None:
    row = {
        "clip_id": "007_008", "path": "x.mp4", "label": "1", "method": "Swap", "compression": "c23", "target_id": "007",
        "source_id": "008", "split": "val", "original_id": "007",
    }  # fmt: skip
    touch(tmp_path, "x.mp4")
    clips = from_csv(written(tmp_path, ",".join(row) + ",note\n" + ",".join(row.values()) + ",mine\n"))
    assert clips.astype(str).to_dict("records") == [row]


def test_people_who_forge_each_other_stay_together(tmp_path: Path) -> None:
    touch(tmp_path, "a0.mp4")
    lines = ["path,label,target_id,source_id,original_id"]
    for pair in range(60):
        a, b = f"a{pair}", f"b{pair}"
        lines += [f"{a}.mp4,0,{a},,", f"{b}.mp4,0,{b},,", f"{a}_{b}.mp4,1,{a},{b},{a}", f"{a}x.mp4,1,,,{a}"]
    clips = from_csv(written(tmp_path, "\n".join(lines)))
    pair = clips["clip_id"].str.extract(r"(\d+)")[0]
    assert (clips.groupby(pair)["split"].nunique() == 1).all()
    assert set(clips["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a table in CSV format"),
        ("path,label\n", "holds no rows"),
        ("file,label\na,1\n", "lacks the column path"),
        ("a,b\n1,2\n", "lacks the column path and label"),
        ("path,label\na,1\nb,2\nc,maybe\n", "line 3, 4: label is neither 1"),
        ("path,label\na,9\n" + "b,9\n" * 5, "line 2, 3, 4 and 3 more: label"),
        ("path,label\n,1\n", "line 2: path is empty"),
        ("path,label,split\na,1,third\n", "line 2: split is none of train, val, test"),
        ("path,label\nx/a.mp4,1\ny/a.mp4,1\n", "line 3: method, compression and clip_id are taken"),
    ],
)
def test_rows_that_cannot_be_used_are_named(tmp_path: Path, text: str, message: str) -> None:
    touch(tmp_path, "a", "x/a.mp4", "y/a.mp4")
    with pytest.raises(InputError, match=message):
        from_csv(written(tmp_path, text))


def test_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such table"):
        from_csv(tmp_path / "mine.csv")


READ = [("real.mp4", 0), ("fake.mp4", 1)]
PLAIN = "path,label\nreal.mp4,0\nfake.mp4,1\n"


@pytest.mark.parametrize(
    "text",
    [
        "path , label\nreal.mp4 , REAL\nfake.mp4 ,Fake\n",
        "Label;PATH;note\n0,0;real.mp4;1,5\n1,0;fake.mp4;2,5\n",
        "sep=;\n" + PLAIN.replace(",", ";"),
        PLAIN.replace("\n", "\r"),
        PLAIN.replace("\n", ",\n"),  # a spreadsheet's empty third column
        PLAIN + ",\n,\n",
        ",path,label\n0,real.mp4,False\n1,fake.mp4,True\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_however_it_is_written(tmp_path: Path, text: str, encoding: str) -> None:
    touch(tmp_path, "real.mp4", "fake.mp4")
    (tmp_path / "mine.csv").write_bytes(text.encode(encoding))
    clips = from_csv(tmp_path / "mine.csv")
    assert list(zip(clips["path"], clips["label"], strict=True)) == READ


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    text = 'sep=,\n\npath,label,note\na.mp4,0,"two\nlines"\n\nb.mp4,9,\n'
    with pytest.raises(InputError, match="line 7: label"):
        from_csv(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "path,label,note\nreal.mp4,0,a, b\nfake.mp4,1,c, d\n",
            "line 2 has 4 values for 3 columns; put quotes",
        ),
        (
            "path,label,who,note\nreal.mp4,0,Smith, Anna,\nfake.mp4,1,x,y\n",
            "line 2 has 5 values for 4 columns; put quotes",
        ),
        ("path,label\nreal.mp4,0\nfake, two.mp4,1\n", "line 3 has 3 values for 2 columns; put quotes .* comma"),
        ("path;label\nreal.mp4;0\nfake; two.mp4;1\n", "line 3 has 3 values for 2 columns; put quotes .* semicolon"),
        ('path,label\n"real.mp4,0\nfake.mp4,1\n', "a quotation mark is opened and never closed"),
        ("path,Path,label\na,b,1\n", "has the column path twice"),
        ("real.mp4,0\nfake.mp4,1\n", "it begins with 'real.mp4,0'"),
        (b"PK\x03\x04" + bytes(400), "a spreadsheet's workbook"),
        (bytes(range(256)), "not a table in CSV format"),
        ("path,label\ngone/real.mp4,0\ngone/fake.mp4,1\n", "none of its 2 clips is there, such as .*gone/real.mp4"),
        ("path,label\nreal.mp4,0\nfake.mp4,1\nreal.mp4,1\n", "line 2, 4: one film under both labels"),
        ("path,label\nreal.mp4,0\n./real.mp4,1\n", "line 2, 3: one film under both labels"),
        ("path,label\nreal.mp4,0\nlink.mp4,1\n", "line 2, 3: one film under both labels"),
        ("path,label\nreal.mp4,0\nlink.mp4,0\n", "line 3: this film is listed before"),
        ("My videos\npath,label\nreal.mp4,0\n", "lacks the column path and label.* begins with 'My videos'"),
        ("path,label\nreal.mp4,0\n".encode("utf-16")[:-1], "not a table in CSV format that can be read"),
        ("path,label\nreal.mp4,0\nfake.mp4,1\nset/../real.mp4,0\n", "line 4: this film is listed before"),
        ("path,label\nreal.mp4,0\ngone.mp4,0\ngone.mp4,1\n", "line 3, 4: one film under both labels"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path: Path, text: str | bytes, message: str, caplog) -> None:
    touch(tmp_path, "real.mp4", "fake.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "real.mp4")
    (tmp_path / "mine.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(InputError, match=f"mine.csv: .*{message}") as caught:
        from_csv(tmp_path / "mine.csv")
    assert "\n" not in str(caught.value)
    assert not [record for record in caplog.records if "Windows-1252" in record.message]


def test_copies_that_are_real_and_fake_or_on_two_sides_are_named(tmp_path: Path, caplog) -> None:
    for name, content in {
        "a": b"one",
        "b": b"one",
        "c": b"two",
        "d": b"",
        "e": b"",
        "f": b"three",
        "g": b"six",
    }.items():
        (tmp_path / name).write_bytes(content)
    table = written(
        tmp_path, "path,label,split\na,0,train\nb,1,train\nc,0,val\nd,0,train\ne,1,test\nf,0,test\ng,0,test\n"
    )
    write_from_csv(table, tmp_path / "clips.csv")
    assert [record.message for record in caplog.records if "are copies of" in record.message] == [
        f"{tmp_path}: 2 clips are copies of others, and yet real and fake (first: a and b); take one of each away"
    ]
    caplog.clear()
    table.write_text("path,label,split\na,0,train\nb,0,test\nc,1,val\n")
    write_from_csv(table, tmp_path / "clips2.csv")
    assert "on two sides of the split (first: a and b)" in caplog.text


def test_backslashes_are_slashes_where_no_file_is_called_so(tmp_path: Path) -> None:
    touch(tmp_path, "films/real.mp4", "films\\fake.mp4")
    clips = from_csv(written(tmp_path, "path,label\nfilms\\real.mp4,0\nfilms\\fake.mp4,1\n"))
    assert clips["path"].tolist() == ["films/real.mp4", "films\\fake.mp4"]
    assert clips["clip_id"][0] == "real"


def test_another_encoding_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "größe.mp4")
    (tmp_path / "mine.csv").write_bytes("path,label\ngröße.mp4,0\n".encode("cp1252"))
    assert from_csv(tmp_path / "mine.csv")["path"].tolist() == ["größe.mp4"]
    assert "read as Windows-1252" in caplog.text


def test_words_for_the_sides(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    text = "path,label,split\na.mp4,0,Train\nb.mp4,1,validation\nc.mp4,1,testing\nd.mp4,1,\n"
    assert from_csv(written(tmp_path, text))["split"].tolist() == ["train", "val", "test", ""]


@pytest.mark.parametrize("people", [1, 2, 3, 4, 7, 10])
def test_few_people_are_dealt_to_every_side_or_it_is_said(tmp_path: Path, people: int, capsys) -> None:
    lines = [f"{person}-{label}.mp4,{label},p{person}" for person in range(people) for label in (0, 1)]
    touch(tmp_path, *(line.split(",")[0] for line in lines))
    table = written(tmp_path, "\n".join(["path,label,target_id", *lines]))
    assert main(["clips", str(tmp_path), "--from-csv", str(table), "--json"]) == 0
    out, err = capsys.readouterr()
    counts = json.loads(out)["split"]
    if people >= 3:
        assert set(counts) == {"train", "val", "test"} and not err
    else:
        assert f"mine.csv: no {'test' if people == 2 else 'val'} clips" in err


# --- onwards


def test_from_a_table_to_faces(tmp_path: Path, portraits: list, capsys: pytest.CaptureFixture) -> None:
    """Any layout goes the whole way: a real clip and a "fake" of it, cut alike."""
    for name in ("one", "two"):
        write_video(tmp_path / f"videos/{name}.mp4", moving(person(portraits, 1)), preset="ultrafast")
    written(tmp_path, "path,label,original_id\nvideos/one.mp4,0,\nvideos/two.mp4,1,one\n")
    assert main(["clips", str(tmp_path), "--from-csv", str(tmp_path / "mine.csv"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["real"], said["fake"]) == (1, 1)
    extract_faces(tmp_path, tmp_path / "faces", ExtractionConfig(frames=2, size=64, methods=("fake",)), progress=False)
    faces = read_table(tmp_path / "faces/faces.csv", EXTRACTED_COLUMNS)
    assert faces["found"].tolist() == ["detected"] * 2 + ["reused"] * 2
    elsewhere = write_from_csv(tmp_path / "mine.csv", tmp_path / "other/clips.csv")
    assert read_table(elsewhere, CLIP_COLUMNS)["path"].tolist() == ["../videos/one.mp4", "../videos/two.mp4"]
