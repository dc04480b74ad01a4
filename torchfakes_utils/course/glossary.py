"""The words of the course: read from docs/glossary.md, and linked where a lesson first uses them.

The build links them (`build.from_twin`), so that a twin stays plain text and no first use is forgotten. A lesson in
which a word means something else says so in its header: `unlinked: [mask]`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from torchfakes_utils.course import prose
from torchfakes_utils.errors import InputError

PLACE = Path("docs/glossary.md")  # below the project's folder
ADDRESS = "../docs/glossary.md"  # from a notebook

SOURCES = "## Sources"  # titles of papers are no prose of ours

_ENTRY = re.compile(r"^### (.+?)\n\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
_ALSO = re.compile(r"^\*Also: (.+)\*$", re.MULTILINE)
# Where no link may begin: links and pictures, code, formulas, headings, folds and other HTML, marks of the build.
_CLOSED = re.compile(
    r"!?\[[^\]]*\]\([^)]*\)|\[!\[.*?\]\(.*?\)\]\([^)]*\)|```.*?```|`[^`]+?`|\$\$.*?\$\$|\$[^$\n]+\$"
    r"|^#+ .*?$|<details>.*?</details>|<!--.*?-->|<[^>\n]+>|\{=\s.*?\s=\}|https?://\S+",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Term:
    """A word of the glossary.

    Attributes:
        name: its heading.
        forms: what it is called in the lessons, the name among them.
        text: what is said of it.
    """

    name: str
    forms: tuple[str, ...]
    text: str

    @property
    def anchor(self) -> str:
        """The heading's address on its page, as GitHub makes it."""
        return re.sub(r"[^\w\- ]", "", self.name.lower()).replace(" ", "-")


def read(page: Path) -> list[Term]:
    """The words of a glossary; none where there is no such page.

    Args:
        page: Markdown, a third-level heading a word; "*Also: …*" lists its other forms.
    """
    if not page.is_file():
        return []
    found = []
    for name, text in _ENTRY.findall(page.read_text(encoding="utf-8")):
        also = [form.strip() for line in _ALSO.findall(text) for form in line.split(",")]
        found.append(Term(name, (name, *also), _ALSO.sub("", text).strip()))
    return found


def link(notebook: NotebookNode, terms: Sequence[Term]) -> None:
    """Link each word where the prose of a lesson first uses it, in place.

    Args:
        notebook: as read from its twin.
        terms: of the glossary.

    Raises:
        InputError: the header names a word that the glossary lacks.
    """
    others = notebook.metadata.get(prose.KEY, {}).get("unlinked", []) if terms else []
    if unknown := set(others) - {term.name.lower() for term in terms}:
        raise InputError(f"unlinked: no {sorted(unknown)[0]!r} in the glossary")
    left = {form.lower(): term for term in terms if term.name.lower() not in others for form in term.forms}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text, heading, sources = cell.source.partition(SOURCES)
            cell.source = _linked(text, left) + heading + sources


def _linked(text: str, left: dict[str, Term]) -> str:
    """A cell's text with its first uses linked; these words are taken out of `left`."""
    pieces, place = [], 0
    for closed in _CLOSED.finditer(text):
        pieces += [_open(text[place : closed.start()], left), closed[0]]
        place = closed.end()
    return "".join([*pieces, _open(text[place:], left)])


def _open(text: str, left: dict[str, Term]) -> str:
    if not left:
        return text
    # The longest form first: a confidence interval is no mere interval.
    names = "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in sorted(left, key=len, reverse=True))

    def linked(found: re.Match[str]) -> str:
        term = left.get(re.sub(r"\s+", " ", found[0].lower()))
        if term is None:  # linked a few words before
            return found[0]
        for form in term.forms:
            left.pop(form.lower(), None)
        return f"[{found[0]}]({ADDRESS}#{term.anchor})"

    return re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", linked, text, flags=re.IGNORECASE)
