"""A notebook as an HTML page that can be read anywhere: offline, on a phone, and by those who hear it.

    jupyter nbconvert --to torchfakes_utils.course.pages.PageExporter notebooks/03_sharp_enough.ipynb

What nbconvert 7 does otherwise: its template `lab` shows no alt text of an output (GitHub and JupyterLab 4 show none
either), sets formulas by a script from the network, cuts long lines of code, and shrinks a figure to the width of a
phone until nobody can read it.
"""

import html
import re
from typing import Any

import latex2mathml.converter
from jinja2 import pass_context
from nbconvert import HTMLExporter

# A picture begins with `<img src`; what stands in the template's own block is kept.
_BLOCK = """
{%% block data_%(block)s scoped %%}
{%%- set alt = output | get_metadata('alt', 'image/%(kind)s') -%%}
{%%- if alt %%}{{ super() | replace('<img src', '<img alt="' ~ (alt | escape) ~ '" src', 1) }}
{%%- else %%}{{ super() }}{%% endif -%%}
{%% endblock data_%(block)s %%}
"""
# On a narrow screen figures, tables and printed lines keep a width at which they can be read, and are moved sideways.
_STYLE = """
{% block html_head_css %}{{ super() }}<style>
.jp-InputArea-editor { overflow-x: auto }
.jp-RenderedImage, math[display="block"] { overflow-x: auto }
math[display="block"] { font-size: 120% }
.jp-OutputArea-output td, .jp-OutputArea-output th { white-space: nowrap }
@media (max-width: 600px) {
  .jp-RenderedImage img { max-width: max(100%, 560px) }
  .jp-OutputArea-output { overflow-x: auto }
  .jp-OutputArea-output pre, .jp-RenderedMarkdown pre { white-space: pre; word-break: normal; overflow-wrap: normal }
  .jp-RenderedMarkdown pre { overflow-x: auto; margin-bottom: 1em }
}
</style>{% endblock html_head_css %}
"""
_NO_SCRIPT = "{% block html_head_js_mathjax %}{% endblock html_head_js_mathjax %}"
_TEMPLATE = "{%- extends 'lab/index.html.j2' -%}" + _STYLE + _NO_SCRIPT + "".join(
    _BLOCK % {"block": block, "kind": kind} for block, kind in (("png", "png"), ("jpg", "jpeg"))
)  # fmt: skip

_TEXT = re.compile(
    r"<(code|pre)\b.*?</\1>|\$\$(?P<block>.+?)\$\$|\$(?P<inline>[^$\s](?:[^$\n]*[^$\s])?)\$|(?<=\d)(?P<space>\s)%", re.S
)


class PageExporter(HTMLExporter):
    """nbconvert's page in the look of JupyterLab, with alt texts, and formulas in MathML."""

    export_from_notebook = "HTML to be read offline"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.raw_template = _TEMPLATE

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        """Markdown to HTML, in which no line ends between a number and its unit of per cent."""
        return _TEXT.sub(_set, super().markdown2html(context, source))


def _set(found: re.Match[str]) -> str:
    """A formula in MathML, a space that does not break before "%"; code stays as it is."""
    if found["space"]:
        return "\N{NO-BREAK SPACE}%"
    tex = found["block"] or found["inline"]
    if not tex:
        return found[0]
    return str(latex2mathml.converter.convert(html.unescape(tex), display="block" if found["block"] else "inline"))
