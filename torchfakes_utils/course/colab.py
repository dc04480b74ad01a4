"""The first code cell of every lesson, and its badge: the same everywhere, so that they are kept in one place.

The cell cannot live in the package, since on Colab it is what fetches the package; a test compares every notebook
with `SETUP_CELL`. Colab brings its own torch, numpy and ipywidgets: they are used as they are, nothing pins them.
"""

import sys

REPOSITORY = "https://github.com/torchfakes/torchfakes"

SETUP_CELL = f"""\
import sys

if "google.colab" in sys.modules:  # elsewhere, `make setup` has installed the course
    import subprocess

    package = "torchfakes @ git+{REPOSITORY}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

plots.use_style()"""


def on_colab() -> bool:
    """Whether this is a notebook on Google Colab."""
    return "google.colab" in sys.modules


def badge(notebook: str) -> str:
    """The Markdown of the badge that opens a lesson on Colab.

    Args:
        notebook: the notebook's name without its suffix, such as "03_sharp_enough".
    """
    address = f"https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/{notebook}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"
