"""The app as a folder for Hugging Face Spaces, with all it needs: program, detector, examples, list of packages."""

import logging
import platform
import re
import shutil
import tempfile
from importlib import metadata
from pathlib import Path

from torchfakes_utils import __version__
from torchfakes_utils.app.examples import make_examples, usual_examples
from torchfakes_utils.datasets.mini.build import build_mini
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.hub.package import Package, package
from torchfakes_utils.io.files import check_writable
from torchfakes_utils.io.folders import Stamp, owned, replaced_folder
from torchfakes_utils.models.run_files import CARD_FILE, DETECTOR_FILE, LIKENESS_FILE, REPORT_FILE, WEIGHTS_FILE

_PACKAGE = Path(__file__).parents[1]

_STAMP = Stamp("a Space", "torchfakes space", 1)
# What lies in a Space that was just made on the Hub, beside its `.git`.
_WELCOME = {
    CARD_FILE: re.compile(
        r"---\n.*\n---\s+Check out the configuration reference at https://huggingface\.co/docs/hub/"
        r"spaces-config-reference\s*",
        re.DOTALL,
    ),
    ".gitattributes": re.compile(r"(\S+ filter=lfs diff=lfs merge=lfs -text\s*)*"),
}

_APP = '''# Made by `torchfakes space`; what is changed here is lost when it is made again.
"""The page of this Space. On Spaces it listens to all; anywhere else, to this machine alone."""

import os
from pathlib import Path

from torchfakes_utils.app import server
from torchfakes_utils.app.config import AppConfig

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    # Spaces stand behind a proxy that says who is asking, and are shown in a frame. A secret of the Space that is
    # called TORCHFAKES_AUTH and holds USER:PASSWORD asks everybody for a password.
    space = "SPACE_ID" in os.environ
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    config = AppConfig(
        "0.0.0.0" if space else "127.0.0.1",
        port,
        examples=HERE / "examples",
        hosts=("*.hf.space", "*.huggingface.co") if space else None,
        proxied=space,
        framed_by=("https://huggingface.co", "https://*.huggingface.co", "https://*.hf.space") if space else (),
    )
    server.serve_run(HERE / "detector", config, "auto", lambda served: print(served.url, flush=True))
'''

logger = logging.getLogger(__name__)

# Git LFS, which the Hub asks for.
_ATTRIBUTES = "".join(f"*.{kind} filter=lfs diff=lfs merge=lfs -text\n" for kind in ("safetensors", "mp4", "jpg"))


def build(run: Path | str, out: Path | str, data: Path | str | None = None) -> list[str]:
    """Make the folder, or make it anew; whatever else is in it, such as a `.git`, stays.

    Args:
        run: the folder of a run, or of a detector.
        out: the Space's folder.
        data: a Mini-FF++ folder for the examples; None takes data/mini, and makes a small one where that is not there.

    Returns:
        What is in the folder now, by name.

    Raises:
        InputError: no detector in `run`, something else in `out`, or no way to write there.
    """
    owned(out, _STAMP, _WELCOME)
    check_writable(out)
    published = package(run, "TorchFakes")
    for caution in published.detector.decision.cautions:
        logger.warning("%s", caution)
    with replaced_folder(out, _STAMP, _WELCOME) as made, tempfile.TemporaryDirectory(prefix="torchfakes-") as temporary:
        (made / "detector").mkdir()
        for name in {DETECTOR_FILE, LIKENESS_FILE, WEIGHTS_FILE, REPORT_FILE} & published.files.keys():
            content = published.files[name]
            (made / "detector" / name).write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        source = usual_examples(None if data is None else Path(data))
        make_examples(source or build_mini(Path(temporary) / "mini", MiniConfig(identities=6)), made / "examples")
        shutil.copytree(_PACKAGE, made / _PACKAGE.name, ignore=shutil.ignore_patterns("course", "__pycache__", "web"))
        texts = {
            "requirements.txt": "".join(f"{line}\n" for line in requirements()),
            CARD_FILE: _readme(published),
            ".gitattributes": _ATTRIBUTES,
            "LICENSE": _licence(),
            "app.py": _APP,
        }
        for name, text in texts.items():
            (made / name).write_text(text, encoding="utf-8")
    return sorted(path.name for path in Path(out).iterdir() if path.name != ".git")


def requirements() -> list[str]:
    """The packages that the app needs, in the versions that are installed here, which are those it was tried with.

    Raises:
        InputError: one is not installed.
    """
    lines = []
    for line in metadata.requires("torchfakes") or []:
        name, _, condition = line.partition(";")
        name = re.split(r"[^\w.-]", name, maxsplit=1)[0]
        if "extra ==" in condition and not re.search(r"""extra == ["']app["']""", condition):
            continue
        try:
            lines.append(f"{name}=={metadata.version(name).partition('+')[0]}")  # 2.15.0+cu132 is nowhere but here
        except metadata.PackageNotFoundError as error:
            raise InputError(f"a Space needs {name}, which is not here; try: pip install 'torchfakes[app]'") from error
    return sorted(lines, key=str.lower)


def _readme(published: Package) -> str:
    import jinja2

    text = (_PACKAGE / "app" / "templates" / "space_readme.md").read_text(encoding="utf-8")
    readme: str = jinja2.Template(text, keep_trailing_newline=True).render(
        detector=published.detector, measured=REPORT_FILE in published.files, torchfakes=__version__,
        gradio=metadata.version("gradio"), python=".".join(platform.python_version_tuple()[:2]),
    )  # fmt: skip
    return readme


def _licence() -> str:
    """The licence's text: beside the package in a checkout, among its metadata where it was installed."""
    in_checkout = _PACKAGE.parent / "LICENSE"
    if in_checkout.is_file():
        return in_checkout.read_text(encoding="utf-8")
    listed = [file for file in metadata.files("torchfakes") or [] if file.name == "LICENSE"]
    return listed[0].read_text(encoding="utf-8")
