"""Widgets that are thin shells: a pure function draws a figure, sliders and menus choose its arguments.

The figure is shown as a PNG in an image widget, which every front end updates in place (ipywidgets 7.7 on Colab and 8
elsewhere, JupyterLab, VS Code). Those who read the saved notebook, or its page, without a kernel see a twin of it: one
picture of several settings (`stills`).
"""

import base64
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from torchfakes_utils.course import alt_text
from torchfakes_utils.course.predictions import view
from torchfakes_utils.course.stills import sheet
from torchfakes_utils.language import tr

LONG = 500  # characters of alt text
# Read out, and not seen: an image widget has no alt text.
_HIDDEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap"


class Shown:
    """A widget together with the picture that stands for it where no kernel runs.

    Args:
        widget: any widget.
        png: the picture.
        alt: what the picture shows, in a sentence.
    """

    def __init__(self, widget: ipywidgets.Widget, png: bytes, alt: str = "") -> None:
        self.widget = widget
        self.png = png
        self.alt = alt

    def _repr_mimebundle_(
        self,
        include: object = None,  # noqa: ARG002 - IPython gives them
        exclude: object = None,  # noqa: ARG002
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {
            "text/plain": f"{self.alt} {tr('(interactive: run this cell)')}".lstrip(),
            "image/png": base64.b64encode(self.png).decode(),
        }
        return data | view(self.widget), {"image/png": {alt_text.KEY: self.alt}} if self.alt else {}


def explore(
    draw: Callable[..., Figure],
    /,
    *,
    labels: dict[str, str] | None = None,
    states: Sequence[Mapping[str, Any]] | None = None,
    alt: str = "",
    **controls: Any,
) -> Shown:
    """Let the reader change the arguments of a function that draws.

    Args:
        draw: a pure function of the controls' values that returns a matplotlib figure.
        labels: what stands beside a control, by name; the name itself (`_` as blank) by default.
        states: the settings that the saved notebook shows, each a value for some controls, the others as at the start;
            the first control's lowest, first and highest value by default, or the first three of a menu.
        alt: what the figure shows at any setting, in a sentence; made from each figure's title and axes by default.
        **controls: one an argument of `draw`: (low, high, step) or (low, high, step, start) for a slider of whole
            or real numbers, a list of choices for a menu, a bool for a check box, or a widget with a `value`.

    Returns:
        What a cell ends with: the controls above the figure.

    Raises:
        ValueError: a state names no control, or a value that its control does not have.
    """
    boxes = {
        name: control(spec, (labels or {}).get(name, tr(name.replace("_", " ")))) for name, spec in controls.items()
    }

    start = {name: box.value for name, box in boxes.items()}
    first = _still(draw, start)
    picture = ipywidgets.Image(
        value=first.png, format="png", layout=ipywidgets.Layout(max_width="100%", object_fit="contain")
    )
    message = ipywidgets.HTML()
    spoken = ipywidgets.HTML(_spoken(alt or first.alt))

    def redraw(_: object) -> None:
        # An exception in a callback would vanish in a log; the reader is told instead, and the widget lives on.
        try:
            still = _still(draw, {name: box.value for name, box in boxes.items()})
        except Exception as error:  # noqa: BLE001 - whatever it is
            message.value = f"<b>{type(error).__name__}</b>: {html.escape(str(error))}"
        else:
            picture.value, spoken.value, message.value = still.png, _spoken(alt or still.alt), ""

    for box in boxes.values():
        box.observe(redraw, names="value")
    chosen = [start | _checked(boxes, state) for state in states] if states else _by_default(boxes, start)
    varied = [name for name in boxes if any(state[name] != chosen[0][name] for state in chosen)] or list(boxes)
    shown = []
    for state in chosen:
        setting = ", ".join(f"{_label(boxes[name], name)}: {_written(boxes[name], state[name])}" for name in varied)
        try:
            shown.append((first if state == start else _still(draw, state))._replace(setting=setting))
        except Exception:
            if states:
                raise
            # Nobody has asked for this end of the range; who moves there is told.
    if len(chosen) == 1 and not states:
        shown = [first]
    body = ipywidgets.VBox([*boxes.values(), message, picture, spoken])
    return Shown(body, sheet([(still.setting, still.png) for still in shown]), _alt(shown, alt))


class Still(NamedTuple):
    """A figure at one setting of its controls."""

    png: bytes
    alt: str
    setting: str = ""


def _still(draw: Callable[..., Figure], values: Mapping[str, Any]) -> Still:
    figure = draw(**values)
    return Still(png(figure), alt_text.of(figure))


def _alt(stills: list[Still], alt: str) -> str:
    """What the twin shows, in few sentences: what all stills have in common is said once."""
    settings = [still.setting.replace(": ", " ") for still in stills]
    common = alt or (stills[0].alt if len({still.alt for still in stills}) == 1 else "")
    if common:
        return f"{common} {tr('Shown at {settings}.', settings='; '.join(settings))}" if settings[0] else common
    said = [
        tr("At {setting}: {alt}", setting=setting, alt=still.alt)
        for setting, still in zip(settings, stills, strict=True)
    ]
    if sum(map(len, said)) > LONG:  # who listens has heard the axes once
        said[1:] = [tr("Also shown at {settings}.", settings="; ".join(settings[1:]))]
    return " ".join(said)


def _spoken(text: str) -> str:
    """Text for screen readers, which read it again when it changes."""
    return f'<span role="status" style="{_HIDDEN}">{html.escape(text)}</span>'


def _checked(boxes: Mapping[str, ipywidgets.Widget], state: Mapping[str, Any]) -> dict[str, Any]:
    """A state, of values that the controls have."""
    for name, value in state.items():
        if name not in boxes:
            raise ValueError(f"states: {name!r} is no control; there are {', '.join(boxes)}")
        box = boxes[name]
        options = getattr(box, "options", None)
        if options is not None and value not in (choices := [choice for _, choice in _pairs(box)]):
            raise ValueError(f"states: {name} has no {value!r}; it has {', '.join(map(str, choices))}")
        if options is None and hasattr(box, "min") and not box.min <= value <= box.max:
            raise ValueError(f"states: {name} goes from {box.min} to {box.max}, and {value} is not in there")
    return dict(state)


def _by_default(boxes: Mapping[str, ipywidgets.Widget], start: dict[str, Any]) -> list[dict[str, Any]]:
    """Three settings of the first control, or as many as it has; the others stay as they are."""
    for name, box in boxes.items():
        if hasattr(box, "options"):
            choices = [choice for _, choice in _pairs(box)]
            # A slider of choices has ends; a menu is read from its beginning.
            few = choices[:3] if isinstance(box, ipywidgets.Dropdown) else [choices[0], box.value, choices[-1]]
        elif hasattr(box, "min"):
            few = [box.min, box.value, box.max]
        elif isinstance(box.value, bool):
            few = [False, True]
        else:
            continue
        return [start | {name: value} for index, value in enumerate(few) if value not in few[:index]]
    return [start]


def _pairs(box: ipywidgets.Widget) -> Iterable[tuple[str, Any]]:
    """The choices of a menu, each as it is shown and as it is passed on."""
    return [choice if isinstance(choice, tuple) else (str(choice), choice) for choice in box.options]


def _label(box: ipywidgets.Widget, name: str) -> str:
    return (box.description or name).strip().rstrip(":")


def _written(box: ipywidgets.Widget, value: Any) -> str:
    """A value as its control shows it."""
    if hasattr(box, "options"):
        return next((shown for shown, choice in _pairs(box) if choice == value), str(value))
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    return f"{value:{getattr(box, 'readout_format', '.2f')}}" if isinstance(value, float) else str(value)


def control(spec: Any, label: str = "") -> ipywidgets.Widget:
    """The control that a specification of `explore` stands for.

    Raises:
        TypeError: nothing can be made of the specification.
    """
    style = {"style": {"description_width": "initial"}, "description": label}
    if isinstance(spec, ipywidgets.Widget):
        return spec
    if isinstance(spec, bool):
        return ipywidgets.Checkbox(value=spec, indent=False, **style)
    if isinstance(spec, list) and spec:
        return ipywidgets.Dropdown(options=spec, value=spec[0][1] if isinstance(spec[0], tuple) else spec[0], **style)
    if isinstance(spec, tuple) and len(spec) in (3, 4):
        low, high, step = spec[:3]
        kind = ipywidgets.IntSlider if all(isinstance(number, int) for number in spec) else ipywidgets.FloatSlider
        layout = ipywidgets.Layout(width="420px", max_width="100%")
        return kind(value=spec[3] if len(spec) == 4 else low, min=low, max=high, step=step, layout=layout, **style)
    raise TypeError(
        f"{spec!r} is no control: give (low, high, step), (low, high, step, start), a list, a bool or a widget"
    )


def with_picture(widget: ipywidgets.Widget, figure: Figure, alt: str = "") -> Shown:
    """Any other widget (a game, a form), with a figure for those who read without running; `alt` says what it shows."""
    return Shown(widget, png(figure), alt or alt_text.of(figure))


def image(figure: Figure) -> ipywidgets.Image:
    """A figure as an image widget; set its `value` to `png(…)` of another figure to change it."""
    return ipywidgets.Image(value=png(figure), format="png")


def png(figure: Figure) -> bytes:
    """A figure as PNG; it is closed, so that the notebook does not show it a second time.

    Raises:
        TypeError: what is given is no figure, mostly because the function that draws lacks its `return figure`.
    """
    if not isinstance(figure, Figure):
        raise TypeError(f"the function that draws has to return its figure, not {type(figure).__name__}")
    buffer = io.BytesIO()
    # Packed quickly, for somebody waits for it: a fifth of the time less. Published notebooks are packed again.
    packing = {"compress_level": 1}
    figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None}, pil_kwargs=packing)
    plt.close(figure)
    return buffer.getvalue()
