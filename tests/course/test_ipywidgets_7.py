"""The course's widgets are made of what ipywidgets 7.7 has too: Colab brings that.

7.7 takes what it does not know without a word and leaves it out, so that a test that only runs there would see nothing.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted([*(ROOT / "torchfakes_utils" / "course").glob("*.py"), *(ROOT / "notebooks" / "source").glob("*.py")])

# The difference between the two, asked of ipywidgets 8.1.9 and 7.7.1: `class_trait_names()` of each class.
CLASSES_OF_8 = {
    "ColorsInput", "DatetimePicker", "FloatsInput", "IntsInput", "NaiveDatetimePicker", "Stack", "TagsInput",
    "TimePicker",
}  # fmt: skip
OF_8 = {
    "behavior", "border_bottom", "border_left", "border_right", "border_top", "description_allow_html", "font_family",
    "font_size", "font_style", "font_variant", "orientation", "playing", "repeat", "tabbable", "text_color",
    "text_decoration", "titles", "tooltip",
}  # fmt: skip
OF_7 = {"border", "data", "description_tooltip", "metadata", "overflow_x", "overflow_y"}
# What both have all the same, in some classes.
OF_BOTH = {
    "Button": {"tooltip"}, "ToggleButton": {"tooltip"}, "Layout": {"border"}, "IntSlider": {"orientation"},
    "FloatSlider": {"orientation"}, "SelectionSlider": {"orientation"},
}  # fmt: skip


def uses_of_one_version(source: str) -> list[str]:
    """Classes and keywords of ipywidgets in a source that only one of the two versions has."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "ipywidgets":
            found += [f"line {node.lineno}: {node.attr}"] if node.attr in CLASSES_OF_8 else []
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).removeprefix("ipywidgets.")
            words = {word.arg for word in node.keywords} & (OF_8 | OF_7) - OF_BOTH.get(name, set())
            if ast.unparse(node.func).startswith(("ipywidgets.", "(ipywidgets.")):
                found += [f"line {node.lineno}: {name}({word}=…)" for word in sorted(words)]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_widgets_are_made_of_what_both_versions_have(path):
    assert not uses_of_one_version(path.read_text(encoding="utf-8"))


def test_what_one_version_lacks_is_found():
    source = "ipywidgets.TagsInput()\nipywidgets.HTML('x', tooltip='y')\nipywidgets.Button(tooltip='y')\nf(data=3)"
    assert sorted(uses_of_one_version(source)) == ["line 1: TagsInput", "line 2: HTML(tooltip=…)"]
    dynamic = "(ipywidgets.IntSlider if whole else ipywidgets.FloatSlider)(value=1, behavior='drag')"
    assert len(uses_of_one_version(dynamic)) == 1
