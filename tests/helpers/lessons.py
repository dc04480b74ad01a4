"""Lessons made up for the tests of what builds and runs them."""

from pathlib import Path

import nbformat

from torchfakes_utils.course import build


def twin(*cells: str, needs: str = "") -> str:
    """A text twin of some code cells; what begins with "# # " is Markdown. `needs` as in a header: "faces, run"."""
    header = f"# ---\n# jupyter:\n#   torchfakes:\n#     needs: [{needs}]\n# ---\n\n" if needs else ""
    return header + "\n\n".join(f"# %%{' [markdown]' * cell.startswith('# # ')}\n{cell}" for cell in cells) + "\n"


def add(folder: Path, name: str, text: str) -> None:
    """A twin with its notebook as it is before it was run."""
    source = folder / "source" / f"{name}.py"
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text(text)
    nbformat.write(build.from_twin(source), folder / f"{name}.ipynb")
