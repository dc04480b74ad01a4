"""A notebook's page can be read offline, and on a phone."""

import re

import nbformat
import pytest

from torchfakes_utils.course import pages

SOURCE = """\
Of 96 % and `96 %`.

The **activation** $A_k$.

It costs 5 $ a head.

Here `echo $HOME $PWD` stays.

$$\\alpha_k < \\frac{1}{2}$$

```bash
export A=$B C=$D
```
"""


@pytest.fixture(scope="module")
def page() -> str:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(SOURCE), nbformat.v4.new_code_cell("x = 1")]
    )
    return str(pages.PageExporter().from_notebook_node(notebook)[0])


def test_formulas_need_no_script(page: str) -> None:
    inline, block = re.findall(r"<math.*?</math>", page, re.S)
    assert 'display="inline"' in inline and "<mi>A</mi><mi>k</mi>" in inline
    assert 'display="block"' in block and "<mfrac>" in block and ("&#x0003C;" in block or "&lt;" in block)
    assert "mathjax" not in page.lower()


def test_what_is_no_formula_stays(page: str) -> None:
    assert "<code>echo $HOME $PWD</code>" in page
    assert "costs 5 $ a head" in page
    text = re.sub(r"<[^>]+>", "", page)
    assert "export A=$B C=$D" in text


def test_figures_keep_a_width_on_a_phone(page: str) -> None:
    assert "max(100%, 560px)" in page.split("</head>")[0]


def test_a_number_stays_with_its_per_cent(page: str) -> None:
    assert "Of 96\N{NO-BREAK SPACE}%" in page
    assert "<code>96 %</code>" in page
