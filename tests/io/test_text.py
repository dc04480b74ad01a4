import html

import pytest

from torchfakes_utils.io.text import cell, markdown, printable, printable_lines

from cases.runs import WORDS


def test_names_cannot_steer_a_terminal():
    assert printable("a b/ü.png") == "a b/ü.png"
    assert printable("a\nb\x1b[31m\udce9") == "a\\nb\\x1b[31m\\udce9"
    assert printable("\x9b2J \u202egnp.exe \u2028 \x7f") == "\\x9b2J \\u202egnp.exe \\u2028 \\x7f"
    assert printable_lines("one\ntwo\x1b[2J\rthree") == "one\ntwo\\x1b[2J\\rthree"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "\t=", "\uff1d", "\uff20"])
def test_no_cell_is_a_formula(start):
    found = cell(f"{start}HYPERLINK(1)")
    assert found.startswith("'") and found.isprintable()


def test_other_cells_stay_as_they_are():
    for text in ("a=b.mp4", "clips/-1.mp4", "", "1", "'quoted'", "naïve +1"):
        assert cell(text) == text


@pytest.mark.parametrize(
    "words", [*WORDS.values(), "a\n\n# b", "&lt;b&gt;", "![x](http://y)", "1. a", "- a", "_a_ **b**"]
)
def test_markdown_shows_a_text_as_it_is(words):
    """By a renderer of Markdown: one paragraph of plain text, the one that was given."""
    mistune = pytest.importorskip("mistune")
    shown = mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(markdown(words)).strip()
    inside = shown.removeprefix("<p>").removesuffix("</p>")
    assert shown.startswith("<p>") and "<" not in inside
    assert html.unescape(inside) == printable(words)
