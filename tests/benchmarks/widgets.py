"""How soon the lessons' widgets answer: every function that `widgets.explore` calls, at the settings of its controls.

TORCHFAKES_HOME=... python tests/benchmarks/widgets.py --names 03 06

Each lesson's cells are run up to its last widget, in a process of its own, with inputs that have to be there.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

from torchfakes_utils.course import build, state, widgets
from torchfakes_utils.course.folders import paths

from common import alone, command, in_turns, machine, write_page

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
SOON = 200  # ms; what is asked of a widget


def measured(twin: Path, rounds: int) -> list[dict[str, Any]]:
    """A row for each widget of a lesson."""
    import os

    import matplotlib

    matplotlib.use("agg")
    from IPython.core.interactiveshell import InteractiveShell

    rows: list[dict[str, Any]] = []
    explore = widgets.explore

    def watched(draw: Any, /, **options: Any) -> Any:
        rows.append(_row(draw, options, rounds))
        shown = explore(draw, **options)
        kind, picture = build.smaller(shown.png)
        rows[-1] |= {"kilobytes": round(len(picture) * 4 / 3e3), "kind": kind.removeprefix("image/")}
        return shown

    widgets.explore = watched
    os.chdir(NOTEBOOKS)
    cells = [cell.source for cell in build.from_twin(twin).cells if cell.cell_type == "code"]
    last = max((number for number, source in enumerate(cells) if "widgets.explore(" in source), default=-1)
    shell = InteractiveShell.instance()
    for source in cells[: last + 1]:
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            result = shell.run_cell(source)
        if not result.success:
            raise RuntimeError(f"{twin.name}: {source[:80]!r}: {result.error_in_exec or result.error_before_exec}")
    return [{"lesson": twin.stem, **row} for row in rows]


def _row(draw: Any, options: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Times of a function at the ends of each of its controls, the others as at the start."""
    specs = {name: spec for name, spec in options.items() if name not in ("labels", "states", "alt")}
    boxes = {name: widgets.control(spec, name) for name, spec in specs.items()}
    start = {name: box.value for name, box in boxes.items()}
    settings = [setting for name, box in boxes.items() for setting in widgets._by_default({name: box}, start)]
    cpu: list[float] = []

    def drawn(setting: dict[str, Any]) -> None:
        started = time.process_time()
        widgets._still(draw, setting)
        cpu.append(1000 * (time.process_time() - started))

    ways = {_words(setting, start): partial(drawn, setting) for setting in settings}
    times = {words: statistics.median(taken) for words, taken in in_turns(ways, rounds, warm=1).items()}
    slowest = max(times, key=times.__getitem__)
    return {
        "widget": getattr(draw, "__name__", "?").replace("<lambda>", ", ".join(boxes)),
        "milliseconds": round(statistics.median(times.values())), "cpu_milliseconds": round(statistics.median(cpu)),
        "slowest": round(times[slowest]), "at": slowest,
    }  # fmt: skip


def _words(setting: dict[str, Any], start: dict[str, Any]) -> str:
    """What is not as at the start."""
    moved = [f"{name} {value}" for name, value in setting.items() if value != start[name]]
    return ", ".join(moved) or "as at the start"


def report(results: dict[str, Any], arguments: argparse.Namespace) -> str:
    """The table as Markdown."""
    lines = [
        "# Widgets", "",
        f"Measured by `{command('widgets.py', arguments.out)}` on", f"{results['machine']}.", "",
        "From a control's new value to the PNG, in Python: what the browser and the way there add is not in it. Each",
        f"control at its ends or at its first three choices, the others as at the start; {arguments.rounds} rounds in",
        "turns, medians. On a machine that does other things too, CPU time says more. The last column is what the",
        "saved notebook holds of a widget: some settings in one picture.",
        "", "| lesson | widget | ms | CPU, ms | slowest, ms | where | in the notebook, kB |",
        "|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in results["widgets"]:
        late = " (late)" * (row["slowest"] > SOON)
        lines.append(f"| {row['lesson']} | {row['widget']} | {row['milliseconds']} | {row['cpu_milliseconds']} "
                     f"| {row['slowest']}{late} | {row['at']} | {row['kilobytes']} ({row['kind']}) |")  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--names", nargs="*", default=[], help="some lessons only, such as 03")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for widgets.md and widgets.json")
    arguments = parser.parse_args(argv)
    results: dict[str, Any] = {"machine": machine(), "widgets": []}
    for twin in build.select(sorted((NOTEBOOKS / "source").glob("*.py")), arguments.names):
        missing = [
            step for step in build.needed(build.from_twin(twin)) if not state._stands(state.STEPS[step], paths())
        ]
        if missing:
            print(f"{twin.stem}: not made here: {', '.join(missing)}", file=sys.stderr, flush=True)
            continue
        for row in alone(measured, twin, arguments.rounds):
            print(row, flush=True)
            results["widgets"].append(row)
    print(report(results, arguments))
    if arguments.out:
        write_page(arguments.out, "widgets", report(results, arguments), results)


if __name__ == "__main__":
    main()
