"""The lessons are written for people whose first language is another: short sentences, common words.

`plain_words.txt` is the list of words that a lesson may use without explaining them: common English words, and below
them the few of the field and of the story. A word that is in neither, nor in the glossary, is a question: is there a
plainer one? Else it is added there, or explained in docs/glossary.md.
"""

import re
from pathlib import Path

import pytest

from torchfakes_utils.course import build, glossary, lengths

ROOT = Path(__file__).parents[2]
TWINS = sorted((ROOT / "notebooks" / "source").glob("*.py"))
PLAIN = Path(__file__).with_name("plain_words.txt")

LONGEST_MEAN = 16  # words a sentence
LONGEST = 45  # words; a list may take a few
OBJECTIVES = "**You will be able to**"  # a list in one sentence, four or five verbs long
_NOT_PROSE = re.compile(
    r"```.*?```|`[^`\n]*`|\$\$.*?\$\$|\$[^$\n]*\$|<[^>\n]*>|https?://\S+|^\|.*$|^    .*$", re.DOTALL | re.MULTILINE
)
_END = re.compile(r"(?<=[.!?:;])[*_”\")]*\s+|\n\s*\n|\n\s*(?:[-*>]|\d\.)\s")
_WORD = re.compile(r"[A-Za-zÀ-ÿ]+(?:[’'-][A-Za-zÀ-ÿ]+)*")
# Endings that make no word harder.
_ENDINGS = ("’s", "'s", "s’", "s", "es", "ed", "d", "ing", "ly", "er", "est", "r", "st")


def prose(twin: Path) -> str:
    """What is read in a lesson, without code, formulas, tables and sources."""
    cells = [cell for cell in build.from_twin(twin).cells if cell.cell_type == "markdown"]
    kept = [lengths.readable(cell).partition(glossary.SOURCES)[0] for cell in cells]
    return _NOT_PROSE.sub(" ", "\n\n".join(kept))


def sentences(text: str) -> list[str]:
    return [
        part for part in _END.split(re.sub(r"^#+.*$", "", text, flags=re.MULTILINE)) if len(_WORD.findall(part)) > 2
    ]


def hard(text: str, plain: set[str]) -> list[str]:
    """Words that no list has; names, which begin with a capital within a sentence, are none."""
    found = set()
    for sentence in sentences(text):
        for number, word in enumerate(_WORD.findall(sentence)):
            if (number and word[0].isupper()) or len(word) < 3:
                continue
            parts = word.lower().split("-")
            found |= {part for part in parts if not _known(part, plain)}
    return sorted(found)


def _known(word: str, plain: set[str]) -> bool:
    if word in plain:
        return True
    stems = [word.removesuffix(ending) for ending in _ENDINGS if word.endswith(ending)]
    return any(stem in plain or stem + "e" in plain or stem[:-1] in plain for stem in stems if len(stem) > 2)


@pytest.fixture(scope="module")
def plain() -> set[str]:
    lines = PLAIN.read_text(encoding="utf-8").splitlines()
    listed = {word for line in lines if not line.startswith("#") for word in line.split()}
    return listed | {
        word.lower()
        for term in glossary.read(ROOT / glossary.PLACE)
        for form in term.forms
        for word in _WORD.findall(form)
    }


def test_a_hard_word_is_found_and_a_plain_one_in_another_form_is_not():
    plain = {"measure", "stop", "the", "face", "easy"}
    assert hard("We the measured faces stopped. The face is perspicacious here", plain | {"is", "here"}) == [
        "perspicacious"
    ]
    assert hard("The face of Szegedy", plain) == []


def test_sentences_are_counted_as_people_read_them():
    text = "# A heading of words\n\nOne two three. Four five six!\n\n- seven eight nine\n- ten eleven twelve"
    assert len(sentences(text)) == 4


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stem)
def test_sentences_are_short(twin):
    counts = {
        sentence: len(_WORD.findall(sentence)) for sentence in sentences(prose(twin)) if OBJECTIVES not in sentence
    }
    longest = max(counts, key=lambda sentence: counts[sentence])
    assert sum(counts.values()) / len(counts) <= LONGEST_MEAN
    assert counts[longest] <= LONGEST, longest


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stem)
def test_words_are_common_or_explained(twin, plain):
    found = hard(prose(twin), plain)
    assert not found, f"a plainer word, or a line in {PLAIN.name} or the glossary: {', '.join(found)}"


def test_the_list_is_in_order_and_holds_each_word_once():
    blocks = re.split(r"^#.*$", PLAIN.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for block in blocks:
        words = block.split()
        assert words == sorted(set(words))
