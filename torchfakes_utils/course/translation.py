"""Two languages in step: what a translated lesson, quiz or list of texts lacks beside the English one.

    python -m torchfakes_utils.course.translation es             # what is out of step, a line each
    python -m torchfakes_utils.course.translation es --missing   # the texts that es.json lacks, as JSON to be filled in

A lesson is the same in every language but for its words: the same cells and code, save what is quoted; the same
headings, values, conditions, exercises and minutes. docs/languages.md tells how a language is added.
"""

import argparse
import ast
import json
import re
import string
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nbformat import NotebookNode

from torchfakes_utils import language as spoken
from torchfakes_utils.course import build, colab, form, prose, quizzes
from torchfakes_utils.errors import InputError

PACKAGE = Path(__file__).parents[1]

_HEADING = re.compile(r"^(#+) ", re.MULTILINE)
_IN_TEMPLATE = re.compile(r'\b_\("([^"]*)"')
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
# Minutes and difficulty of an exercise; minutes and seconds of a lesson. Whatever the language, their order is this.
_TASK = re.compile(r"^\*(\d+) min, \D+([123]) \w+ 3\.\*", re.MULTILINE)
_TIME = re.compile(r"^- \*\*\w+:\*\* \D*(\d+) min\D*(\d+) min\D*(\d+) s ", re.MULTILINE)
# What opens and closes, by language; text between marks of code is no prose.
_PAIRS = {"es": (("¿", "?"), ("¡", "!"), ("«", "»"))}
_STRAIGHT = {"es": '"“”'}
_NO_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|<!--.*?-->|\{=\s.*?\s=\}|\]\([^)]*\)|!\[[^\]]*\]|</?\w[^>]*>", re.DOTALL
)


# --- lessons


def lesson(english: NotebookNode, other: NotebookNode, language: str) -> list[str]:
    """How a translated lesson departs from the English one, one line each.

    Args:
        english, other: as `build.from_twin` gives them.
        language: of the other, such as "es".
    """
    found = []
    if english.metadata.get(prose.KEY, {}).get("needs") != other.metadata.get(prose.KEY, {}).get("needs"):
        found.append("its header declares other needs")
    if len(english.cells) != len(other.cells):
        return [*found, f"{len(other.cells)} cells, the English lesson has {len(english.cells)}"]
    first = next((number for number, cell in enumerate(english.cells) if cell.cell_type == "code"), None)
    for number, (ours, theirs) in enumerate(zip(english.cells, other.cells, strict=True)):
        if ours.cell_type != theirs.cell_type or ours.metadata.get("tags") != theirs.metadata.get("tags"):
            found.append(f"cell {number}: of another type, or with other tags")
        elif ours.cell_type == "markdown":
            text = prose.template(theirs)
            found += [f"cell {number}: {line}" for line in _prose(prose.template(ours), text)]
            found += [f"cell {number}: {line}" for line in typography(text, language)]
        else:
            source = theirs.source
            if number == first:
                source = source.replace(f'course.begin("{language}")', "course.begin()")
                if source == theirs.source:
                    found.append(f'cell {number}: the lesson is to begin with course.begin("{language}")')
            if skeleton(ours.source) != skeleton(source):
                found.append(f"cell {number}: other code: {theirs.source[:60]!r}")
    return found


def _prose(english: str, other: str) -> Iterator[str]:
    """How the text of a cell departs in what is not its words."""
    for pattern, what in ((_HEADING, "headings"), (_FENCED, "code"), (_TASK, "minutes or difficulty"), (_TIME, "time")):
        if pattern.findall(english) != pattern.findall(other):
            yield f"other {what}: {pattern.findall(other)}, in English {pattern.findall(english)}"
    ours, theirs = prose.read(english), prose.read(other)
    # The order of words, and so of values, is each language's own; what is quoted in them is the lesson's words.
    if sorted((skeleton(one.expression), one.format) for one in ours.values) != sorted(
        (skeleton(one.expression), one.format) for one in theirs.values
    ):
        yield "other values: {= … =}"
    if sorted(map(skeleton, ours.conditions)) != sorted(map(skeleton, theirs.conditions)):
        yield "other conditions: <!-- holds: … -->"


def skeleton(code: str) -> str:
    """Code without comments and without what is quoted; of an f-string the values stay, in any order."""
    lines = re.sub(r"^(\s*)[%!].*$", r"\1pass", code, flags=re.MULTILINE)
    return ast.dump(_Quoteless().visit(ast.parse(lines.strip())))


class _Quoteless(ast.NodeTransformer):
    """Takes out the words of a piece of code; formats such as .2f are no words."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return ast.Constant("") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        values = [one for one in node.values if isinstance(one, ast.FormattedValue)]
        for one in values:
            one.value = self.visit(one.value)
        return ast.JoinedStr(sorted(values, key=ast.dump)) if values else ast.Constant("")


def typography(text: str, language: str) -> list[str]:
    """What the text of a cell lacks of its language's marks: an ¿ for each ?, no straight quotes."""
    words = _NO_PROSE.sub(" ", text)
    found = [f"{words.count(a)} “{a}” and {words.count(b)} “{b}”" for a, b in _PAIRS.get(language, ())
             if words.count(a) != words.count(b)]  # fmt: skip
    return found + [f"a quote of another language: {sign}" for sign in _STRAIGHT.get(language, "") if sign in words]


# --- texts


def asked(package: Path = PACKAGE) -> set[str]:
    """Every English text that the package asks a catalogue for.

    That is what stands in `tr("…")` or `mark("…")`, or is put under a name that `tr` gets in the same function; and in
    a template, `_("…")`.
    """
    found: set[str] = set()
    for file in sorted(package.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for function in [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))]:
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
            firsts = [call.args[0] for call in calls
                      if isinstance(call.func, ast.Name) and call.func.id in ("tr", "mark") and call.args]  # fmt: skip
            found |= {one.value for one in firsts if isinstance(one, ast.Constant) and isinstance(one.value, str)}
            if isinstance(function, ast.FunctionDef):
                found |= _assigned(function, {one.id for one in firsts if isinstance(one, ast.Name)})
    for file in sorted(package.rglob("*.html")):
        found |= set(_IN_TEMPLATE.findall(file.read_text(encoding="utf-8")))
    return found


def _assigned(function: ast.FunctionDef, names: set[str]) -> set[str]:
    assigned = [node for node in ast.walk(function) if isinstance(node, ast.Assign)]
    return {
        node.value.value for node in assigned
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        and any(isinstance(target, ast.Name) and target.id in names for target in node.targets)
    }  # fmt: skip


def said_of(lessons: Sequence[NotebookNode]) -> set[str]:
    """What their exercises say to whoever errs or is right."""
    exercises = [exercise for notebook in lessons for exercise in form.exercises(notebook)]
    return {text for one in exercises for text in (*one.wrong, one.afterwards) if text}


def texts(needed: set[str], catalogue: dict[str, str]) -> list[str]:
    """What a list of texts lacks, has too much, or fills in otherwise than the English text, one line each."""
    found = [f"no text for {text!r}" for text in sorted(needed - set(catalogue))]
    found += [f"nobody asks for {text!r}" for text in sorted(set(catalogue) - needed)]
    for english, other in catalogue.items():
        if not other.strip():
            found.append(f"nothing is said for {english!r}")
        elif _fields(english) != _fields(other):
            found.append(f"other {{names}} than in {english!r}: {other!r}")
    return found


def _fields(text: str) -> list[tuple[str, str, str]]:
    """Names, conversions and formats that a text is filled in with."""
    return sorted((name, conversion or "", form or "") for _, name, form, conversion in string.Formatter().parse(text)
                  if name is not None)  # fmt: skip


# --- quizzes


def quiz(english: object, other: object) -> list[str]:
    """How translated quizzes depart from the English ones: other lessons, choices, or another right answer."""
    if found := quizzes.problems(other):
        return found
    assert isinstance(english, dict) and isinstance(other, dict)
    found = []
    for name, questions in other.items():
        right = [[choice.get("right", False) for choice in one["choices"]] for one in questions]
        if right != [[choice.get("right", False) for choice in one["choices"]] for one in english[name]]:
            found.append(f"lesson {name}: other choices, or another right one")
    return found


# --- all of a language


def problems(language: str, notebooks: Path) -> list[str]:
    """All that is out of step in a language, one line each."""
    twins = sorted((notebooks / language / "source").glob("*.py"))
    found, lessons = [], []
    for twin in twins:
        if not (notebooks / "source" / twin.name).is_file():
            found.append(f"{twin.name}: no such lesson in English")
            continue
        english = build.from_twin(notebooks / "source" / twin.name)
        lessons.append(english)
        other = build.from_twin(twin)
        found += [f"{twin.name}, {line}" for line in lesson(english, other, language)]
        if colab.badge(f"{language}/{twin.stem}") not in other.cells[0].source:
            found.append(f"{twin.name}: the badge for Colab is to lead to notebooks/{language}/{twin.stem}.ipynb")
    found += [f"{language}.json: {line}" for line in texts(needed(lessons), spoken.catalogue(language))]
    if (file := quizzes.file_of(language)).is_file():
        translated = quizzes.read(file)
        found += [f"{file.name}: {line}" for line in quiz(quizzes.read(), translated)]
        numbers = {twin.stem.partition("_")[0] for twin in twins}
        found += [f"{file.name}: no quiz of lesson {number}" for number in sorted(numbers - set(translated))]
    elif twins:
        found.append(f"no {file.name}")
    return found


def needed(lessons: Sequence[NotebookNode]) -> set[str]:
    """The texts that a language with these lessons has to have."""
    return asked() | said_of(lessons)


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status: 1 where something is out of step."""
    parser = argparse.ArgumentParser(
        prog="python -m torchfakes_utils.course.translation", description=__doc__.split("\n")[0]
    )
    parser.add_argument("language", help="its code, such as es")
    parser.add_argument("--missing", action="store_true", help="the texts that it lacks, as JSON to be filled in")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="their folder (default: notebooks)")
    options = parser.parse_args(argv)
    try:
        if options.missing:
            print(json.dumps(missing(options.language, options.notebooks), indent=1, ensure_ascii=False))
            return 0
        found = problems(options.language, options.notebooks)
    except InputError as error:
        print(f"translation: {error}", file=sys.stderr)
        return 2
    print("\n".join(found) or f"{options.language} is in step with English")
    return int(bool(found))


def missing(language: str, notebooks: Path) -> dict[str, str]:
    """The texts that a language lacks, each with nothing in its place yet."""
    twins = (notebooks / "source" / twin.name for twin in (notebooks / language / "source").glob("*.py"))
    lessons = [build.from_twin(twin) for twin in twins if twin.is_file()]
    known = spoken.catalogue(language) if language in spoken.languages() else {}
    return dict.fromkeys(sorted(needed(lessons) - set(known)), "")


if __name__ == "__main__":
    sys.exit(main())
