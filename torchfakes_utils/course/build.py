"""Notebooks from their text twins: notebooks/source/NN_name.py (what people edit) to notebooks/NN_name.ipynb, executed.

    python -m torchfakes_utils.course.build [--force] [--language es] [names]

A language has a folder of its own, laid out in the same way: notebooks/es/source/NN_name.py.

The result depends on the twin and on what its cells compute, on nothing else: no time stamps, no execution metadata,
cell ids made from the cells, no path or address of the machine that built it. jupytext reads the twins, nbclient runs
them; by hand is only what neither offers: those ids, portable text, smaller pictures, differences in one line each.
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import numpy as np
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image

from torchfakes_utils.course import folders, glossary, prose, state
from torchfakes_utils.course.filling import FillingClient
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.language import ENGLISH

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# What a twin's header declares for us, in the notebook's metadata: {"needs": [names of inputs]}, and {"alone": True}
# where it compares times, which another lesson beside it would spoil.
DECLARATION = prose.KEY
VIEW = "application/vnd.jupyter.widget-view+json"
CELL_SECONDS = 1800  # generous: the first lesson to need the detector may have to train it
LARGEST_NOTEBOOK = 1_500_000  # bytes; above this a notebook is slow to open, and GitHub may not show it
PHOTOGRAPH = 60_000  # bytes; a PNG above this is tried as JPEG, which suits faces and not lines
SEVERAL = 150_000  # bytes; a JPEG above this is several photographs, and made less fine
LOSS = 1.0  # grey levels of 255, on average; what a JPEG of quality 88 loses

FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)
MACHINE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|Users|root|tmp|work|opt|usr|var|mnt|private|content)/[\w.+-]+|\b[A-Z]:\\[\w.+-]+"
)


def build(notebooks: Path | str = "notebooks", names: list[str] | None = None, force: bool = False) -> list[Path]:
    """Make the notebooks whose twins have changed.

    Args:
        notebooks: the folder of the notebooks; the twins are in source/ below it.
        names: some only, such as "03_sharp_enough" or "03"; all when empty.
        force: make those too whose twin has not changed.

    Returns:
        The notebooks that were made.

    Raises:
        InputError: no such twin, a cell failed, its prose could not be filled in or says what is not true, or the
            result holds a path of this machine or is too large.
    """
    notebooks = Path(notebooks)
    made = []
    for twin in select(sorted((notebooks / "source").glob("*.py")), names):
        target = notebooks / f"{twin.stem}.ipynb"
        notebook = from_twin(twin)
        steps = needed(notebook)
        _refuse(twin, prose.malformed(notebook))
        if not force and target.is_file() and not differences(notebook, nbformat.read(target, as_version=4)):
            continue
        started = time.perf_counter()
        # Their progress bars and messages belong into no lesson's output.
        for step in steps:
            state.ensure(step)
        try:
            untrue = execute(notebook, notebooks, {state.DECLARED: f"{twin}:{','.join(steps)}"})
        except FAILURES as error:
            raise InputError(f"{twin}: {describe(error)}") from error
        _refuse(twin, untrue)
        clean(notebook, folders.paths().home)
        text = nbformat.writes(notebook) + "\n"
        check(notebook, len(text), target)
        with atomic_write(target) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(f"{target}: {len(text) / 1e3:.0f} kB, {time.perf_counter() - started:.0f} s", flush=True)
        made.append(target)
    return made


def _refuse(twin: Path, problems: list[str]) -> None:
    """Raise InputError where there are problems with a twin's prose."""
    if problems:
        raise InputError(f"{twin}, {'; '.join(problems)}")


def select(files: list[Path], names: list[str] | None) -> list[Path]:
    """Those of `files` whose stem is, or begins with, one of `names`; all of them when there are no names.

    Raises:
        InputError: there are no files, or a name fits none of them.
    """
    if not files:
        raise InputError("no lessons found; run this where the folder notebooks/ is, or name it")
    chosen = set()
    for name in names or [""]:
        fitting = {file for file in files if file.stem.startswith(Path(name).stem)}
        if not fitting:
            raise InputError(f"{name}: no such lesson; there are {', '.join(file.stem for file in files)}")
        chosen |= fitting
    return sorted(chosen)


def of_languages(notebooks: Path, names: list[str] | None = None, language: str | None = None) -> list[Path]:
    """The folders whose lessons are to be made: of English and of each language, or of one.

    Args:
        notebooks: the English lessons' folder.
        names: of lessons; a language that has none of them is left out.
        language: one alone.

    Raises:
        InputError: there are no lessons in that language.
    """
    translated = {folder.name: folder for folder in translations(notebooks)}
    if language == ENGLISH:
        return [notebooks]
    if language is not None:
        if language not in translated:
            raise InputError(f"no lessons in {language!r}; there are {', '.join([ENGLISH, *translated])}")
        return [translated[language]]
    stems = [Path(name).stem for name in names or [""]]
    having = [
        folder for folder in translated.values()
        if all(any(twin.stem.startswith(stem) for twin in (folder / "source").glob("*.py")) for stem in stems)
    ]  # fmt: skip
    return [notebooks, *having]


def translations(notebooks: Path) -> list[Path]:
    """The folders of lessons in other languages: those below `notebooks` that hold twins."""
    return sorted({twin.parents[1] for twin in notebooks.glob("[a-z][a-z]/source/*.py")})


def from_twin(twin: Path) -> NotebookNode:
    """The notebook that a text twin in jupytext's py:percent format stands for, without outputs.

    The glossary's words are linked where they come up first, if there is a glossary two folders above the twin's. A
    translated lesson lies a folder deeper, and has no links until its language has a glossary.
    """
    notebook: NotebookNode = jupytext.read(twin, fmt="py:percent")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    notebook.metadata = nbformat.from_dict(_metadata(notebook))
    for cell in notebook.cells:
        # Tags are all that a lesson says about its cells; the rest is what jupytext noticed while it read.
        cell.metadata = nbformat.from_dict({"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {})
    glossary.link(notebook, glossary.read(twin.resolve().parents[2] / glossary.PLACE))
    name_cells(notebook)
    return notebook


def _metadata(notebook: NotebookNode) -> dict[str, Any]:
    """What every notebook of the course says of itself, and what this one declares in its header."""
    declared = notebook.metadata.get(DECLARATION)
    return METADATA | ({DECLARATION: declared} if declared else {})


def name_cells(notebook: NotebookNode) -> None:
    """Give each cell an id made from its source in the twin; no edit elsewhere, and no filled-in number, changes it."""
    seen: dict[str, int] = {}
    for cell in notebook.cells:
        digest = hashlib.sha256(prose.template(cell).encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        cell.id = digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def differences(twin: NotebookNode, notebook: NotebookNode) -> list[str]:
    """How a notebook departs from its twin, one line each; nothing when it is in step and all its cells were run."""
    found = []
    if len(twin.cells) != len(notebook.cells):
        found.append(f"{len(notebook.cells)} cells, the twin has {len(twin.cells)}")
    if twin.metadata.get(DECLARATION) != notebook.metadata.get(DECLARATION):
        found.append("the header declares other needs")
    for index, (wanted, cell) in enumerate(zip(twin.cells, notebook.cells, strict=False)):
        if wanted.cell_type != cell.cell_type:
            found.append(f"cell {index}: another cell type: {wanted.cell_type!r}")
        if wanted.source != prose.template(cell):
            found.append(f"cell {index}: another source: {wanted.source[:60]!r}")
        elif cell.cell_type == "markdown" and not prose.fits(wanted.source, cell.source):
            found.append(f"cell {index}: not filled in as its twin says: {cell.source[:60]!r}")
        if wanted.metadata.get("tags", []) != cell.metadata.get("tags", []):
            found.append(f"cell {index}: other tags")
        if cell.cell_type == "code" and cell.source.strip() and cell.get("execution_count") is None:
            found.append(f"cell {index}: not run: {cell.source[:60]!r}")
    return found


def needed(notebook: NotebookNode) -> list[str]:
    """The inputs of the course that a notebook declares in its header, and all that they need, in building order.

    Raises:
        InputError: it declares one that there is not.
    """
    return state.closure(notebook.metadata.get(DECLARATION, {}).get("needs", []))


def execute(notebook: NotebookNode, folder: Path, environment: Mapping[str, str] | None = None) -> list[str]:
    """Run a notebook in a fresh kernel whose working directory is `folder`; outputs are put into `notebook`.

    Its prose is filled in from this run, whether it has been from another or not.

    Args:
        notebook: as it was before, outputs included, is forgotten.
        folder: the kernel's working directory.
        environment: variables for the kernel beside those of this process.

    Returns:
        What in its prose could not be filled in, or is not true in this run, one line each; that cell stays as it was.

    Raises:
        CellExecutionError, CellTimeoutError, DeadKernelError: a cell failed; the outputs up to it are there.
    """
    client = FillingClient(
        notebook,
        timeout=CELL_SECONDS,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,  # how a stream was cut depends on timing
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
        extra_arguments=["--log-level=ERROR"],  # a kernel warns of its own transport each time it starts
    )
    client.execute(env={**_environment(), **(environment or {})})
    return client.problems


def _environment() -> dict[str, str]:
    """A lesson imports the package that runs it, finds the inputs prepared for it, and prints no progress bars."""
    here = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    own = {"PYTHONPATH": os.pathsep.join(filter(None, here)), "TORCHFAKES_HOME": str(folders.paths().home)}
    return {**os.environ, **own, "TQDM_DISABLE": "1"}


def describe(error: Exception) -> str:
    """A failed cell in one line: what was raised, and where."""
    if isinstance(error, CellExecutionError):
        return f"{error.ename}: {str(error.evalue).strip().splitlines()[0] if error.evalue else ''}".rstrip(": ")
    return str(error).strip().splitlines()[0]


def clean(notebook: NotebookNode, home: Path) -> None:
    """Take out of a notebook's outputs whatever differs between machines and runs, and what no reader can use."""
    notebook.metadata = nbformat.from_dict(_metadata(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [_cleaned(output, home) for output in cell.outputs]


def check(notebook: NotebookNode, size: int, target: Path) -> None:
    """Refuse a notebook that shows this machine, holds an error, or is too large.

    Raises:
        InputError: says which cell.
    """
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                raise InputError(f"{target.name}, cell {index}: an error in its output ({output.ename})")
            for text in texts(output):
                if found := MACHINE_PATH.search(text):
                    raise InputError(
                        f"{target.name}, cell {index}: the output shows {found[0]}; print course.short(path) instead"
                    )
    if size > LARGEST_NOTEBOOK:
        weights = {i: len(json.dumps(cell.get("outputs", []))) for i, cell in enumerate(notebook.cells)}
        heaviest = max(weights, key=weights.__getitem__)
        raise InputError(
            f"{target.name}: {size / 1e6:.1f} MB, at most {LARGEST_NOTEBOOK / 1e6} are good; "
            f"cell {heaviest} has {weights[heaviest] / 1e6:.1f} MB of them: smaller or fewer pictures"
        )


def texts(output: NotebookNode) -> Iterator[str]:
    """What can be read in an output: everything but its pictures."""
    if output.output_type == "stream":
        yield output.text
    for kind, data in output.get("data", {}).items():
        if not kind.startswith(("image/png", "image/jpeg", "audio/", "video/")):
            yield data if isinstance(data, str) else json.dumps(data)


def _cleaned(output: NotebookNode, home: Path) -> NotebookNode:
    if output.output_type == "stream":
        output.text = _portable(output.text, home)
        return output
    data = output.get("data", {})
    known = output.get("metadata", {}).pop("image/png", None)
    if data.pop(VIEW, None) is not None and not any(kind.startswith(("image/", "text/html")) for kind in data):
        data["text/plain"] = "(interactive: run this cell)"
    for kind in ("text/plain", "text/html", "text/markdown"):
        if kind in data:
            data[kind] = _portable(data[kind], home)
    if "image/png" in data:
        kind, picture = smaller(base64.b64decode(data.pop("image/png")))
        data[kind] = base64.b64encode(picture).decode()
        if known:  # its alt text, where readers look for it
            output.metadata[kind] = known
    return output


def _portable(text: str, home: Path) -> str:
    """Text without the checkout's place and without addresses in memory."""
    text = re.sub(re.escape(str(home)) + r"[/\\]?", "", text)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def smaller(png: bytes) -> tuple[str, bytes]:
    """The same picture in fewer bytes: a tighter PNG, a JPEG where that takes less than half, or 256 colours.

    Returns:
        The MIME type, "image/png" or "image/jpeg", and the picture.
    """
    with Image.open(io.BytesIO(png)) as image:
        image.load()
    best = min(png, _saved(image, "png", optimize=True), key=len)
    if len(best) <= PHOTOGRAPH:
        return "image/png", best
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=image.getchannel("A") if image.mode in ("RGBA", "LA") else None)
    jpeg = _saved(ground, "jpeg", quality=88, subsampling=0)
    if len(jpeg) > SEVERAL:
        jpeg = _saved(ground, "jpeg", quality=80)
    found = ("image/jpeg", jpeg) if len(jpeg) * 2 < len(best) else ("image/png", best)
    # Charts with a few faces in them, mostly; kept only where nobody sees the difference, as measured in grey levels.
    few = ground.quantize(256, Image.Quantize.MEDIANCUT)
    lost = np.abs(np.asarray(few.convert("RGB"), np.int16) - np.asarray(ground, np.int16)).mean()
    flat = _saved(few, "png", optimize=True)
    return ("image/png", flat) if lost < LOSS and len(flat) < len(found[1]) else found


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m torchfakes_utils.course.build", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="some only, such as 03; all by default")
    parser.add_argument("--force", action="store_true", help="also those whose twin has not changed")
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="their folder (default: notebooks)")
    parser.add_argument(
        "--language", help="the lessons in this language alone, such as es (default: all, English first)"
    )
    options = parser.parse_args(argv)
    try:
        made = []
        for folder in of_languages(options.notebooks, options.names, options.language):
            made += build(folder, options.names, options.force)
    except InputError as error:
        print(f"build: {error}", file=sys.stderr)
        return 2
    print(f"{len(made)} notebook{'s' * (len(made) != 1)} made" if made else "every notebook is in step with its twin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
