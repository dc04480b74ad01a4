"""What is said of exported files: figures beside the detector's, what is refused, a table of it all."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.config import FP32
from torchfakes_utils.io.text import markdown

# Refused: a float32 file of which a logit, or a distance as a share of the detector's, differs by more than this; an
# int8 file whose AUC by crop on test lies more than so many points (hundredths) below the detector's, or of which more
# than this share of the test crops is refused for its distance by one of the two alone.
MOST_DIFFERENCE, MOST_POINTS, MOST_TURNED = 1e-3, 0.5, 0.05


@dataclass(frozen=True)
class Distances:
    """Distances of a file beside the detector's, on the same crops.

    Attributes:
        largest_difference: of all crops, absolute, as a share of the detector's.
        refused, refused_detector: shares of crops that get no answer for their distance.
        turned: share of crops that one of the two refuses so, and the other does not.
        limit, limit_detector: up to which a crop gets an answer; None where there is no limit.
    """

    largest_difference: float
    refused: float
    refused_detector: float
    turned: float
    limit: float | None
    limit_detector: float | None


@dataclass(frozen=True)
class Parity:
    """One file beside the detector.

    Attributes:
        file: its name.
        precision: "fp32" or "int8".
        megabytes: its size, in millions of bytes.
        crops, clips: that were compared; 0 clips for noise.
        max_logit_difference, mean_logit_difference: of all crops, absolute.
        auc, auc_detector: {"crop", "clip"}; None where there are not both classes.
        points: {"crop", "clip"}: the file's AUC less the detector's, in hundredths.
        agreement: share of crops, in [0, 1], that get the same of three answers, fake, real or neither, by the band for
            one crop; None where the detector gives no verdicts.
        milliseconds, milliseconds_detector: median time of one crop, measured in turn.
        speedup: how many times faster the file is.
        distances: None where the detector measures none.
    """

    file: str
    precision: str
    megabytes: float
    crops: int
    clips: int
    max_logit_difference: float
    mean_logit_difference: float
    auc: dict[str, float | None]
    auc_detector: dict[str, float | None]
    points: dict[str, float | None]
    agreement: float | None
    milliseconds: float
    milliseconds_detector: float
    speedup: float
    distances: Distances | None = None


@dataclass
class Exported:
    """All files of an export.

    Attributes:
        files: those that are kept.
        refused: {precision: why}, one line each.
        rejected: the figures of those that are not kept.
        notes: of the data.
        threads: that computed one crop.
        face_networks: {name: largest difference to PyTorch's}.
        folder: where they are, once they are kept.
    """

    files: list[Parity] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    rejected: list[Parity] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    threads: int = 1
    face_networks: dict[str, float] = field(default_factory=dict)
    folder: Path = Path()

    def raise_for_refused(self) -> None:
        """Raise an `InputError` where a precision was refused: the reasons, and what is there all the same."""
        if self.refused:
            kept = ", ".join(one.file for one in self.files)
            raise InputError(f"{'; '.join(self.refused.values())} ({kept} is in {self.folder})")

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold, without the folder; what is no number (NaN) becomes None."""
        value = dataclasses.asdict(self)
        del value["folder"]
        for one in (*value["files"], *value["rejected"]):
            for figures in filter(None, (one, one["distances"])):
                figures |= {name: None for name, number in figures.items() if _is_no_number(number)}
        return value


def _is_no_number(value: object) -> bool:
    return isinstance(value, float) and not np.isfinite(value)


def why_refused(parity: Parity) -> str:
    """Why a file may not be kept, in one line with the figures; "" for one that may."""
    measured = (parity.max_logit_difference, *([parity.distances.largest_difference] if parity.distances else []))
    if not np.isfinite(measured).all():
        why = "it gives logits or distances that are no numbers"
    else:
        why = _why_float_refused(parity) if parity.precision == FP32 else _why_int8_refused(parity)
    return f"{parity.file} is refused: {why}" if why else ""


def _why_float_refused(parity: Parity) -> str:
    difference, most = parity.max_logit_difference, f"and {MOST_DIFFERENCE:g} is the most"
    if not difference <= MOST_DIFFERENCE:
        return f"a logit differs from the detector's by {difference:.2g}, {most}"
    if parity.distances and not parity.distances.largest_difference <= MOST_DIFFERENCE:
        return f"a distance differs from the detector's by {parity.distances.largest_difference:.2g} of it, {most}"
    return ""


def _why_int8_refused(parity: Parity) -> str:
    points, auc, own = (value["crop"] for value in (parity.points, parity.auc, parity.auc_detector))
    alone, distances = "--precision fp32 exports the other file alone", parity.distances
    if points is None:
        return "its AUC cannot be measured, for the test split has not both real and fake crops"
    if points < -MOST_POINTS:
        return (
            f"its AUC by crop on test is {auc:.4f}, the detector's {own:.4f}: {-points:.2f} points lower, and "
            f"{MOST_POINTS:g} is the most; {alone}"
        )
    if distances and distances.turned > MOST_TURNED:
        return (
            f"{distances.turned:.1%} of the test crops are refused for their distance from training by it alone or by "
            f"the detector alone, and {MOST_TURNED:.0%} is the most; {alone}"
        )
    return ""


def _rows(exported: Exported) -> list[list[str]]:
    """The figures of every file as text, kept or not; the first row is the header."""
    table = [[
        "file", "MB", "largest logit difference", "AUC by crop (detector)", "points", "AUC by clip (detector)",
        "points", "same answer", "refused for distance (detector)", "turned", "ms a crop (detector)", "speed",
    ]]  # fmt: skip
    for one in [*exported.files, *exported.rejected]:
        name = one.file + (" (refused)" if one in exported.rejected else "")
        row = [name, f"{one.megabytes:.1f}", f"{one.max_logit_difference:.2g}"]
        for level in ("crop", "clip"):
            auc, own, points = one.auc[level], one.auc_detector[level], one.points[level]
            row += [f"{_number(auc)} ({_number(own)})", _number(points, "+.2f")]
        row += [_number(one.agreement, ".1%"), *_of_distances(one.distances)]
        row.append(f"{one.milliseconds:.1f} ({one.milliseconds_detector:.1f})")
        table.append([*row, f"{one.speedup:.1f} x"])
    return table


def _of_distances(distances: Distances | None) -> list[str]:
    """What is refused for its distance, and what of that is otherwise."""
    if distances is None:
        return ["-", "-"]
    return [f"{distances.refused:.1%} ({distances.refused_detector:.1%})", f"{distances.turned:.1%}"]


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def lines(exported: Exported) -> list[str]:
    """The figures for a terminal."""
    table = _rows(exported)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def page(exported: Exported, title: str) -> str:
    """The figures as Markdown."""
    header, *others = _rows(exported)
    table = ["| " + " | ".join(row) + " |" for row in (header, ["---"] * len(header), *others)]
    one = (exported.files or exported.rejected)[0]
    where = f"{one.crops} test crops of {one.clips} clips" if one.clips else f"{one.crops} generated crops"
    threads = f"{exported.threads} thread{'s' * (exported.threads > 1)}"
    differences = ", ".join(f"{name} {value:.1g}" for name, value in exported.face_networks.items())
    paragraphs = [
        f"# {markdown(title)}",
        "\n".join(table),
        f"Compared on {where}, on a CPU, {threads}. Times are medians of one crop a call, file and detector (PyTorch) "
        "taking turns, on the machine that this was written on. A point is a hundredth of AUC. An answer is fake, real "
        "or neither, by the thresholds for one crop; what is refused for its distance from training, and what is so by "
        "one of the two alone (turned), is counted apart.",
        f"Face networks, largest difference to PyTorch: {differences}.",
        "\n".join(f"- {markdown(line)}" for line in [*exported.notes, *exported.refused.values()]),
    ]
    return "\n\n".join(paragraphs).rstrip() + "\n"
