"""What the command line says: lines for people, objects for machines, errors in one line, and exit statuses."""

import contextlib
import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.text import printable, printable_lines

if TYPE_CHECKING:
    from torchfakes_utils.evaluation.calibrate import Calibrated
    from torchfakes_utils.evaluation.results import OwnBoxes, Stability
    from torchfakes_utils.metrics.band import Band, Rate
    from torchfakes_utils.report.contents import Interpretation, Report

# Exit statuses: all done; some input could not be used, and the rest is done; wrong usage, or nothing usable.
DONE, SOME_UNUSABLE, UNUSABLE, INTERRUPTED = 0, 1, 2, 130


class Output:
    """Where results go: lines for people or, with --json, an object a line for machines; never both."""

    def __init__(self, stream: TextIO, as_json: bool) -> None:
        self._stream, self._as_json = stream, as_json

    def record(self, value: Mapping[str, object]) -> None:
        """Say it to machines."""
        if self._as_json:
            text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)
            # Whoever reads it may be a person at a terminal: what could steer that is written as JSON writes escapes.
            text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
            print(text, file=self._stream, flush=True)  # so that whoever reads along sees an epoch when it ends

    def line(self, *texts: str) -> None:
        """Say it to people, a line each, or several that belong together."""
        for text in texts if not self._as_json else ():
            print(printable_lines(text), file=self._stream, flush=True)


def summary_lines(report: "Report") -> list[str]:
    """The metrics of a split for people."""
    names = (
        "auc", "average_precision", "balanced_accuracy", "accuracy", "always_fake_accuracy", "fpr", "fnr", "eer",
        "tpr_at_fpr_1pct", "tpr_at_fpr_5pct", "loss", "brier",
    )  # fmt: skip
    lines = [f"split {report.split}"]
    for level, part in (("frame", report.frame), ("clip", report.clip)):
        lines.append(f"  by {level} ({part.n_real} real, {part.n_fake} fake)")
        for name in names:
            reason = f"  ({part.reasons[name]})" if name in part.reasons else ""
            ends = _ends(getattr(part, f"{name}_interval", None))
            lines.append(f"    {name.replace('_', ' '):<22}{_number(getattr(part, name))}{ends}{reason}")
    for name, method in report.methods.items():
        called = f"called fake {method.recall:.0%} of {method.clips} clips"
        lines.append(f"  {name}: AUC by clip {_number(method.auc)}, {called}")
    lines += _answer_lines(report)
    lines += _further_lines(report)
    if report.decision.caution:
        lines.append(f"  caution: {report.decision.caution}")
    return lines


def _answer_lines(report: "Report") -> list[str]:
    """The three answers by class, and what an answer is about, for people."""
    found = report.abstention
    lines = [f"  {found.called} of {found.clips} clips are called fake or real; {found.no_face} show no face"]
    for name, one in found.answers.items():
        parts = [
            f"{part.clips} {what} ({part.share:.1%}{_percents(part.low, part.high)})"
            for what, part in (("called fake", one.fake), ("between the limits", one.between),
                               ("unlike training", one.unlike), ("called real", one.real))
        ]  # fmt: skip
        lines.append(f"    of {one.clips} {name} ones {', '.join(parts)}")
    return [*lines, f"  scope: {report.decision.scope.line}", f"  meaning: {report.decision.meaning}"]


def calibration_lines(found: "Calibrated") -> list[str]:
    """What was decided before and after, for people."""
    lines = [f"fixed on {found.clips[0]} real and {found.clips[1]} fake clips"]
    for name, one in (("before", found.before), ("after", found.after)):
        lines.append(f"  {name}: temperature {one.temperature:.2f}; log loss {found.metrics[name]['loss']:.3f}")
        if one.silence:
            lines.append(f"    no verdicts: {one.silence}")
            continue
        lines += [f"    {_band_line(what, band)}" for what, band in (("a film", one.film), ("one picture", one.photo))]
    lines.append(f"  AUC by clip {found.metrics['after']['auc']:.3f}, which no calibration changes much")
    return lines if found.kept is None else [*lines, f"what it was before is kept in {found.kept}"]


def _band_line(what: str, band: "Band") -> str:
    """Both limits, each with how often it errs on people that it was not fixed on."""
    fake = f"fake from {band.from_of():.3f} on ({_rate(band.false_alarms, 'real')})" if band.fake_from else "fake never"
    real = "real never" if band.real_to is None else f"real up to {band.real_to:.3f} ({_rate(band.misses, 'fake')})"
    return f"{what} is called {fake}, {real}"


def _rate(found: "Rate | None", kind: str) -> str:
    if found is None:
        return "errors were not counted: too few people"
    of = f"{found.wrong} of {found.clips} {kind} clips, of {found.people} {'person' if found.people == 1 else 'people'}"
    return f"so in validation {of}: {found.share:.1%}{_percents(found.low, found.high)}"


def _percents(low: float, high: float) -> str:
    return f" [{low:.1%}, {high:.1%}]"


def _further_lines(report: "Report") -> list[str]:
    """What was asked for beside the split: changed crops, other data, other runs."""
    lines = []
    if report.robustness:
        plain = _number(report.robustness.plain.auc)
        lines.append(f"  {report.robustness.frames} crops a clip, as they are: AUC by clip {plain}")
        for one in report.robustness.perturbations.values():
            curve = ", ".join(f"{row.strength:g}: {_number(row.auc)}" for row in one.strengths)
            lines.append(f"  AUC by clip, {one.name} ({one.unit}): {curve}")
        lines += [f"  {name} is not measured: {reason}" for name, reason in report.robustness.not_measured.items()]
    if report.own_boxes:
        lines += _own_box_lines(report.own_boxes)
    if report.stability:
        lines.append(_stability_line(report.stability))
    for name, other in (report.cross_data or {}).items():
        lines.append(f"  on {name}: AUC by clip {_number(other.clip.auc)}")
    if report.seeds:
        spread = report.seeds.metrics["auc"]
        lines.append(f"  seeds: mean of the AUC by clip {_number(spread.mean)}{_ends(spread.interval)}")
    if report.comparison:
        gap = report.comparison.metrics["auc"]
        lines.append(f"  comparison: difference of the AUC by clip {_number(gap.difference)}{_ends(gap.interval)}")
    return lines


def _own_box_lines(found: "OwnBoxes") -> list[str]:
    """Both ways to find a fake's box, for people."""
    if found.reason is not None:
        return [f"  as predict sees the films: not measured ({found.reason})"]
    auc, balanced = found.metrics["auc"], found.metrics["balanced_accuracy"]
    silent = f"; no face in {len(found.no_face)} films" if found.no_face else ""
    silent += f"; {len(found.left_out)} clips left out" if found.left_out else ""
    return [
        f"  as predict sees the films ({found.taken} of {found.of} clips{silent}): AUC by clip {_number(auc.first)}"
        f"{_ends(found.intervals.get('auc'))} against {_number(auc.second)} with the table's boxes, difference "
        f"{_number(auc.difference)}{_ends(auc.interval)}; balanced accuracy {_number(balanced.first)} against "
        f"{_number(balanced.second)}"
    ]


def _stability_line(found: "Stability") -> str:
    """How many verdicts on photos turn, for people."""
    if found.overall is None:
        return f"  steady answers: not measured ({found.reason})"
    low, high = found.overall.turned_interval
    return (
        f"  {found.photos} photos, {found.answered} of them called fake or real, each changed in {len(found.changes)} "
        f"ways: {found.overall.turned:.1%} of the verdicts turn between fake and real [{low:.1%}, {high:.1%}], "
        f"{found.overall.turned_any:.1%} in any way"
    )


def attention_lines(found: "Interpretation") -> list[str]:
    """Attention by region and agreement with the masks, for people."""
    lines = ["share of heat over share of area, by region (95 % interval)"]
    for row in found.regions:
        if row.low is not None:
            interval = f"{row.ratio:.2f} [{row.low:.2f}, {row.high:.2f}]"
            lines.append(f"  {row.network:<15}{row.kind:<5}{row.region:<9}{interval}  {row.verdict}")
    for mask in found.masks:
        if mask.method == "all" and mask.low is not None:
            interval = f"{mask.value:.2f} [{mask.low:.2f}, {mask.high:.2f}]"
            lines.append(f"  {mask.map:<15}{mask.measure:<15}{interval}")
    return lines


def _ends(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"  [{interval[0]:.3f}, {interval[1]:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _plain(value: Any) -> Any:
    """What JSON does not know: a number of numpy's as a plain one, a path as text."""
    return value.item() if hasattr(value, "item") else str(value)


class _Formatter(logging.Formatter):
    """A record in one line; where bugs are looked for, with its traceback."""

    def __init__(self, program: str, debug: bool) -> None:
        super().__init__(f"{program}: %(message)s")
        self._program, self._debug = program, debug

    def format(self, record: logging.LogRecord) -> str:
        return printable_lines(super().format(record)) if self._debug else _line(record.getMessage(), self._program)


@contextlib.contextmanager
def warnings_on_stderr(debug: bool, program: str = "torchfakes") -> Iterator[None]:
    """The stages' own warnings and those of libraries, one line each; afterwards all is as it was."""
    handler, formatter = logging.StreamHandler(sys.stderr), _Formatter(program, debug)
    handler.setFormatter(formatter)
    logger, others = logging.getLogger("torchfakes_utils"), logging.lastResort
    before = logger.propagate, logger.handlers, None if others is None else others.formatter
    logger.propagate, logger.handlers = False, [handler]  # one command inside another: the inner one speaks
    if others is not None:  # speaks for whoever has no handler
        others.setFormatter(formatter)
    try:
        with warnings.catch_warnings():
            if not debug:
                warnings.showwarning = lambda message, *_: say(str(message), program)
            yield
    finally:
        logger.propagate, logger.handlers = before[:2]
        if others is not None:
            others.setFormatter(before[2])


_LONGEST = 2000  # characters of a line; the longest path has some 4,000, and is read by nobody


def say(what: str | Exception, program: str = "torchfakes") -> None:
    """A line beside the results."""
    print(_line(_one_line(what) if isinstance(what, Exception) else what, program), file=sys.stderr, flush=True)


def _line(text: str, program: str) -> str:
    line = printable(f"{program}: {' '.join(part.strip() for part in text.splitlines())}")
    # What a stranger's file holds may be long: what is wrong stands at the beginning, what to do at the end.
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 500]} … {line[-400:]}"


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, InputError):
        return text
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("torchfakes_utils"):
        return f"the package {error.name!r} is not installed; try: pip install 'torchfakes[course]'"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out of memory; try a smaller batch or --device cpu"
    return f"unexpected {type(error).__name__}: {text}; run again with --debug to see where, and report it, please"
