"""A table's texts become names that no system trips over, each its own, and no path leads out of its folder."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.names import MOST_BYTES, components, leads_down, path_below

from cases.tables import BAD_NAMES

DEVICES = ["CON", "nul.txt", "Lpt1", "com¹", "AUX .png", "CONIN$"]
# What people and attackers write where a name is wanted.
BAD = [make(Path("/somebody")) for make in BAD_NAMES.values()]
ODD = st.one_of(
    st.sampled_from([*BAD, *DEVICES, "", " ", "x" * 121, "é" * 61, "a ", " a", "a.", "…", "a\u200db", "~" + "0" * 32]),
    st.text(st.characters(exclude_categories=()), max_size=12),
    st.text(st.sampled_from("aAàÀſßıIi/\\.:~ _\0\n"), max_size=4),
)  # fmt: skip
ALIKE = st.sampled_from([str.upper, str.lower, str.swapcase, str.title,
                         *(lambda text, form=form: unicodedata.normalize(form, text)
                           for form in ("NFC", "NFD", "NFKC", "NFKD"))])  # fmt: skip
CLIPS = [
    "000",
    "000_003",
    "Deepfakes",
    "c23",
    "id0_id1_0000",
    "01__walking_outside",
    "aagfhgtpmv",
    "été",
    "a b",
    "x" * 120,
]


@pytest.mark.parametrize("text", CLIPS)
def test_a_plain_name_stays_as_it_is(text):
    assert components(CLIPS)[text] == text


@given(texts=st.lists(ODD, min_size=1, max_size=8), change=ALIKE)
@example(texts=["Real"], change=str.lower)
@example(texts=["a~" + "0" * 32], change=str.upper)
def test_names_are_plain_and_differ_on_every_file_system(texts, change):
    texts = {*texts, *map(change, texts)}
    names = components(texts, taken=["matrix.csv"])
    assert set(names) == texts
    for name in names.values():
        assert 0 < len(name.encode()) <= MOST_BYTES
        assert not set(name) & set('/\\:*?"<>|') and min(map(ord, name)) >= 32
        assert name[0] not in ". " and name[-1] not in ". "
        assert name.split(".")[0].rstrip().lower() not in {"con", "prn", "aux", "nul", "com1", "com¹", "lpt1", "conin$"}
        assert leads_down(name) and Path(name).name == name
    for seen in (str.casefold, str.upper, str.lower):  # by these systems compare names, after one form or another
        for form in ("NFC", "NFD", "NFKC", "NFKD"):
            assert len({unicodedata.normalize(form, seen(name)) for name in names.values()}) == len(texts)
    assert "matrix.csv" not in {name.casefold() for name in names.values()}


@given(text=ODD)
def test_what_is_quoted_takes_nobody_elses_name(text):
    name = components([text])[text]
    both = components([text, name])
    assert len(set(both.values())) == len({text, name})
    assert components([text]) == {text: name}, "the same every time"


@pytest.mark.parametrize("path", ["a", "a/b.jpg", "mistakes/01.jpg", "..a", "a..", "été/x"])
def test_a_path_into_the_folder_is_followed(tmp_path, path):
    assert path_below(tmp_path, path) == tmp_path / path


OUT = [
    "",
    ".",
    "..",
    "../a",
    "a/../../b",
    "a/../b",
    "/etc/passwd",
    "C:\\x",
    "C:x",
    "\\\\server\\x\\y",
    "..\\a",
    "a\0b",
    "\\x",
]


@pytest.mark.parametrize("path", OUT)
def test_a_path_out_of_the_folder_is_refused(tmp_path, path):
    with pytest.raises(InputError, match="leads out of this folder") as caught:
        path_below(tmp_path, path)
    assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)


def test_links_are_followed_to_where_they_lead(tmp_path):
    folder, theirs = tmp_path / "run", tmp_path / "theirs"
    (folder / "inside").mkdir(parents=True)
    theirs.mkdir()
    (folder / "out").symlink_to(theirs)
    (folder / "in").symlink_to(folder / "inside")
    (folder / "loop").symlink_to(folder / "loop")
    assert path_below(folder, "in/a") == folder / "in/a"
    for path in ("out", "out/a", "in/../out/a"):
        with pytest.raises(InputError):
            path_below(folder, path)
    (tmp_path / "link").symlink_to(folder)
    assert path_below(tmp_path / "link", "inside/a") == tmp_path / "link/inside/a", "the folder may be a link itself"
