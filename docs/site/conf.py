"""How Sphinx makes the site; `docs/site/stage.py` has laid its sources down beside a copy of this file."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from torchfakes_utils import __version__

project, author = "TorchFakes", "TorchFakes contributors"
project_copyright = "the TorchFakes contributors, under the MIT licence"
release = version = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "math_ml"]

nb_execution_mode = "off"  # their outputs are committed, and say what the prose says
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
# A notebook's cells may begin at any level; and a type such as `bytes` may share its name with a field.
suppress_warnings = ["myst.header", "ref.python"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
default_role = "code"
python_display_short_literal_types = True
napoleon_use_ivar = True

html_theme, html_title = "furo", "TorchFakes"
html_static_path, html_css_files = ["site.css"], ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
exclude_patterns = ["build"]
language = "en"


def _as_written(app: Any, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:  # noqa: ARG001
    """In a module's docstring what is indented is shown as it is; a star before a dot is no emphasis."""
    text = "\n".join(lines)
    if what == "module":
        text = re.sub(r"(?:^|\n)\n(?=    \S)", "\n\n::\n\n", text)
    lines[:] = re.sub(r"(?<![\\\\*`])\*(?=\.)", r"\\*", text).split("\n")


def setup(app: Any) -> None:
    """What Sphinx calls."""
    app.connect("autodoc-process-docstring", _as_written)
