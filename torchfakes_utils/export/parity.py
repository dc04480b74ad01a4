"""What is said of exported files: figures beside the detector's, what is refused, a table of it all."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.text import markdown

# Refused: a float32 file of which a logit differs by more than this; an int8 file whose AUC by crop on test lies more
# than so many points (hundredths) below the detector's.
MOST_DIFFERENCE, MOST_POINTS = 1e-3, 0.5


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
        agreement: share of crops that get the same verdict, in [0, 1].
        milliseconds, milliseconds_detector: median time of one crop, measured in turn.
        speedup: how many times faster the file is.
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
    agreement: float
    milliseconds: float
    milliseconds_detector: float
    speedup: float


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
            one |= {name: None for name, number in one.items() if isinstance(number, float) and not np.isfinite(number)}
        return value


def why_refused(parity: Parity) -> str:
    """Why a file may not be kept, in one line with the figures; "" for one that may."""
    name, difference = f"{parity.file} is refused", parity.max_logit_difference
    if not np.isfinite(difference):
        return f"{name}: it gives logits that are no numbers"
    if parity.precision == "fp32":
        if difference <= MOST_DIFFERENCE:
            return ""
        return f"{name}: a logit differs from the detector's by {difference:.2g}, and {MOST_DIFFERENCE:g} is the most"
    points, auc, own = (value["crop"] for value in (parity.points, parity.auc, parity.auc_detector))
    if points is None:
        return f"{name}: its AUC cannot be measured, for the test split has not both real and fake crops"
    if points >= -MOST_POINTS:
        return ""
    return (
        f"{name}: its AUC by crop on test is {auc:.4f}, the detector's {own:.4f}: {-points:.2f} points lower, and "
        f"{MOST_POINTS:g} is the most; --precision fp32 exports the other file alone"
    )


def _rows(exported: Exported) -> list[list[str]]:
    """The figures of every file as text, kept or not; the first row is the header."""
    table = [[
        "file", "MB", "largest logit difference", "AUC by crop (detector)", "points", "AUC by clip (detector)",
        "points", "same verdict", "ms a crop (detector)", "speed",
    ]]  # fmt: skip
    for one in [*exported.files, *exported.rejected]:
        name = one.file + (" (refused)" if one in exported.rejected else "")
        row = [name, f"{one.megabytes:.1f}", f"{one.max_logit_difference:.2g}"]
        for level in ("crop", "clip"):
            auc, own, points = one.auc[level], one.auc_detector[level], one.points[level]
            row += [f"{_number(auc)} ({_number(own)})", _number(points, "+.2f")]
        row += [f"{one.agreement:.1%}", f"{one.milliseconds:.1f} ({one.milliseconds_detector:.1f})"]
        table.append([*row, f"{one.speedup:.1f} x"])
    return table


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
        "taking turns, on the machine that this was written on. A point is a hundredth of AUC.",
        f"Face networks, largest difference to PyTorch: {differences}.",
        "\n".join(f"- {markdown(line)}" for line in [*exported.notes, *exported.refused.values()]),
    ]
    return "\n\n".join(paragraphs).rstrip() + "\n"
