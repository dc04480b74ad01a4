"""The glossary's words are linked where a lesson first uses them, and lead somewhere."""

import re
from pathlib import Path

import nbformat
import pytest

from torchfakes_utils.course import build, glossary
from torchfakes_utils.course.glossary import Term
from torchfakes_utils.errors import InputError

ROOT = Path(__file__).parents[2]
TWINS = sorted((ROOT / "notebooks" / "source").glob("*.py"))
WORDS = [
    Term("AUC", ("AUC",), ""),
    Term("Interval", ("interval", "confidence interval"), ""),
    Term("C23", ("c23",), ""),
]


def linked(*texts, words=WORDS):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text) for text in texts])
    glossary.link(notebook, words)
    return [cell.source for cell in notebook.cells]


def test_the_first_use_of_a_word_is_linked_and_no_other():
    first, second = linked("Its AUC is high. An AUC of 1", "AUC again, in c23")
    assert first == "Its [AUC](../docs/glossary.md#auc) is high. An AUC of 1"
    assert second == "AUC again, in [c23](../docs/glossary.md#c23)"


def test_a_word_that_means_something_else_in_a_lesson_is_left_alone():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("its AUC in c23")])
    notebook.metadata["torchfakes"] = {"unlinked": ["auc"]}
    glossary.link(notebook, WORDS)
    assert notebook.cells[0].source == "its AUC in [c23](../docs/glossary.md#c23)"
    notebook.metadata["torchfakes"] = {"unlinked": ["mask"]}
    with pytest.raises(InputError, match="no 'mask' in the glossary"):
        glossary.link(notebook, WORDS)


def test_the_longest_form_is_linked_over_a_line_end_too():
    assert linked("a confidence\ninterval") == ["a [confidence\ninterval](../docs/glossary.md#interval)"]


@pytest.mark.parametrize(
    "text",
    [
        "## AUC", "[the AUC](page.md)", "`AUC`", "`plots.roc(\nAUC)`", "```\nAUC\n```", "$AUC$", "$$\nAUC\n$$",
        "{= AUC : .2f =}", "SAUCE",
        "## Sources\n\nAUC by somebody", "<!-- holds: AUC > 1 -->",
        "<details><summary>AUC</summary>\n\nAUC\n\n</details>",
        "https://x.org/AUC", "AUC-like", "[![AUC](a.svg)](b.html)",
    ],
)  # fmt: skip
def test_no_link_begins_in(text):
    assert linked(text) == [text]


def test_a_glossary_is_read_with_its_other_forms(tmp_path):
    page = tmp_path / "glossary.md"
    page.write_text("# Words\n\n### Zero point\n\nStands for 0.\n*Also: zero points, zeros*\n\n### IoU\n\nShared.\n")
    assert glossary.read(page) == [
        Term("Zero point", ("Zero point", "zero points", "zeros"), "Stands for 0."),
        Term("IoU", ("IoU",), "Shared."),
    ]
    assert [term.anchor for term in glossary.read(page)] == ["zero-point", "iou"]
    assert glossary.read(tmp_path / "none.md") == []


def test_our_glossary_is_in_order_and_no_form_stands_for_two_words():
    terms = glossary.read(ROOT / glossary.PLACE)
    names = [term.name.lower() for term in terms]
    assert names == sorted(names) and len(names) > 50
    forms = [form.lower() for term in terms for form in dict.fromkeys(map(str.lower, term.forms))]
    assert len(forms) == len(set(forms))
    assert all(term.text for term in terms)


@pytest.mark.parametrize("twin", TWINS, ids=lambda twin: twin.stem)
def test_a_lesson_links_each_of_its_words_once(twin):
    text = "\n\n".join(cell.source for cell in build.from_twin(twin).cells if cell.cell_type == "markdown")
    found = re.findall(rf"\({re.escape(glossary.ADDRESS)}#([\w-]+)\)", text)
    assert len(found) == len(set(found)) >= 8
    assert set(found) <= {term.anchor for term in glossary.read(ROOT / glossary.PLACE)}
