"""Tables of other people: whose words become paths, and whose separators, encodings and labels are their own."""

import csv
import json
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cases.encode import clip
from cases.registry import add, case

NAMES, FORMS, LABELS, DEALT, MARKUP = (
    "a name from a table", "other people's tables", "contradictions", "dealt splits", "markup from a table",
)  # fmt: skip

# Somebody's own folder, beside what a command is to make; whatever a table says, it stays as it is.
THEIRS = "theirs"

CLIPS = "clips {folder}/set --from-csv {path} --out {folder}/set/clips.csv"
EXTRACT = "extract {folder}/set --out {folder}/out --frames 2"
READ = r"^2 clips \(1 real, 1 fake\)"
COLUMNS = ("clip_id", "path", "label", "method", "compression", "target_id", "source_id", "split", "original_id")


def films(folder: Path, names: Sequence[str] = ("real.mp4", "fake.mp4")) -> Path:
    """Short films of one person each, every second one fake, in the folder `set` below; return that."""
    for number, name in enumerate(names):
        clip(folder / "set" / name, number, bool(number % 2))
    return folder / "set"


def theirs(folder: Path) -> Path:
    """Somebody's pictures, at every depth at which crops may lie."""
    place = folder / THEIRS
    for below in ("", "real", "unknown", "unknown/real", "c23", "c23/real", "real/unknown"):
        (place / below).mkdir(parents=True, exist_ok=True)
        for name in ("holiday.png", "0.png", "real.json"):
            (place / below / name).write_bytes(b"mine\n")
    return place


def written(path: Path, rows: Sequence[dict[str, Any]], columns: Sequence[str] = COLUMNS) -> Path:
    """A table as we have them; columns that a row lacks are empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: value for key, value in row.items() if key in columns} for row in rows)
    return path


def two_rows(**changes: str) -> list[dict[str, Any]]:
    """A real clip, with some columns as given, and a fake one."""
    real = {"clip_id": "real", "path": "real.mp4", "label": 0, "method": "real", "compression": "unknown"}
    fake = {"clip_id": "fake", "path": "fake.mp4", "label": 1, "method": "swap", "compression": "unknown"}
    shared = {"target_id": "a", "split": "train"}
    return [real | shared | changes, fake | shared | {"target_id": "b"}]


# What a name may be instead of a name: {what: text, of the folder of the case}.
BAD_NAMES: dict[str, Callable[[Path], str]] = {
    "an absolute path": lambda folder: str(folder / THEIRS),
    "a way up": lambda folder: f"../../../../{THEIRS}",
    "a short way up": lambda folder: f"../{THEIRS}",
    "a way up in the middle": lambda folder: f"x/../../../../../{THEIRS}",
    "two dots": lambda folder: "..",
    "a dot": lambda folder: ".",
    "a way up by backslashes": lambda folder: f"..\\..\\..\\..\\{THEIRS}",
    "a drive": lambda folder: "C:\\Windows\\Temp",
    "a drive's own folder": lambda folder: "C:real",
    "another machine": lambda folder: "\\\\server\\share\\real",
    "a NUL": lambda folder: "re\0al",
    "a line break": lambda folder: "re\nal",
    "255 bytes": lambda folder: "n" * 255,
    "256 bytes": lambda folder: "é" * 128,
    "5,000 letters": lambda folder: "n" * 5000,
    "a device": lambda folder: "CON",
    "a dot at the end": lambda folder: "real.",
    "a hidden name": lambda folder: ".git",
    "a folder of ours": lambda folder: ".parts",
    "a tilde": lambda folder: "~",
    "an option": lambda folder: "--out",
    "a path of two": lambda folder: "one/two",
    "half a letter": lambda folder: "re\udc80al",
    "a stream": lambda folder: "real:hidden",
    "a star": lambda folder: "re*l?",
}


def bad_name(folder: Path, column: str, what: str, listed: bool) -> Path:
    """Films, and a table in which a column of the first row is no name; as one's own table, or as our clips.csv."""
    place = films(folder)
    theirs(folder)
    path = place / ("clips.csv" if listed else "mine.csv")
    return written(path, two_rows(**{column: BAD_NAMES[what](folder)}))


# Either the table is refused, with the place, or what it says is quoted where it is written.
_SAFE = r"line 2|(clip_id|method|compression) .*(name|path)|faces from [12] clips"
for listed, command in ((False, f"{CLIPS} && {EXTRACT}"), (True, EXTRACT)):
    for column in ("clip_id", "method", "compression"):
        for what in BAD_NAMES:
            whose = "our table" if listed else "their table"
            add(f"{column} is {what}, {whose}", NAMES, f"a table in which {column} is {what}",
                partial(bad_name, column=column, what=what, listed=listed), command=command, answer=_SAFE,
                steady="absolute" not in what)  # fmt: skip
for column in ("target_id", "source_id", "original_id", "split"):
    add(f"{column} is a way up", NAMES, f"a table in which {column} is a way up", command=f"{CLIPS} && {EXTRACT}",
        make=partial(bad_name, column=column, what="a way up", listed=False))  # fmt: skip


def two_names(folder: Path, column: str, one: str, other: str) -> Path:
    """Two clips whose names differ, but may be one on disk."""
    rows = two_rows(**{column: one})
    rows[1][column] = other
    if column != "clip_id":
        rows[1]["clip_id"] = rows[0]["clip_id"]
    return written(films(folder) / "mine.csv", rows)


# Of several compressions one is taken, and that is said.
_TWO = r"faces from 2 clips|line 3: .* are taken|of 2 compressions"
for column in ("clip_id", "method", "compression"):
    for what, one, other in (
        ("case", "Real", "real"),
        ("Unicode", unicodedata.normalize("NFC", "né"), unicodedata.normalize("NFD", "né")),
        ("a blank at the end", "real", "real "),
        ("a dot at the end", "real", "real."),
        ("what is quoted", "a/b", "a%2Fb"),
    ):
        add(f"two of {column} differ by {what}", NAMES, f"two clips whose {column} differs by {what} alone",
            partial(two_names, column=column, one=one, other=other), command=f"{CLIPS} && {EXTRACT}",
            answer=_TWO)  # fmt: skip


def crops_elsewhere(folder: Path, method: str = "real", path: str = f"../{THEIRS}/holiday.png") -> Path:
    """A faces.csv by hand, whose crops or methods are somewhere else."""
    from helpers.crops import make_faces

    theirs(folder)
    table = make_faces(folder / "set", {"train": 2, "val": 2, "test": 2}, frames=2, methods=("youtube", "swap"))
    lines = table.read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    for row in rows:
        if row["label"] == "0":
            row["method"] = method
    rows[0]["path"] = path
    return written(table, rows, lines[0].split(","))


_METHODS = {
    "a way up": f"../../{THEIRS}",
    "a line break": "re\nal",
    "markup": "<img src=x onerror=alert(1)>",
    "a formula": "=1+1",
    "mathematics": r"$\unknown$",
    "half of mathematics": "a$b",
    "a template": "{{ 7 * 7 }}",
    "1,000 letters": "m" * 1000,
    "an escape": "\x1b[2J",
}
for what, method in _METHODS.items():
    for command in ("matrix {path} --out {folder}/out --epochs 1 --architecture Meso4 --image-size 64",
                    "evaluate {run} {path}", "explain {run} {path} --out {folder}/out"):  # fmt: skip
        add(f"{command.split()[0]}: a method that is {what}", MARKUP, f"a faces.csv with a method that is {what}",
            partial(crops_elsewhere, method=method, path="crops/youtube/c23/000/0.png"), command=command,
            )  # fmt: skip
for what, path in {"above": f"../{THEIRS}/holiday.png", "a device": "/dev/zero", "a folder": "crops",
                   "an address": "http://127.0.0.1:9/x.png"}.items():  # fmt: skip
    add(
        f"a crop that is {what}",
        NAMES,
        f"a faces.csv that names {path} as a crop",
        partial(crops_elsewhere, path=path),
        command="evaluate {run} {path}",
        hungry=path.startswith("/dev"),
    )


# How tables are written.
def own(
    folder: Path, text: str | bytes, names: Sequence[str] = ("real.mp4", "fake.mp4"), table: str = "mine.csv"
) -> Path:
    """Two films and a table, as somebody wrote it."""
    path = films(folder, names) / table
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


PLAIN = "path,label\nreal.mp4,0\nfake.mp4,1\n"
_FORMS: dict[str, tuple[str, str | bytes]] = {
    "semicolons": ("as spreadsheets in half of Europe write it", PLAIN.replace(",", ";")),
    "tabs": ("as it comes out of a spreadsheet's clipboard", PLAIN.replace(",", "\t")),
    "bars": ("between bars", PLAIN.replace(",", "|")),
    "UTF-16": ("what some spreadsheets call Unicode text", PLAIN.encode("utf-16")),
    "UTF-16 with tabs": ("the same, with tabs", PLAIN.replace(",", "\t").encode("utf-16-le")),
    "a mark of UTF-8": ("with a byte order mark", PLAIN.encode("utf-8-sig")),
    "Windows-1252": (
        "a comment in another encoding",
        (PLAIN.replace("label", "label,note").replace("0\n", "0,Größe\n").replace("1\n", "1,x\n")).encode("cp1252"),
    ),
    "padded": ("with blanks around headers and values", "path , label\nreal.mp4 , 0\nfake.mp4 , 1\n"),
    "capitals": ("with headers in capitals", PLAIN.replace("path,label", "Path,LABEL")),
    "words": ("REAL and FAKE instead of numbers", "path,label\nreal.mp4,REAL\nfake.mp4,FAKE\n"),
    "small words": ("real and fake instead of numbers", "path,label\nreal.mp4,real\nfake.mp4,fake\n"),
    "decimals": ("0.0 and 1.0, as pandas writes what once had gaps", "path,label\nreal.mp4,0.0\nfake.mp4,1.0\n"),
    "truth": ("True and False under is_fake's other name", "path,label\nreal.mp4,False\nfake.mp4,True\n"),
    "quotes": ("with everything in quotes", '"path","label"\n"real.mp4","0"\n"fake.mp4","1"\n'),
    "old line ends": ("with the line ends of old Macs", PLAIN.replace("\n", "\r")),
    "an index": (
        "with the index that pandas writes, whose header is empty",
        ",path,label\n0,real.mp4,0\n1,fake.mp4,1\n",
    ),
    "blank lines": ("with blank lines", PLAIN.replace("\n", "\n\n")),
    "a line of sep=": ("with the line that tells a spreadsheet the separator", "sep=;\n" + PLAIN.replace(",", ";")),
}
for form, (what, text) in _FORMS.items():
    add(f"a table with {form}", FORMS, f"two films' table, {what}", partial(own, text=text), command=CLIPS,
        answer=READ)  # fmt: skip


@case("backslashes", FORMS, "paths as Windows writes them", command=CLIPS, answer=r"(?s)\A(?!.*not there).*2 clips")
def backslashes(folder: Path) -> Path:
    return own(folder, "path,label\nfilms\\real.mp4,0\nfilms\\fake.mp4,1\n", ("films/real.mp4", "films/fake.mp4"))


_COMMA = r"line 2|comma|quot"
add("an unquoted comma in every row", FORMS, "a note with a comma in every row, unquoted: all columns are shifted",
    partial(own, text="path,label,note\nreal.mp4,0,sharp, near\nfake.mp4,1,dark, far\n"), command=CLIPS,
    answer=_COMMA)  # fmt: skip
add("an unquoted comma in one row", FORMS, "a note with a comma in one row, unquoted",
    partial(own, text="path,label,note\nreal.mp4,0,sharp\nfake.mp4,1,dark, far\n"), command=CLIPS,
    answer=r"line 3|comma|quot")  # fmt: skip
add("an unquoted comma in every path", FORMS, "a path with a comma in every row, unquoted",
    partial(own, text="path,label\nreal, one.mp4,0\nfake, two.mp4,1\n", names=("real, one.mp4", "fake, two.mp4")),
    command=CLIPS, answer=_COMMA)  # fmt: skip
add("decimal commas", FORMS, "semicolons between, commas in numbers", command=CLIPS, answer=READ,
    make=partial(own, text="path;label;weight\nreal.mp4;0;0,5\nfake.mp4;1;1,5\n"))  # fmt: skip
add("other names of columns", FORMS, "filename and class instead of path and label: said, with what is wanted",
    partial(own, text="filename,class\nreal.mp4,0\nfake.mp4,1\n"), command=CLIPS, answer="path")  # fmt: skip
add("labels of another kind", FORMS, "2 for a label", partial(own, text="path,label\nreal.mp4,0\nfake.mp4,2\n"),
    command=CLIPS, answer="line 3.*label")  # fmt: skip
add(
    "a workbook called csv",
    FORMS,
    "a workbook of a spreadsheet, with another ending",
    command=CLIPS,
    make=partial(own, text=b"PK\x03\x04\x14\0\6\0" + bytes(400)),
    answer="not a table|workbook|archive",
)
add("no film there", FORMS, "a table none of whose films is there", command=CLIPS,
    make=partial(own, text="path,label\n/elsewhere/real.mp4,0\n/elsewhere/fake.mp4,1\n"),
    answer="not there|no such|none of")  # fmt: skip
add("a header alone", FORMS, "a table without rows", partial(own, text="path,label\n"), command=CLIPS, answer="no rows")
add("a table as its own output", "an output that is an input", "one's own table, with a column of one's own, as --out",
    partial(own, text="path,label,note\nreal.mp4,0,mine\nfake.mp4,1,mine\n"),
    command="clips {folder}/set --from-csv {path} --out {path}", answer=r"mine\.csv")  # fmt: skip
add("clips.csv by hand", "an output that is an input", "one's own table under the name that the command writes",
    partial(own, text="path,label,note\nreal.mp4,0,mine\nfake.mp4,1,mine\n", table="clips.csv"),
    command="clips {folder}/set --from-csv {path}", answer=r"clips\.csv")  # fmt: skip


# Contradictions.
for what, rows in {
    "both labels": [("real.mp4", 0), ("real.mp4", 1)],
    "both labels, written otherwise": [("real.mp4", 0), ("./real.mp4", 1)],
    "both labels, by an absolute path": [("real.mp4", 0), ("{set}/real.mp4", 1)],
    "the same twice": [("real.mp4", 0), ("real.mp4", 0), ("fake.mp4", 1)],
}.items():

    def contradicting(folder: Path, rows: list[tuple[str, int]] = rows) -> Path:
        """A table that lists a film twice."""
        lines = [f"{path.format(set=folder / 'set')},{label}" for path, label in rows]
        return own(folder, "\n".join(["path,label", *lines]) + "\n")

    add(what, LABELS, "a table that lists one film twice", contradicting, command=CLIPS, answer=r"line [23]",
        steady="absolute" not in what)  # fmt: skip

add("an original that is not there", LABELS, "a fake whose original no row has",
    partial(own, text="path,label,original_id\nreal.mp4,0,\nfake.mp4,1,nobody\n"), command=CLIPS)  # fmt: skip
add(
    "an original of another split",
    LABELS,
    "a fake in test, its original in train: their frames are shared",
    command=CLIPS,
    make=partial(own, text="path,label,original_id,split\nreal.mp4,0,,train\nfake.mp4,1,real,test\n"),
)


# Splits.
def few_people(folder: Path, people: int) -> Path:
    """A table of so many people, a real and a fake clip of each."""
    place = folder / "set"
    place.mkdir()
    rows = []
    for number in range(people):
        for label in (0, 1):
            name = f"{number}-{label}.mp4"
            (place / name).write_bytes(b"not opened by clips\n")
            rows.append(f"{name},{label},person {number}")
    path = place / "mine.csv"
    path.write_text("\n".join(["path,label,target_id", *rows]) + "\n")
    return path


for people in (1, 2, 3, 4, 5, 7, 10):
    answer = r"by split: .*test \d+.*train \d+.*val \d+" if people > 2 else "no (validation|val|test)|empty|too few"
    add(f"{people} people", DEALT, f"a table of {people} people, whose splits are dealt", command=CLIPS, answer=answer,
        make=partial(few_people, people=people))  # fmt: skip


@case("everybody forges everybody", DEALT, "six people of whom each forges the next: they cannot be parted",
      command=CLIPS, answer="no (validation|val|test)|empty|too few|one group")  # fmt: skip
def one_ring(folder: Path) -> Path:
    rows = [f"{n}-{label}.mp4,{label},p{n},{f'p{(n + 1) % 6}' if label else ''}" for n in range(6) for label in (0, 1)]
    (folder / "set").mkdir()
    for row in rows:
        (folder / "set" / row.split(",")[0]).write_bytes(b"not opened by clips\n")
    return own(folder, "\n".join(["path,label,target_id,source_id", *rows]) + "\n")


# DFDC's own table.
def dfdc(folder: Path, name: str, original: str = "real.mp4") -> Path:
    """A part of DFDC whose metadata.json names a film elsewhere."""
    place = films(folder)
    theirs(folder)
    entries = {"real.mp4": {"label": "REAL", "split": "train"}, name: {"label": "FAKE", "original": original}}
    (place / "metadata.json").write_text(json.dumps(entries))
    return place


for what, name in {
    "a way up": f"a/../../{THEIRS}/film.mp4",
    "a way down and up": "a/../fake.mp4",
    "an absolute path": "/nowhere/film.mp4",
    "two dots": "..",
    "a NUL": "fa\0ke.mp4",
}.items():
    add(
        f"DFDC names {what}",
        NAMES,
        f"a metadata.json that names {name!r}",
        partial(dfdc, name=name),
        command="clips {path} && extract {path} --out {folder}/out --frames 2",
        answer="metadata.json|clips",
    )
add("DFDC's original is a way up", NAMES, "a metadata.json whose original is a way up",
    partial(dfdc, name="fake.mp4", original=f"../{THEIRS}/0.png"), command="clips {path}")  # fmt: skip
