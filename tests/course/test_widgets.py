"""A widget follows its controls, survives an error, and leaves several of its settings to readers without a kernel."""

import base64
import io

import ipywidgets
import pytest
from matplotlib.figure import Figure
from PIL import Image

from torchfakes_utils.course import predictions, widgets


def draw(size: float, kind: str = "box") -> Figure:
    if size == 4:
        raise ValueError("four is <not> allowed")
    figure = Figure(figsize=(2, 1))
    figure.text(0.1, 0.1 * size, "###")
    figure.suptitle(f"{kind} of {size}")
    return figure


@pytest.fixture
def settings(monkeypatch):
    """The headings of what was put into a saved notebook's picture, as of the last widget."""
    found = []
    sheet = widgets.sheet

    def seen(pictures):
        found[:] = [heading for heading, _ in pictures]
        return sheet(pictures)

    monkeypatch.setattr(widgets, "sheet", seen)
    return found


def test_a_widget_redraws_and_survives_an_error():
    shown = widgets.explore(draw, size=(1, 5, 1, 2), kind=["box", "ring"])
    slider, menu, message, picture, spoken = shown.widget.children
    first = picture.value
    assert slider.value == 2 and bytes(first).startswith(b"\x89PNG")
    slider.value = 3
    second = picture.value
    menu.value = "ring"
    assert len({first, second, picture.value}) == 3 and "ring of 3." in spoken.value
    slider.value = 4
    assert "four is &lt;not&gt; allowed" in message.value
    slider.value = 2
    menu.value = "box"
    assert picture.value == first and message.value == "" and "box of 2." in spoken.value


def test_a_widget_has_a_picture_with_alt_text_for_readers_without_a_kernel():
    data, metadata = widgets.explore(draw, size=(1, 5, 1))._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png", predictions.VIEW} and data[predictions.VIEW]["model_id"]
    alt = metadata["image/png"]["alt"]
    assert alt == "At size 1: box of 1. At size 5: box of 5."
    assert data["text/plain"] == f"{alt} (interactive: run this cell)"


@pytest.mark.parametrize(
    ("controls", "expected"),
    [
        ({"size": (1, 7, 1, 3)}, ["size: 1", "size: 3", "size: 7"]),
        ({"size": (1, 7, 1), "kind": ["box", "ring"]}, ["size: 1", "size: 7"]),
        ({"size": (1, 4, 1, 2)}, ["size: 1", "size: 2"]),  # four cannot be drawn
        ({"size": (0.5, 2.5, 0.5, 1.0)}, ["size: 0.50", "size: 1.00", "size: 2.50"]),
        ({"kind": list("abcd"), "size": (1, 5, 1)}, ["kind: a", "kind: b", "kind: c"]),
        ({"size": [("three", 3), ("five", 5)]}, ["size: three", "size: five"]),
        ({"size": False}, ["size: no", "size: yes"]),
        ({"size": ipywidgets.SelectionSlider(options=[1, 2, 3, 5], value=3)}, ["size: 1", "size: 3", "size: 5"]),
        ({"size": ipywidgets.BoundedIntText(2, min=1, max=6)}, ["size: 1", "size: 2", "size: 6"]),
        ({"size": ipywidgets.FloatText(2.0)}, [""]),  # without ends: the start alone
    ],
)
def test_settings_that_nobody_has_named(settings, controls, expected):
    widgets.explore(draw, **controls)
    assert settings == expected


def test_settings_that_somebody_has_named(settings):
    states = [{"size": 1, "kind": "ring"}, {"size": 5}]
    shown = widgets.explore(
        draw, states=states, alt="Something in a frame.", labels={"size": "px"}, size=(1, 5, 1, 2), kind=["box", "ring"]
    )
    assert settings == ["px: 1, kind: ring", "px: 5, kind: box"]
    assert shown.alt == "Something in a frame. Shown at px 1, kind ring; px 5, kind box."
    assert [child.value for child in shown.widget.children[:2]] == [2, "box"]  # the widget itself begins at its start
    widgets.explore(draw, states=[{"size": 5}], size=(1, 5, 1))
    assert settings == ["size: 5"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"width": 3}, "'width' is no control; there are size, kind"),
        ({"size": 9}, "size goes from 1 to 5, and 9"),
        ({"kind": "oval"}, "kind has no 'oval'; it has box, ring"),
        ({"size": 4}, "four is <not> allowed"),
    ],
)
def test_a_state_that_there_is_not(state, message):
    with pytest.raises(ValueError, match=message):
        widgets.explore(draw, states=[{}, state], size=(1, 5, 1), kind=["box", "ring"])


def test_settings_stand_side_by_side_while_they_can_be_read():
    def of(width: int, number: int) -> tuple[int, int]:
        picture = io.BytesIO()
        Image.new("RGBA", (width, 100), (255, 0, 0, 0)).save(picture, "png")
        with Image.open(io.BytesIO(widgets.sheet([("a setting", picture.getvalue())] * number))) as page:
            assert page.mode == "RGB" and page.getpixel((page.width - 1, page.height - 1)) == (255, 255, 255)
            return page.size

    (one, low), (two, same), (three, high) = of(200, 1), of(200, 2), of(600, 3)
    assert one == 200 and 400 < two < 720 and low == same  # side by side
    assert three == 600 and high > 300  # one below the other, none of them smaller than it was
    assert of(200, 3)[1] == low and of(200, 4)[1] > low  # four of them do not fit


def test_a_game_with_its_picture():
    data, metadata = widgets.with_picture(ipywidgets.HTML("a game"), draw(2))._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": "box of 2."}}
    assert base64.b64decode(data["image/png"]) == widgets.png(draw(2))
    assert widgets.with_picture(ipywidgets.HTML(), draw(2), alt="Ten faces.").alt == "Ten faces."


def test_controls():
    kinds = {(0, 1, 0.5): "FloatSlider", (0, 5, 1): "IntSlider", True: "Checkbox"}
    assert [type(widgets.control(spec)).__name__ for spec in kinds] == list(kinds.values())
    assert widgets.control([("three", 3), ("four", 4)]).value == 3
    with pytest.raises(TypeError, match="no control"):
        widgets.control("three")
    with pytest.raises(TypeError, match="return its figure"):
        widgets.png(None)
