"""Predictions that learners make before they see the answer: a control, and a plain variable for those who type.

    guess = course.predict("Of 100 alarms, how many are right?", 0, 100)
    guess.value = 30                   # instead of moving the slider
    guess.answer(true / alarms * 100)  # below the output: one line

In the saved notebook, where nobody has guessed, the question is text and the answer is folded.
"""

import html
import math
import re
from collections.abc import Sequence
from typing import Any

from torchfakes_utils.language import tr

VIEW = "application/vnd.jupyter.widget-view+json"

# What was guessed in this kernel, by question: a cell that is run again keeps its guess.
_KEPT: dict[tuple[Any, ...], str | float] = {}


class Prediction:
    """A question and what somebody expects; made by `predict`.

    Attributes:
        question: as asked.
        options: to choose from; empty where a number is asked for.
        low, high: the ends of the range of a number.
        unit: of the number; with "%", distances are in percentage points.
        step: of the slider.
    """

    def __init__(
        self,
        question: str,
        low: float = 0,
        high: float = 0,
        *,
        options: Sequence[str] = (),
        unit: str = "",
        step: float | None = None,
    ) -> None:
        if bool(options) == (low != high) or low > high:
            raise ValueError(f"{question!r}: give options, or a range from low to high")
        if options and not 1 < len(options) == len(set(options)):
            raise ValueError(f"{question!r}: two options at least, none of them twice")
        options = tuple(map(tr, options))  # those that the package names, such as the parts of a face
        self.question, self.options, self.low, self.high, self.unit = question, options, low, high, unit
        whole = isinstance(low, int) and isinstance(high, int)
        self.step = step if step is not None else (1 if whole else _round_step((high - low) / 100))
        self._value: str | float | None = None
        self._box: Any = None

    @property
    def value(self) -> str | float | None:
        """What was guessed, None until then; text that says a number ("30 %", "12,5") is taken as one."""
        return self._value

    @value.setter
    def value(self, guess: Any) -> None:
        if guess is None:
            self._value = None
            _KEPT.pop(self._key, None)
            return
        try:
            _KEPT[self._key] = self._value = self._option(guess) if self.options else self._number(guess)
        except ValueError as error:
            print(error)
            return
        if self._may_be_a_share(guess):
            share = float(self._value)
            print(tr("{share:g} %? For {percent:g} % type {percent:g}.", share=share, percent=100 * share))

    @property
    def _key(self) -> tuple[Any, ...]:
        return (self.question, self.options, self.low, self.high, self.unit)

    def recall(self) -> None:
        """Take up what was guessed when this question was asked before: its cell has been run again."""
        self._value = _KEPT.get(self._key)

    def _option(self, guess: Any) -> str:
        """The option that somebody means: written a little differently, or by a part that no other option has."""
        own = _folded(guess)
        alike = [option for option in self.options if _folded(option).replace(" ", "") == own.replace(" ", "")]
        words = re.compile(rf"(?<![\w.]){re.escape(own)}(?!\w|\.\d)")
        parts = [option for option in self.options if own and words.search(_folded(option))]
        for found in (alike, parts):
            if len(found) == 1:
                return found[0]
        known = "; ".join(self.options)
        raise ValueError(tr("{guess!r} is none of the answers. They are: {known}", guess=guess, known=known))

    def _number(self, guess: Any) -> float:
        try:
            number = float(with_point(guess.strip().removesuffix(self.unit)) if isinstance(guess, str) else guess)
        except (TypeError, ValueError, RuntimeError):
            number = float("nan")
        if not self.low <= number <= self.high:
            raise ValueError(tr("{guess!r} is no number from {range}.", guess=guess, range=self._range))
        return number

    def _may_be_a_share(self, guess: Any) -> bool:
        """Whether 0.3 was typed where per cent are asked for; "0.3 %" says what is meant."""
        if self.unit != "%" or self.high != 100 or (isinstance(guess, str) and "%" in guess):
            return False
        return 0 < float(self._value or 0) < 1

    def answer(self, actual: Any) -> None:
        """Say in one line how far off the guess was; where there was none, the answer is folded.

        Args:
            actual: the option that is right; or the number, also as an array or tensor of one value.

        Raises:
            ValueError: it is none of the options, or no number.
        """
        if self._value is not None or not _in_notebook():
            print(self.told(actual))
            return
        from IPython.display import display

        folded = f"<details><summary>{tr('The answer')}</summary>{html.escape(self.told(actual))}</details>"
        display({"text/plain": self.told(actual), "text/html": folded}, raw=True)

    def told(self, actual: Any) -> str:
        """The line of `answer`."""
        truth, shown = self._truth(actual)
        if self._value is None:
            return tr("You made no guess: it was {shown}.", shown=shown)
        if self.options:
            if self._value == truth:
                return tr("You said {own}: right.", own=self._value)
            return tr("You said {own}; it was {shown}.", own=self._value, shown=shown)
        return self._told_number(float(self._value), truth)

    def _told_number(self, guess: float, truth: float) -> str:
        """The line for a number: all three as finely as the guess was typed, so that they add up."""
        digits = _digits_of(guess)
        own, shown = self._shown(guess, digits), self._shown(truth, digits)
        if own == shown:
            return tr("You said {own}, and {shown} it is.", own=own, shown=shown)
        distance = round(truth, self._digits(truth, digits)) - guess
        far = self._shown(abs(distance), digits, tr("percentage points") if self.unit == "%" else self.unit)
        if distance > 0:
            return tr("You said {own}; it was {shown}: {far} too low.", own=own, shown=shown, far=far)
        return tr("You said {own}; it was {shown}: {far} too high.", own=own, shown=shown, far=far)

    def _truth(self, actual: Any) -> tuple[Any, str]:
        """The right answer, and how it is written."""
        if self.options:
            option = self._option(actual)
            return option, option
        number = float(actual.item() if hasattr(actual, "item") else actual)
        if math.isnan(number):
            raise ValueError(f"{self.question!r}: the answer is not a number")
        return number, self._shown(number)

    def _shown(self, number: Any, least: int = 0, unit: str | None = None) -> str:
        """A number with its unit, as finely as its range deserves, and with `least` digits behind the point or more."""
        text = f"{number:,.{self._digits(number, least)}f}"
        unit = self.unit if unit is None else unit
        if text == "1" and len(unit) > 1:  # "1 value", and "1 s" as it is
            unit = unit.removesuffix("s")
        return f"{text} {unit}".rstrip()

    def _digits(self, number: Any, least: int = 0) -> int:
        """How many digits behind the point a number is shown with."""
        span = self.high - self.low
        digits = next((digits for digits, enough in ((0, 50), (1, 5), (2, 0.5)) if span >= enough), 3)
        if 0 < abs(number) < 1 and not digits:  # 0.3 where per cent are asked for: not 0 %, which nobody has typed
            digits = 1
        if isinstance(self.step, int) and float(number).is_integer():  # things that are counted
            return 0
        return max(digits, least)

    @property
    def _range(self) -> str:
        """From where to where a number is asked for: the unit stands once, behind both."""
        return tr("{low} to {high}", low=self._shown(self.low, unit=""), high=self._shown(self.high))

    @property
    def text(self) -> str:
        """The question with its possible answers."""
        choice = "; ".join(self.options) or self._range
        return f"{tr('Predict:')} {self.question} ({choice})"

    @property
    def widget(self) -> Any:
        """The control, made at its first use; None where there is no ipywidgets."""
        if self._box is None:
            try:
                import ipywidgets
            except ImportError:
                return None
            self._box = self._control(ipywidgets)
        return self._box

    def _control(self, ipywidgets: Any) -> Any:
        said = ipywidgets.HTML(tr("no guess yet") if self._value is None else self._guessed())
        if self.options:
            inner = ipywidgets.RadioButtons(
                options=self.options, value=self._value, layout=ipywidgets.Layout(width="max-content")
            )
        else:
            whole = all(isinstance(number, int) for number in (self.low, self.high, self.step))
            start = self._middle() if self._value is None else self._value
            inner = (ipywidgets.IntSlider if whole else ipywidgets.FloatSlider)(
                value=int(start) if whole else start, min=self.low, max=self.high, step=self.step, readout=False
            )

        def guessed(change: dict[str, Any]) -> None:
            self.value = change["new"]
            said.value = self._guessed()

        inner.observe(guessed, names="value")
        ends = "" if self.options else f" ({self._range})"
        asked = ipywidgets.HTML(f"<b>{tr('Predict:')}</b> {html.escape(self.question + ends)}")
        return ipywidgets.VBox([asked, inner, said])

    def _middle(self) -> float:
        """Where the slider stands at first: on its grid, or the front end moves it there, which would be a guess."""
        steps = round((self.high - self.low) / 2 / self.step)
        return round(self.low + steps * self.step, 10)

    def _guessed(self) -> str:
        own = self._value if self.options else self._shown(self._value, _digits_of(float(self._value or 0)))
        return html.escape(tr("your guess: {own}", own=own))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - IPython gives them
        items = "".join(f"<li>{html.escape(option)}</li>" for option in self.options)
        choice = f"<ul>{items}</ul>" if items else html.escape(f" ({self._range})")
        bundle: dict[str, Any] = {
            "text/plain": self.text,
            "text/html": f"<b>{tr('Predict:')}</b> {html.escape(self.question)}{choice}",
        }
        if self.widget is not None:
            bundle |= view(self.widget)
        return bundle

    def __repr__(self) -> str:
        return self.text


def predict(
    question: str,
    low: float = 0,
    high: float = 0,
    *,
    options: Sequence[str] = (),
    unit: str = "",
    step: float | None = None,
    value: Any = None,
) -> Prediction:
    """Ask for a prediction, and show the control for it.

    Args:
        question: one sentence.
        low, high: the ends of the range, where a number is asked for.
        options: the possible answers, where one of them is.
        unit: of the number, such as "%".
        step: of the slider; 1 between whole numbers and a hundredth of the range otherwise.
        value: the guess, for those who type.

    Raises:
        ValueError: there are neither options nor a range, or both, or an option is there twice.
    """
    guess = Prediction(question, low, high, options=options, unit=unit, step=step)
    if value is None:
        guess.recall()
    else:
        guess.value = value
    if _in_notebook():
        from IPython.display import display

        display(guess)
    else:
        print(guess.text)
    return guess


def _folded(option: Any) -> str:
    """Without what people type differently: capitals, × and x, apostrophes, commas, "the" in front, 3.0 for 3."""
    if isinstance(option, float) and option.is_integer():
        option = int(option)
    text = str(option).lower().translate(str.maketrans("×’‘", "x''", ","))
    return " ".join(text.split()).removeprefix("the ")


def with_point(text: str) -> str:
    """With a decimal point, where most of the world writes a comma; "1,000" is a thousand."""
    return re.sub(r",(?=\d{3}(\D|$))", "", text).replace(",", ".")


def _digits_of(number: float) -> int:
    """How many digits behind the point a number was typed with; 0 where it was calculated, such as 100 / 3."""
    return next((digits for digits in range(5) if abs(number - round(number, digits)) < 1e-9), 0)


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, … times a power of ten that is no smaller."""
    power = 10.0 ** math.floor(math.log10(step))
    return round(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9)), 10)


def view(widget: Any) -> dict[str, Any]:
    """A widget as part of what a cell shows."""
    return {VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}}


def _in_notebook() -> bool:
    """Whether there is a front end that shows more than text."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return get_ipython() is not None
