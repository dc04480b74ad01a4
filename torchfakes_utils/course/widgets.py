"""Widgets that are thin shells: a pure function draws a figure, sliders and menus choose its arguments.

The figure is shown as a PNG in an image widget, which every front end updates in place (ipywidgets 7.7 on Colab and 8
elsewhere, JupyterLab, VS Code). The same picture is kept as a plain image beside the widget, for those who read the
saved notebook, or its page, without a kernel.
"""

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import ipywidgets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

VIEW = "application/vnd.jupyter.widget-view+json"


class Shown:
    """A widget together with the picture that stands for it where no kernel runs.

    Args:
        widget: any widget.
        png: the picture.
    """

    def __init__(self, widget: ipywidgets.Widget, png: bytes) -> None:
        self.widget = widget
        self.png = png

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:  # noqa: ARG002 - IPython gives them
        return {
            "text/plain": "(interactive: run this cell)",
            "image/png": base64.b64encode(self.png).decode(),
            VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.widget.model_id},
        }


def explore(draw: Callable[..., Figure], /, *, labels: dict[str, str] | None = None, **controls: Any) -> Shown:
    """Let the reader change the arguments of a function that draws.

    Args:
        draw: a pure function of the controls' values that returns a matplotlib figure.
        labels: what stands beside a control, by name; the name itself (`_` as blank) by default.
        **controls: one an argument of `draw`: (low, high, step) or (low, high, step, start) for a slider of whole
            or real numbers, a list of choices for a menu, a bool for a check box, or a widget with a `value`.

    Returns:
        What a cell ends with: the controls above the figure.
    """
    boxes = {name: control(spec, (labels or {}).get(name, name.replace("_", " "))) for name, spec in controls.items()}
    first = png(draw(**{name: box.value for name, box in boxes.items()}))
    picture = ipywidgets.Image(
        value=first, format="png", layout=ipywidgets.Layout(max_width="100%", object_fit="contain")
    )
    message = ipywidgets.HTML()

    def redraw(_: object) -> None:
        # An exception in a callback would vanish in a log; the reader is told instead, and the widget lives on.
        try:
            picture.value = png(draw(**{name: box.value for name, box in boxes.items()}))
            message.value = ""
        except Exception as error:  # noqa: BLE001 - whatever it is
            message.value = f"<b>{type(error).__name__}</b>: {html.escape(str(error))}"

    for box in boxes.values():
        box.observe(redraw, names="value")
    return Shown(ipywidgets.VBox([*boxes.values(), message, picture]), first)


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


def with_picture(widget: ipywidgets.Widget, figure: Figure) -> Shown:
    """Any other widget (a game, a form), with a figure for those who read without running."""
    return Shown(widget, png(figure))


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
    figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    plt.close(figure)
    return buffer.getvalue()
