"""The site's sources, laid down for Sphinx: the repository's pages where they are, and what is made of the code.

`python docs/site/stage.py build/site/source`; `make site` does it and then builds. Links between pages stay as they
are. A link to a file that is no page of the site leads to the repository.
"""

import argparse
import ast
import os
import posixpath
import re
import shutil
from pathlib import Path

import nbformat

from torchfakes_utils.cli.main import COMMANDS, command_parser
from torchfakes_utils.course.colab import REPOSITORY

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
_BADGE = re.compile(r"\[!\[(Open in Colab)\]\([^)]*\)\]")  # a picture from elsewhere
_WIDGET = "application/vnd.jupyter.widget-view+json"
_COPIED = (
    "README.md", "CHANGELOG.md", "docs/**/*.md", "docs/**/*.jpg", "docs/**/*.svg", "notebooks/*.ipynb",
    "notebooks/[a-z][a-z]/*.ipynb",
)  # fmt: skip

INDEX = """# TorchFakes

Learn to detect deepfakes, with a detector that you can use. The lessons stand here as they were run, with all outputs;
to run them yourself, [set them up](README.md). Nothing on these pages needs a network, search included.

```{toctree}
:maxdepth: 1
:caption: Begin

README
CHANGELOG
```

```{toctree}
:maxdepth: 1
:caption: Lessons

%(lessons)s
docs/glossary
```

```{toctree}
:maxdepth: 1
:caption: In other languages

%(translated)s
```

```{toctree}
:maxdepth: 1
:caption: For teachers

docs/instructors/README
docs/instructors/schedules
docs/instructors/lessons
docs/instructors/answers
docs/capstone
docs/beside
```

```{toctree}
:maxdepth: 1
:caption: Use it

reference/commands
%(guides)s
```

```{toctree}
:maxdepth: 1
:caption: How it is built

docs/architecture
%(rooms)s
```

```{toctree}
:maxdepth: 1
:caption: Measured

docs/data_card
%(benchmarks)s
```
"""

# Pages of docs/ that have a place of their own in the index.
_PLACED = ("glossary", "capstone", "beside", "architecture", "data_card")


def stage(out: Path) -> None:
    """Lay everything down in `out`, which is emptied first."""
    shutil.rmtree(out, ignore_errors=True)
    pages = sorted({path.relative_to(ROOT).as_posix() for pattern in _COPIED for path in ROOT.glob(pattern)})
    for page in pages:
        (out / page).parent.mkdir(parents=True, exist_ok=True)
        if page.endswith(".md"):
            (out / page).write_text(linked((ROOT / page).read_text(encoding="utf-8"), page, pages), encoding="utf-8")
        elif page.endswith(".ipynb"):
            _notebook(page, pages, out / page)
        else:
            shutil.copy(ROOT / page, out / page)
    (out / "reference").mkdir()
    (out / "reference" / "commands.md").write_text(commands(), encoding="utf-8")
    rooms = _rooms(out)
    names = [page.removesuffix(".md") for page in pages if page.endswith(".md")]
    lists = {
        "lessons": [page.removesuffix(".ipynb") for page in pages if re.fullmatch(r"notebooks/\w+\.ipynb", page)],
        "translated": [page.rpartition(".")[0] for page in pages if re.match(r"(docs|notebooks)/[a-z]{2}/", page)],
        "guides": [name for name in names if re.fullmatch(r"docs/\w+", name) and Path(name).name not in _PLACED],
        "benchmarks": [name for name in names if name.startswith("docs/benchmarks/")],
        "rooms": rooms,
    }
    (out / "index.md").write_text(INDEX % {name: "\n".join(one) for name, one in lists.items()}, encoding="utf-8")
    for name in ("conf.py", "math_ml.py", "site.css"):
        shutil.copy(Path(__file__).with_name(name), out / name)


def linked(text: str, page: str, pages: list[str]) -> str:
    """A page's text whose links to files of the repository that are no pages lead to the repository."""

    def lead(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), found[2]))
        if target in pages or not (ROOT / target).exists():
            return found[0]
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{found[1]}{REPOSITORY}/{kind}/main/{target}{found[3] or ''}{found[4]}"

    # Drawn by a script from elsewhere where the repository is shown; here it is read as text.
    return _LINK.sub(lead, _BADGE.sub(r"[\1]", text)).replace("```mermaid", "```text")


def _notebook(page: str, pages: list[str], out: Path) -> None:
    """A lesson without what only a running kernel can show: a widget's picture stays, the widget goes."""
    notebook = nbformat.read(ROOT / page, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = linked(cell.source, page, pages)
        for output in cell.get("outputs", []):
            if len(output.get("data", {})) > 1:
                output["data"].pop(_WIDGET, None)
    nbformat.write(notebook, out)


def commands() -> str:
    """Every command of `torchfakes`, from its parser."""
    os.environ["COLUMNS"] = "100"
    lines = ["# Commands", "", "As `torchfakes COMMAND --help` says it.", ""]
    for name in COMMANDS:
        lines += [f"## {name}", "", "```text", command_parser(name).format_help().rstrip(), "```", ""]
    return "\n".join(lines)


def _rooms(out: Path) -> list[str]:
    """A page a room of the package, its modules in order; their names."""
    package = ROOT / "torchfakes_utils"
    (out / "reference" / "index_of_names.rst").write_text(
        "The public interface\n====================\n\n.. automodule:: torchfakes_utils\n", encoding="utf-8"
    )
    names = ["reference/index_of_names"]
    for room in sorted(path.parent for path in package.glob("*/__init__.py")):
        text = (ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or "").strip()
        lines = [f"{room.name}/", "=" * (len(room.name) + 1), "", text, ""]
        for module in sorted(room.rglob("*.py")):
            dotted = ".".join(module.relative_to(ROOT).with_suffix("").parts)
            if module.stem.startswith("_") or (room.name == "course" and module.stem.startswith("lesson_")):
                continue
            lines += [dotted, "-" * len(dotted), "", f".. automodule:: {dotted}", "   :members:", ""]
        (out / "reference" / f"{room.name}.rst").write_text("\n".join(lines), encoding="utf-8")
        names.append(f"reference/{room.name}")
    return names


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python docs/site/stage.py", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="a folder that may be emptied")
    stage(parser.parse_args().out)


if __name__ == "__main__":
    main()
