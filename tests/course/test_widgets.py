"""A widget follows its controls, survives an error, and leaves a picture for readers without a kernel."""

import pytest
from matplotlib.figure import Figure

from torchfakes_utils.course import widgets


def draw(size: int, kind: str = "box") -> Figure:
    if size == 4:
        raise ValueError("four is <not> allowed")
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.1 * size, kind)
    return figure


def test_a_widget_redraws_and_survives_an_error():
    shown = widgets.explore(draw, size=(1, 5, 1, 2), kind=["box", "ring"])
    slider, menu, message, picture = shown.widget.children
    first = picture.value
    assert slider.value == 2 and shown.png == first and bytes(first).startswith(b"\x89PNG")
    slider.value = 3
    second = picture.value
    menu.value = "ring"
    assert len({first, second, picture.value}) == 3
    slider.value = 4
    assert "four is &lt;not&gt; allowed" in message.value
    slider.value = 2
    menu.value = "box"
    assert picture.value == first and message.value == ""


def test_a_widget_has_a_picture_for_readers_without_a_kernel():
    bundle = widgets.explore(draw, size=(1, 5, 1))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "image/png", widgets.VIEW}
    assert bundle[widgets.VIEW]["model_id"]


def test_controls():
    kinds = {(0, 1, 0.5): "FloatSlider", (0, 5, 1): "IntSlider", True: "Checkbox"}
    assert [type(widgets.control(spec)).__name__ for spec in kinds] == list(kinds.values())
    assert widgets.control([("three", 3), ("four", 4)]).value == 3
    with pytest.raises(TypeError, match="no control"):
        widgets.control("three")
    with pytest.raises(TypeError, match="return its figure"):
        widgets.png(None)
