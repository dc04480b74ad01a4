"""What of docs/architecture.md is made from the code: the picture of the rooms, and which lesson opens which room.

`python docs/architecture.py` writes it; with `--check` it only says whether the file is what the code makes of it.
"""

import argparse
import ast
import graphlib
import sys
from collections.abc import Callable
from pathlib import Path

import jupytext

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "torchfakes_utils"
PAGE = ROOT / "docs" / "architecture.md"


def imports(source: str) -> set[str]:
    """The dotted names that a piece of code imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def rooms() -> dict[str, str]:
    """The first sentence of each room's docstring, by its name; after all rooms that it imports from."""
    docstrings = {path.parent.name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                  for path in PACKAGE.glob("*/__init__.py")}  # fmt: skip
    order = graphlib.TopologicalSorter(uses(set(docstrings))).static_order()
    return {room: docstrings[room].partition("\n\n")[0].replace("\n", " ") for room in order}


def uses(names: set[str]) -> dict[str, set[str]]:
    """Which other rooms each room imports from."""
    found: dict[str, set[str]] = {room: set() for room in sorted(names)}
    for room, others in found.items():
        for path in (PACKAGE / room).rglob("*.py"):
            others |= opened(imports(path.read_text(encoding="utf-8")), names)
        others.discard(room)
    return found


def opened(dotted: set[str], names: set[str]) -> set[str]:
    """The rooms that these imports lead into."""
    return {name.split(".")[1] for name in dotted if name.startswith("torchfakes_utils.")} & names


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The same graph without the arrows that a longer way makes needless."""
    above: dict[str, set[str]] = {}

    def reach(room: str) -> set[str]:
        if room not in above:
            above[room] = graph[room].union(*map(reach, graph[room])) if graph[room] else set()
        return above[room]

    return {
        room: {other for other in others if not any(other in reach(third) for third in others - {other})}
        for room, others in graph.items()
    }


def picture() -> str:
    """The rooms as a Mermaid graph: an arrow leads from a room to one that imports from it."""
    purpose = rooms()
    arrows = reduced(uses(set(purpose)))
    lines = ["```mermaid", "flowchart TD"]
    lines += [f'    {room}["<b>{room}/</b><br>{text.rstrip(".")}"]' for room, text in purpose.items()]
    lines += [f"    {other} --> {room}" for room in purpose for other in purpose if other in arrows[room]]
    return "\n".join([*lines, "```"])


def lessons() -> str:
    """Which rooms the cells of each lesson import from, as a Markdown table."""
    names = rooms()
    rows = ["| lesson | rooms that it opens |", "|---|---|"]
    for twin in sorted((ROOT / "notebooks" / "source").glob("*.py")):
        cells = jupytext.reads(twin.read_text(encoding="utf-8"), fmt="py:percent").cells
        code = [cell.source for cell in cells if cell.cell_type == "code" and not cell.source.startswith("%")]
        found = opened(set().union(*map(imports, code)), set(names)) - {"course"}
        title = next(line for cell in cells for line in cell.source.splitlines() if line.startswith("# "))
        shown = ", ".join(f"`{room}/`" for room in names if room in found) or "`course/` alone"
        rows.append(f"| [{title.removeprefix('# ')}](../notebooks/{twin.stem}.ipynb) | {shown} |")
    return "\n".join(rows)


MADE: dict[str, Callable[[], str]] = {"rooms": picture, "lessons": lessons}


def filled_in(text: str) -> str:
    """A page, with what stands between its marks made anew."""
    for name, make in MADE.items():
        begin, end = f"<!-- made by docs/architecture.py: {name} -->", f"<!-- end of {name} -->"
        if text.count(begin) != 1 or text.count(end) != 1:
            raise SystemExit(f"{PAGE.name}: one part between '{begin}' and '{end}' is needed")
        before, after = text.split(begin)[0], text.split(end)[1]
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; status 1 where the page is out of date")
    text = PAGE.read_text(encoding="utf-8")
    made = filled_in(text)
    if parser.parse_args().check:
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
