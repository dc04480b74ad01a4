"""A notebook as an HTML page whose pictures have their alt text.

    jupyter nbconvert --to torchfakes_utils.course.pages.PageExporter notebooks/03_sharp_enough.ipynb

nbconvert 7 reads the alt text from an output's metadata in its template `classic` alone; in `lab`, its default, every
picture becomes "No description has been provided for this image". GitHub and JupyterLab 4 show no alt text either.
"""

from typing import Any

from nbconvert import HTMLExporter

# A picture begins with `<img src`; what stands in the template's own block is kept.
_BLOCK = """
{%% block data_%(block)s scoped %%}
{%%- set alt = output | get_metadata('alt', 'image/%(kind)s') -%%}
{%%- if alt %%}{{ super() | replace('<img src', '<img alt="' ~ (alt | escape) ~ '" src', 1) }}
{%%- else %%}{{ super() }}{%% endif -%%}
{%% endblock data_%(block)s %%}
"""
_TEMPLATE = "{%- extends 'lab/index.html.j2' -%}" + "".join(
    _BLOCK % {"block": block, "kind": kind} for block, kind in (("png", "png"), ("jpg", "jpeg"))
)


class PageExporter(HTMLExporter):
    """nbconvert's page in the look of JupyterLab, with alt texts."""

    export_from_notebook = "HTML with alt texts"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self.raw_template = _TEMPLATE
