"""Quizzes: three questions a lesson, from quizzes.yaml, each choice with its own feedback.

    course.quiz("03")

With a kernel, a choice is a button beside its text: the labels of radio buttons do not wrap, and choices are
sentences. Without one, in a saved notebook or on a page, each choice is a fold that opens on its feedback.
"""

import html
import re
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torchfakes_utils.course.folders import lessons
from torchfakes_utils.course.predictions import view
from torchfakes_utils.errors import InputError
from torchfakes_utils.language import ENGLISH, current, tr

FILE = Path(__file__).with_name("quizzes.yaml")
QUESTIONS = 3


def file_of(language: str) -> Path:
    """Where the quizzes of a language stand: quizzes.yaml, or beside it quizzes.es.yaml and the like."""
    return FILE if language == ENGLISH else FILE.with_suffix(f".{language}.yaml")


@dataclass(frozen=True)
class Choice:
    """A possible answer, and what is said to those who choose it."""

    text: str
    feedback: str
    right: bool = False

    @property
    def reply(self) -> str:
        """The feedback with its verdict."""
        return f"{tr('Right.') if self.right else tr('No.')} {self.feedback}"


@dataclass(frozen=True)
class Question:
    """A question with its choices, one of which is right."""

    text: str
    choices: tuple[Choice, ...]


def read(file: Path = FILE) -> Any:
    """What stands in a file of quizzes.

    Raises:
        InputError: it is no YAML, or has a key twice.
    """
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """YAML's own lets the last of two keys win, without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            names = [self.construct_object(key, deep=True) for key, _ in node.value]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise InputError(f"{file.name}, line {node.start_mark.line + 1}: {twice!r} is there twice")
            return dict(super().construct_mapping(node, deep))

    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{file.name}: {' '.join(str(error).split())}") from error


def problems(quizzes: Any) -> list[str]:
    """What is wrong with the form of quizzes as they stand in their file, one line each."""
    if not isinstance(quizzes, dict):
        return ["quizzes: a mapping from lessons to questions is expected"]
    found = []
    for lesson, questions in quizzes.items():
        if lesson not in lessons():
            found.append(f"{lesson!r}: no such lesson; there are {', '.join(lessons())}, in quotation marks")
        if not isinstance(questions, list) or len(questions) != QUESTIONS:
            number = len(questions) if isinstance(questions, list) else "no"
            found.append(f"lesson {lesson}: {number} questions, and {QUESTIONS} are asked")
        for number, question in enumerate(questions if isinstance(questions, list) else [], 1):
            found += [f"lesson {lesson}, question {number}: {problem}" for problem in _of_question(question)]
    texts = [question.get("question") for each in quizzes.values() if isinstance(each, list)
             for question in each if isinstance(question, dict)]  # fmt: skip
    twice = sorted({str(text) for text in texts if texts.count(text) > 1})
    return found + [f"asked twice: {text}" for text in twice]


def _of_question(question: Any) -> list[str]:
    if not isinstance(question, dict) or set(question) != {"question", "choices"}:
        return ["it has a question and choices, and nothing else"]
    choices = question["choices"]
    if not _is_text(question["question"]):
        return ["no question is asked"]
    if not isinstance(choices, list) or len(choices) < 3 or not all(isinstance(choice, dict) for choice in choices):
        return ["three choices at least, each with text and feedback"]
    found = [problem for number, choice in enumerate(choices, 1) for problem in _of_choice(number, choice)]
    texts = [str(choice.get("text")).strip().lower() for choice in choices]
    found += [f"the same choice twice: {text}" for text in sorted({text for text in texts if texts.count(text) > 1})]
    right = sum(choice.get("right") is True for choice in choices)
    return found + ([] if right == 1 else [f"{right} right choices, and one is needed"])


def _of_choice(number: int, choice: dict[str, Any]) -> list[str]:
    found = [f"choice {number} has no {name}" for name in ("text", "feedback") if not _is_text(choice.get(name))]
    found += [f"choice {number}: what is {name!r}?" for name in choice if name not in ("text", "feedback", "right")]
    if not isinstance(choice.get("right", False), bool):
        found.append(f"choice {number}: right is true, or left out")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


@cache
def questions(lesson: str, language: str = ENGLISH) -> tuple[Question, ...]:
    """The questions of a lesson, by its number.

    Args:
        lesson: such as "03".
        language: where that has no quizzes, or none of this lesson, the English ones are taken.

    Raises:
        InputError: there are none, or the file is not as it should be.
    """
    file = file_of(language)
    if language != ENGLISH and not file.is_file():
        return questions(lesson)
    quizzes = read() if language == ENGLISH else read(file)
    if found := problems(quizzes):
        raise InputError(f"{file.name}: {found[0]}")
    if lesson not in quizzes and language != ENGLISH:
        return questions(lesson)
    if lesson not in quizzes:
        raise InputError(f"{lesson!r}: no quiz; there are {', '.join(sorted(quizzes))}")
    return tuple(
        Question(each["question"], tuple(Choice(**choice) for choice in each["choices"])) for each in quizzes[lesson]
    )


class Quiz:
    """The quiz of a lesson, as a cell ends with it.

    Attributes:
        questions: of the lesson.
        chosen: the number of the last choice for each, None until there is one.
    """

    def __init__(self, questions: tuple[Question, ...]) -> None:
        self.questions = questions
        self.chosen: list[int | None] = [None] * len(questions)

    def choose(self, question: int, choice: int) -> str:
        """Answer a question, both counted from 0; what is said to it."""
        self.chosen[question] = choice
        return self.questions[question].choices[choice].reply

    def widget(self) -> Any:
        """The quiz with buttons."""
        import ipywidgets

        return ipywidgets.VBox([self._block(ipywidgets, number) for number in range(len(self.questions))])

    def _block(self, ipywidgets: Any, number: int) -> Any:
        question = self.questions[number]
        reply = ipywidgets.HTML()
        buttons = [
            ipywidgets.Button(description=letter, layout=ipywidgets.Layout(width="40px"))
            for letter, _ in zip("ABCDEF", question.choices, strict=False)
        ]

        def pressed(button: Any) -> None:
            chosen = buttons.index(button)
            reply.value = f"<i>{_marked(self.choose(number, chosen))}</i>"
            for each in buttons:
                each.button_style = ""
            button.button_style = "success" if question.choices[chosen].right else "warning"

        for button in buttons:
            button.on_click(pressed)
        rows = [
            ipywidgets.HBox([button, ipywidgets.HTML(_marked(choice.text))])
            for button, choice in zip(buttons, question.choices, strict=True)
        ]
        return ipywidgets.VBox([ipywidgets.HTML(f"<b>{number + 1}.</b> {_marked(question.text)}"), *rows, reply])

    def html(self) -> str:
        """The quiz for those without a kernel, each choice a fold."""
        blocks = []
        for number, question in enumerate(self.questions, 1):
            folds = "".join(f"<li>{_fold(choice)}</li>" for choice in question.choices)
            blocks.append(f'<p><b>{number}.</b> {_marked(question.text)}</p><ol type="A">{folds}</ol>')
        return "".join(blocks)

    def text(self) -> str:
        """The questions and choices alone."""
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question.text}")
            lines += [f"   {letter}  {choice.text}" for letter, choice in zip("ABCDEF", question.choices, strict=False)]
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - IPython gives them
        bundle: dict[str, Any] = {"text/plain": self.text(), "text/html": self.html()}
        try:
            return bundle | view(self.widget())
        except ImportError:
            return bundle


def quiz(lesson: str) -> Quiz:
    """The quiz of a lesson, as the last line of a cell.

    Args:
        lesson: its number, such as "03" or "06b".

    Raises:
        InputError: it has none.
    """
    return Quiz(questions(lesson, current()))


def _fold(choice: Choice) -> str:
    return f"<details><summary>{_marked(choice.text)}</summary>{_marked(choice.reply)}</details>"


def _marked(text: str) -> str:
    """Text as HTML; `code` is all the Markdown that a quiz may hold."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))
