"""The whole course in one go: every notebook in a fresh kernel, a page for each, and a report.

`torchfakes course` and `make course` end here. A notebook that fails is reported and the next one goes on. While inputs
are made, a notebook whose inputs are there already runs beside: what computes in one thread leaves a processor idle.
"""

import base64
import html
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor

from torchfakes_utils.course import build, colab, folders, pages, state
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import atomic_write
from torchfakes_utils.io.folders import Stamp, claim
from torchfakes_utils.models.run_files import REPORT_FILE

# What runs at a time, the making of an input included.
LANES = 2

_STAMP = Stamp("pages of the course", "torchfakes course", 1)

# What a reader should see at the end, by frame and by clip; the rest is in report.json.
METRICS = ("auc", "balanced_accuracy", "accuracy", "eer", "always_fake_accuracy")


@dataclass
class Outcome:
    """One notebook's run; `errors` is empty when all went well.

    Its prose says the numbers of this run. What it states beside them and is not true here is in `untrue`: with other
    data, or another version of torch, that is no failure, but worth knowing.
    """

    title: str
    page: str
    seconds: float = 0.0
    cells: int = 0
    cells_run: int = 0
    errors: list[str] = field(default_factory=list)
    untrue: list[str] = field(default_factory=list)

    @property
    def told(self) -> str:
        """How it went, in a few words."""
        end = "; ".join(self.errors) or "ran to its end"
        return end + (f"; says what is not true here: {'; '.join(self.untrue)}" if self.untrue else "")


def run(
    notebooks: Path | str = "notebooks",
    out: Path | str = "build/course",
    only: list[str] | None = None,
    progress: bool = True,
) -> int:
    """Execute the notebooks and write HTML pages, index.html and report.json.

    Args:
        notebooks: their folder; the files in it are read, never changed.
        out: where the pages go.
        only: some only, such as "03_sharp_enough" or "03"; all when empty.
        progress: show progress bars while inputs are prepared.

    Returns:
        0 when every notebook ran to its end, 1 otherwise.

    Raises:
        InputError: there are no notebooks, no such notebook, or `out` holds other things or cannot be written to.
    """
    notebooks, out = Path(notebooks), Path(out)
    claim(out, _STAMP)
    started = time.perf_counter()
    files = build.select(sorted(notebooks.glob("*.ipynb")), only)
    lessons = {file.stem: nbformat.read(file, as_version=4) for file in files}
    work = _Lessons(lessons, lambda name, lesson: _lesson(name, lesson, notebooks, out))
    lanes = min(LANES, os.cpu_count() or 1)
    with work.running(lanes - 1):  # the input that is being made is the other
        steps = {step for lesson in lessons.values() for step in build.needed(lesson)}
        inputs, failed = _prepare(steps, progress, work.input_is_there)
        work.no_more_inputs(lanes)
    outcomes = {name: work.outcomes[name] for name in lessons}

    report = {
        "notebooks": {name: asdict(outcome) for name, outcome in outcomes.items()},
        "inputs": inputs,
        "input_errors": failed,
        "metrics": _metrics() if "scores" in inputs else None,
        "seconds": round(time.perf_counter() - started, 1),
    }
    _write(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    _write(out / "index.html", _index(outcomes, report))
    _print_summary(outcomes, report)
    return int(bool(failed) or any(outcome.errors for outcome in outcomes.values()))


class _Lessons:
    """Notebooks that run in threads, each as soon as its inputs are there; the kernels are processes of their own.

    A notebook that declares `alone` compares times: it comes last, with nothing beside it.
    """

    def __init__(
        self, lessons: dict[str, nbformat.NotebookNode], run_one: Callable[[str, nbformat.NotebookNode], Outcome]
    ) -> None:
        self._lessons, self._run_one = lessons, run_one
        self._waiting, self._running = list(lessons), list[str]()
        self._there, self._no_more = set[str](), False
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._failed: BaseException | None = None
        self.outcomes: dict[str, Outcome] = {}

    @contextmanager
    def running(self, lanes: int) -> Iterator[None]:
        """Inside, so many notebooks at a time run; at the end, all have.

        Threads that end with the process: who presses Ctrl-C does not wait for a lesson, and kernels notice.
        """
        self._start(lanes)
        yield
        for thread in self._threads:
            thread.join()
        if self._failed is not None:
            raise self._failed

    def input_is_there(self, step: str) -> None:
        """Let notebooks run that waited for it."""
        with self._changed:
            self._there.add(step)
            self._changed.notify_all()

    def no_more_inputs(self, lanes: int) -> None:
        """Let all others run, so many at a time. One whose input could not be made says so itself."""
        with self._changed:
            self._no_more = True
            self._changed.notify_all()
        self._start(lanes - len(self._threads))

    def _start(self, lanes: int) -> None:
        new = [threading.Thread(target=self._work, daemon=True, name="lessons") for _ in range(lanes)]
        self._threads += new
        for thread in new:
            thread.start()

    def _work(self) -> None:
        while (name := self._next()) is not None:
            try:
                self.outcomes[name] = self._run_one(name, self._lessons[name])
            except BaseException as error:  # noqa: BLE001 - raised in the main thread
                self._failed = error
            with self._changed:
                self._running.remove(name)
                self._changed.notify_all()

    def _next(self) -> str | None:
        """The first notebook that may run now, or None at the end."""
        with self._changed:
            while self._waiting:
                for name in self._waiting:
                    if self._may_run(name):
                        self._waiting.remove(name)
                        self._running.append(name)
                        return name
                self._changed.wait()
        return None

    def _may_run(self, name: str) -> bool:
        if _alone(self._lessons[name]):
            return self._no_more and not self._running and all(_alone(self._lessons[one]) for one in self._waiting)
        return self._no_more or self._there.issuperset(build.needed(self._lessons[name]))


def _alone(lesson: nbformat.NotebookNode) -> bool:
    return bool(lesson.metadata.get(build.DECLARATION, {}).get("alone"))


def _prepare(
    steps: Iterable[str], progress: bool, there: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, str]]:
    """Build the inputs; seconds for each, and what went wrong. A notebook whose input is missing says so itself."""
    seconds, failed = {}, {}
    for step in state.closure(steps):
        started = time.perf_counter()
        try:
            state.ensure(step, progress=progress)
            there(step)
        except InputError as error:
            failed[step] = str(error)
            print(f"{step}: {error}", file=sys.stderr, flush=True)
            break
        finally:
            seconds[step] = round(time.perf_counter() - started, 1)
    return seconds, failed


def _lesson(name: str, lesson: nbformat.NotebookNode, notebooks: Path, out: Path) -> Outcome:
    """Run a notebook, and write its page."""
    outcome = _run_one(name, lesson, notebooks)
    _write(out / outcome.page, _page(lesson, outcome.title, notebooks))
    print(f"{name:<28} {outcome.seconds:7.1f} s  {outcome.errors[0] if outcome.errors else 'ok'}", flush=True)
    return outcome


def _run_one(name: str, lesson: nbformat.NotebookNode, folder: Path) -> Outcome:
    outcome = Outcome(title=_title(lesson, name), page=f"{name}.html")
    ClearOutputPreprocessor().preprocess(lesson, {})
    code = [cell for cell in lesson.cells if cell.cell_type == "code" and cell.source.strip()]
    outcome.cells = len(code)
    started = time.perf_counter()
    try:
        # Threads that wait are to leave the processors to what runs beside; where times are taken, nothing does.
        outcome.untrue = build.execute(lesson, folder, {} if _alone(lesson) else {"OMP_WAIT_POLICY": "PASSIVE"})
    except build.FAILURES as error:
        outcome.errors.append(build.describe(error))
    outcome.seconds = round(time.perf_counter() - started, 1)
    outcome.cells_run = sum(cell.get("execution_count") is not None for cell in code)
    build.clean(lesson, folders.paths().home)
    return outcome


def _title(lesson: nbformat.NotebookNode, name: str) -> str:
    """The first heading."""
    for cell in lesson.cells:
        for line in cell.source.splitlines():
            if cell.cell_type == "markdown" and line.startswith("# "):
                return str(line[2:].strip())
    return name


def _page(lesson: nbformat.NotebookNode, title: str, folder: Path) -> str:
    body, _ = pages.PageExporter().from_notebook_node(lesson, {"metadata": {"name": title}})
    body = re.sub(r'src="(\.\./docs/pictures/[\w.]+\.jpg)"', lambda found: f'src="{_inside(folder / found[1])}"', body)
    body = re.sub(r'href="(\d\d[a-z]?_\w+)\.ipynb', r'href="\1.html', body)  # the next lesson is a page beside this one
    return body.replace('href="../', f'href="{colab.REPOSITORY}/blob/main/')


def _inside(picture: Path) -> str:
    """A picture as an address: a page lies elsewhere than its notebook, and may be sent to somebody without it.

    By hand, since nbconvert's `embed_images` takes only what lies below the notebook's own folder.
    """
    return "data:image/jpeg;base64," + base64.b64encode(picture.read_bytes()).decode()


def _index(outcomes: dict[str, Outcome], report: dict[str, Any]) -> str:
    rows = "\n".join(
        f'<tr><td><a href="{html.escape(outcome.page)}">{html.escape(outcome.title)}</a></td>'
        f"<td>{outcome.seconds:.0f} s</td><td>{outcome.cells_run} of {outcome.cells}</td>"
        f"<td>{html.escape(outcome.told)}</td></tr>"
        for outcome in outcomes.values()
    )
    inputs = ", ".join(f"{html.escape(step)} {seconds:.0f} s" for step, seconds in report["inputs"].items())
    metrics = "".join(f"<p>{html.escape(line)}</p>" for line in _metric_lines(report["metrics"]))
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>TorchFakes: the course as it ran here</title>
<style>
body {{ font: 16px/1.5 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
th, td {{ text-align: left; padding: .3rem .8rem; border-bottom: 1px solid #ddd }}
</style></head>
<body><h1>The course as it ran here</h1>
<table><thead><tr><th>Lesson</th><th>Time</th><th>Cells run</th><th>Outcome</th></tr></thead><tbody>
{rows}
</tbody></table>
<p>Made first, for all lessons: {inputs or "nothing needed"}. Altogether {report["seconds"]:.0f} s.</p>
<h2>The course's detector on people who are not in its training</h2>
<p>In Mini-FF++ all people, of training and of the other splits, are warps of the same two portraits.</p>
{metrics or "<p>Not measured in this run.</p>"}
<p>AUC is the share of pairs, a real one and a fake one, that it puts in the right order; a coin gets 0.5. EER is the
error rate where false alarms and misses are equally common. Intervals are 95 %, from drawing people. See lesson 06.</p>
<h2>Go on</h2>
<p>These pages are for reading. To run and change the lessons: <code>make lab</code>, and begin with 00.</p>
</body></html>
"""


def _metrics() -> dict[str, Any] | None:
    path = folders.paths().run / REPORT_FILE
    if not path.is_file():
        return None
    report = json.loads(path.read_text(encoding="utf-8"))
    return {name: report[name] for name in ("split", "frame", "clip", "methods") if name in report}


def _metric_lines(metrics: dict[str, Any] | None) -> list[str]:
    if not metrics:
        return []
    lines = []
    for unit in ("frame", "clip"):
        values = metrics.get(unit, {})
        numbers = []
        for name in METRICS:
            if values.get(name) is not None:
                low, high = values.get(f"{name}_interval") or (None, None)
                numbers.append(f"{name.replace('_', ' ')} {values[name]:.3f}")
                numbers[-1] += f" ({low:.3f} to {high:.3f})" if low is not None else ""
        lines.append(f"{metrics.get('split', 'test')} split, by {unit}: " + ", ".join(numbers))
    return lines


def _print_summary(outcomes: dict[str, Outcome], report: dict[str, Any]) -> None:
    width = max(len(name) for name in outcomes)
    print(f"\n{'lesson':<{width}}  seconds  cells  outcome")
    for name, outcome in outcomes.items():
        verdict = f"FAILED: {outcome.errors[0]}" if outcome.errors else "ok"
        print(f"{name:<{width}}  {outcome.seconds:7.1f}  {outcome.cells_run:>2}/{outcome.cells:<2}  {verdict}")
        for statement in outcome.untrue:
            print(f"{'':<{width}}  not true here: {statement}")
    for step, seconds in report["inputs"].items():
        print(f"{'input ' + step:<{width}}  {seconds:7.1f}         {report['input_errors'].get(step, 'ready')}")
    print(f"{'altogether':<{width}}  {report['seconds']:7.1f}\n")
    for line in _metric_lines(report["metrics"]):
        print(line)


def _write(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
