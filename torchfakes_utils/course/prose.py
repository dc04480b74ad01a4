r"""Prose that cannot lie: numbers that are filled in from the run, and statements that a build refuses when untrue.

In the Markdown cells of a text twin,

    The detector puts {= auc : .2f =} of all pairs in the right order; it errs on {= errors / clips : .0 % =} of clips.
    By clip it does better than by frame. <!-- holds: by_clip > by_frame -->

`{= expression : format =}` becomes the value, and `holds:` has to be true, both with the names of the cells above.
When the notebook is built, its kernel evaluates them (`filling`). The notebook's cell shows the filled text and keeps
the template in its metadata: its id is made from that, its twin is compared with it, and another run fills it again.

Why these marks: an opening brace with `=` and a blank behind it occurs neither in LaTeX (`\text{a}`, `{{a}}`, `x{=}y`)
nor in Python, f-strings (`{x = }`) and Jinja included, so nothing has to be known of what is code or formula; and a
comment is seen by nobody, wherever Markdown is shown.
"""

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from torchfakes_utils.course.comparison import describe

KEY = "torchfakes"  # what is ours in the metadata of a notebook, and of its cells
TEMPLATE = "template"

_VALUE = re.compile(r"\{=\s(.*?)\s=\}", re.DOTALL)
# No condition holds the end of a comment: else a search for a longer match would run on into the next one.
_CONDITION = re.compile(r"<!--\s*holds:\s((?:(?!-->).)*?)\s-->", re.DOTALL)
_CONDITIONS = rf"(?:{_CONDITION.pattern}[ \t]*)+"
_LONE_LINE = re.compile(rf"^[ \t]*{_CONDITIONS}(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_IN_A_LINE = re.compile(rf"[ \t]*{_CONDITION.pattern}", re.DOTALL)
# Half a mark: what is left of it once the whole ones are taken out.
_HALF = re.compile(r"\{=\s|\s=\}|<!--\s*holds?\b")


@dataclass(frozen=True)
class Value:
    """`{= expression : format =}`; the format is Python's, or ends in " %", a blank before the sign."""

    expression: str
    format: str = ""

    @property
    def mark(self) -> str:
        """As it stands in the twin, on one line."""
        return f"{{= {self.expression}{f' : {self.format}' * bool(self.format)} =}}"


@dataclass(frozen=True)
class Marks:
    """What the text of a cell asks to be evaluated, in the order in which it stands there."""

    values: tuple[Value, ...]
    conditions: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.values or self.conditions)

    @property
    def questions(self) -> dict[str, str]:
        """What the kernel is to evaluate, by a name of ours; `answer` turns it into text, or raises."""
        module = f"__import__({__name__!r}, fromlist=['said'])"
        values = {f"value {n}": f"{module}.said(({v.expression}), {v.format!r})" for n, v in enumerate(self.values)}
        holds = {f"holds {n}": f"{module}.truth(({text}))" for n, text in enumerate(self.conditions)}
        return values | holds


def read(text: str) -> Marks:
    """The marks in the text of a cell.

    Raises:
        ValueError: a mark has no end or no beginning, or holds no expression of Python.
    """
    values = tuple(_value(_one_line(found)) for found in _VALUE.findall(text))
    conditions = tuple(_one_line(found) for found in _CONDITION.findall(text))
    for expression in conditions:
        _check(expression, expression)
    if half := _HALF.search(_CONDITION.sub("", _VALUE.sub("", text))):
        rest = _CONDITION.sub("", _VALUE.sub("", text))
        near = _one_line(rest[max(half.start() - 20, 0) : half.end() + 20])
        raise ValueError(f"half a mark in “{near}”: write {{= expression : format =}} or <!-- holds: expression -->")
    return Marks(values, conditions)


def _value(text: str) -> Value:
    """The format stands behind the last colon with blanks round it, unless that is part of the expression."""
    expression, colon, form = text.rpartition(" : ")
    if colon and _is_expression(expression):
        return Value(expression.strip(), form.strip())
    _check(text, f"{{= {text} =}}")
    return Value(text.strip())


def _check(expression: str, mark: str) -> None:
    if not _is_expression(expression):
        raise ValueError(f"`{mark}` is no expression of Python")


def _is_expression(text: str) -> bool:
    try:
        ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError):
        return False
    return True


def _one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", text.strip())


def filled(text: str, values: list[str]) -> str:
    """The text that readers get: with the values in their places, and without conditions."""
    rest = iter(values)
    return _without_conditions(_VALUE.sub(lambda _: next(rest), text))


def _without_conditions(text: str) -> str:
    return _IN_A_LINE.sub("", _LONE_LINE.sub("", text)).rstrip("\n") if _CONDITION.search(text) else text


def template(cell: NotebookNode) -> str:
    """The text that a cell was filled from; its text where there was nothing to fill."""
    return str(cell.metadata.get(KEY, {}).get(TEMPLATE, cell.source))


def fits(text: str, source: str) -> bool:
    """Whether `source` is what a template becomes for some values."""
    if not read(text):
        return text == source
    pieces = _VALUE.sub("\0", _without_conditions(text)).split("\0")
    return re.fullmatch("[^\n]+".join(map(re.escape, pieces)), source) is not None and not read(source)


def malformed(notebook: NotebookNode) -> list[str]:
    """What is wrong with the marks in a notebook's Markdown, one line each, before anything is run."""
    found = []
    for index, cell in enumerate(notebook.cells):
        try:
            read(template(cell) if cell.cell_type == "markdown" else "")
        except ValueError as error:
            found.append(f"cell {index}: {error}")
    return found


# --- called in the kernel


def said(value: Any, form: str = "") -> str:
    """A value as prose.

    Args:
        value: a number or a text; an array or tensor of one value, too.
        form: a format of Python's; with " %" in the place of "%", a blank stands before the sign.

    Raises:
        TypeError, ValueError: it is nothing to be said: no single value, not a number, infinite, empty, of several
            lines, a real number without a format.
    """
    value = _single(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"it is {value}")
    if isinstance(value, float) and not form:
        raise ValueError(f"it is {value!r}: say how it is written, as in {{= … : .2f =}}")
    text = format(value, form[:-2] + "%")[:-1] + " %" if form.endswith(" %") else format(value, form)
    if not text.strip() or "\n" in text:
        raise ValueError(f"it is {text!r}: one line of text is needed")
    return text[1:] if re.fullmatch(r"-0[.,0]*(\s?%)?", text) else text


def _single(value: Any) -> Any:
    try:
        value = value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError):
        raise TypeError(f"it is {describe(value)}, not one value") from None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"it is {describe(value)}, neither a number nor a text")
    return value


def truth(value: Any) -> bool:
    """A condition's value.

    Raises:
        TypeError: it is neither true nor false.
    """
    value = value.item() if hasattr(value, "item") and getattr(value, "shape", None) == () else value
    if not isinstance(value, bool):
        raise TypeError(f"it is {describe(value)}, neither True nor False")
    return value


# --- what comes back


def answers(marks: Marks, replies: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """The values as text, and what is wrong, one line each.

    Args:
        marks: what was asked.
        replies: the kernel's answers to `marks.questions`, as Jupyter's protocol has them in `user_expressions`.
    """
    values, problems = [], []
    for number, value in enumerate(marks.values):
        reply = replies[f"value {number}"]
        if reply["status"] == "ok":
            values.append(ast.literal_eval(reply["data"]["text/plain"]))
        else:
            problems.append(f"`{value.mark}`: {_raised(reply)}")
    for number, expression in enumerate(marks.conditions):
        reply = replies[f"holds {number}"]
        if reply["status"] != "ok":
            problems.append(f"`{expression}`: {_raised(reply)}")
        elif reply["data"]["text/plain"] != "True":
            problems.append(f"`{expression}` does not hold")
    return values, problems


def _raised(reply: Mapping[str, Any]) -> str:
    lines = str(reply["evalue"]).strip().splitlines()
    return f"{reply['ename']}: {lines[0]}" if lines else str(reply["ename"])
