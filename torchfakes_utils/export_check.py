"""What an exported file is worth: its answers beside those of the detector that it was made from, and its speed.

Both judge the same test crops. A file that answers otherwise than its name promises is refused.
"""

import contextlib
import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops import open_store
from torchfakes_utils.dataset import limit_frames, load_faces, read_extraction
from torchfakes_utils.detector import Detector, check_preprocessing
from torchfakes_utils.errors import InputError
from torchfakes_utils.export_graph import CALIBRATION, FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.metrics import binary_metrics, by_clip
from torchfakes_utils.tables import CLIP_KEY
from torchfakes_utils.video import spread

# Refused: a float32 file of which a logit differs by more than this; an int8 file whose AUC by crop on test lies more
# than so many points (hundredths) below the detector's.
MOST_DIFFERENCE, MOST_POINTS = 1e-3, 0.5
# Crops that are compared; more than these hardly change an AUC, and PyTorch takes 50 ms for each.
_CROPS = 3000
# Calls that are timed, of each file and of PyTorch in turn.
_TIMED, _WARM = 40, 4
# Crops of noise, where there are no others.
_NOISE = 16
_BATCH = 32

Network = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class CheckData:
    """What files are calibrated and checked on.

    Attributes:
        crops: (N, 3, S, S) uint8 of the test split; noise where no table is known.
        faces: their rows of faces.csv; None for noise.
        calibration: (M, 3, S, S) uint8 of the validation split; None where no table is known.
        notes: what has to be known about them, a line each.
    """

    crops: np.ndarray
    faces: pd.DataFrame | None = None
    calibration: np.ndarray | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parity:
    """One file beside the detector.

    Attributes:
        file: its name.
        precision: "fp32" or "int8".
        megabytes: its size, in millions of bytes.
        crops, clips: that were compared; 0 clips for noise.
        max_logit_difference, mean_logit_difference: of all crops, absolute.
        auc: {"crop", "clip"} of the file; None where there are not both classes.
        auc_detector: the same of the detector.
        points: {"crop", "clip"}: the file's AUC less the detector's, in hundredths.
        agreement: share of crops that get the same verdict, in [0, 1].
        milliseconds: median time of one crop.
        milliseconds_detector: the same of the detector, measured in turn with the file.
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
class Checked:
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
    folder: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """A dictionary that JSON can hold, without the folder; what is no number (NaN) becomes None."""
        value = dataclasses.asdict(self)
        del value["folder"]
        for one in (*value["files"], *value["rejected"]):
            one |= {name: None for name, number in one.items() if isinstance(number, float) and not np.isfinite(number)}
        return value


def read_data(detector: Detector, faces_csv: Path, sha256: str | None = None) -> CheckData:
    """Test crops to compare on, and validation crops to calibrate on.

    Args:
        detector: of which the preprocessing counts.
        faces_csv: the table; crops of the splits "val" and "test" are taken from it.
        sha256: of the table that the run was trained on, where it is known.

    Raises:
        InputError: no table, an empty split, crops that cannot be read, or ones cut in another way.
    """
    check_preprocessing(detector, read_extraction(faces_csv.parent))
    test, validation = (load_faces(faces_csv, split) for split in ("test", "val"))
    notes = []
    if sha256 is not None and hashlib.sha256(faces_csv.read_bytes()).hexdigest() != sha256:
        notes.append(f"{faces_csv}: not the table that this run was trained on; its test crops may be training crops")
    clips = len(test.drop_duplicates(CLIP_KEY))
    test = limit_frames(test, max(1, _CROPS // clips))
    crops, test = _read(test, detector)
    calibration, _ = _read(validation.iloc[spread(CALIBRATION, len(validation))], detector)
    return CheckData(crops, test, calibration, tuple(notes))


def noise_data(detector: Detector) -> CheckData:
    """Something to compare float32 files on, where no crops are known."""
    size = detector.preprocessing.size
    crops = np.random.default_rng(0).integers(0, 256, (_NOISE, 3, size, size), dtype=np.uint8)
    note = f"no table of faces is known: compared on {_NOISE} generated crops, without an AUC; give --faces FACES.CSV"
    return CheckData(crops, notes=(note,))


def _read(faces: pd.DataFrame, detector: Detector) -> tuple[np.ndarray, pd.DataFrame]:
    crops, good = open_store(faces, detector.preprocessing, cache="off").read(range(len(faces)))
    if not good.any():
        raise InputError("not one crop can be read; run `torchfakes extract` again")
    return crops.numpy(), faces[good].reset_index(drop=True)


def eager_logits(detector: Detector, crops: np.ndarray) -> np.ndarray:
    """What the detector itself says, (N,) float32."""
    network = eager(detector)
    return np.concatenate([network(part).numpy() for part in torch.from_numpy(crops).split(_BATCH)])


def eager(detector: Detector) -> Network:
    """The detector as a network of crops (B, 3, S, S) uint8 on the CPU."""

    def judge(crops: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return detector(detector.preprocessing.normalise(crops)).float()

    detector.cpu().eval()
    return judge


def compare(
    networks: Mapping[str, tuple[Path, Network]], detector: Detector, data: CheckData, threads: int = 1
) -> list[Parity]:
    """Hold files beside the detector.

    Args:
        networks: {precision: (file, network)}.
        detector: what they were made from, on the CPU.
        data: the crops.
        threads: that compute a crop of the detector while times are taken; for files, they were loaded with as many.

    Returns:
        One result for each, in their order.
    """
    runners = {"detector": eager(detector)} | {name: network for name, (_, network) in networks.items()}
    with _threads(threads):
        times = latencies(runners, data.crops)
    found, logits = [], eager_logits(detector, data.crops)
    for precision, (path, network) in networks.items():
        crops = torch.from_numpy(data.crops)
        theirs = np.concatenate([np.asarray(network(part)) for part in crops.split(_BATCH)]).astype(np.float64)
        difference = np.abs(theirs - logits)
        verdicts = [detector.decision.probability(values) >= detector.decision.threshold for values in (theirs, logits)]
        auc, own = (_auc(detector, data.faces, values) for values in (theirs, logits))
        points = {level: None if None in (auc[level], own[level]) else 100 * (auc[level] - own[level]) for level in auc}
        found.append(
            Parity(
                file=path.name,
                precision=precision,
                megabytes=path.stat().st_size / 1e6,
                crops=len(logits),
                clips=0 if data.faces is None else len(data.faces.drop_duplicates(CLIP_KEY)),
                max_logit_difference=float(difference.max()),
                mean_logit_difference=float(difference.mean()),
                auc=auc,
                auc_detector=own,
                points=points,
                agreement=float(np.mean(verdicts[0] == verdicts[1])),
                milliseconds=times[precision],
                milliseconds_detector=times["detector"],
                speedup=times["detector"] / times[precision],
            )
        )
    return found


def _auc(detector: Detector, faces: pd.DataFrame | None, logits: np.ndarray) -> dict[str, float | None]:
    if faces is None or not np.isfinite(logits).all():
        return {"crop": None, "clip": None}
    scores = faces.assign(probability_fake=detector.decision.probability(logits))
    tables = {"crop": scores, "clip": by_clip(scores)}
    return {name: binary_metrics(part["label"], part["probability_fake"])["auc"] for name, part in tables.items()}


def latencies(networks: Mapping[str, Network], crops: np.ndarray) -> dict[str, float]:
    """Median milliseconds for one crop, the networks taking turns, so that what else the machine does hits all alike.

    Args:
        networks: by name.
        crops: (N, 3, S, S) uint8, looked at one after the other.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(_WARM + _TIMED):
        crop = torch.from_numpy(crops[turn % len(crops)][None])
        for name, network in networks.items():
            start = time.perf_counter()
            network(crop)
            times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(values[_WARM:])) for name, values in times.items()}


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def why_refused(parity: Parity) -> str:
    """Why a file may not be kept, in one line with the figures; "" for one that may."""
    name = f"{parity.file} is refused"
    if not np.isfinite(parity.max_logit_difference):
        return f"{name}: it gives logits that are no numbers"
    if parity.precision == "fp32":
        difference = parity.max_logit_difference
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
        f"{MOST_POINTS:g} is the most; export with --precision fp32"
    )


def compare_faces(callables: Mapping[str, Callable[[np.ndarray], Sequence[np.ndarray]]]) -> dict[str, float]:
    """Largest difference of exported face networks to PyTorch's, over all their outputs.

    Args:
        callables: {name: network}.

    Raises:
        InputError: one differs by more than `MOST_DIFFERENCE`.
    """
    found = {}
    for name, network in face_networks().items():
        pixels = face_example(name, 3)
        with torch.inference_mode():
            expected = network(pixels)
        given = callables[name](pixels.numpy())
        found[name] = max(
            float(np.abs(value - own.numpy()).max()) if value.shape == tuple(own.shape) else np.inf
            for value, own in zip(given, expected, strict=True)
        )
        if not found[name] <= MOST_DIFFERENCE:
            outputs = ", ".join(FACE_OUTPUTS[name])
            raise InputError(f"{name} is refused: {outputs} differ from PyTorch's by up to {found[name]:.2g}")
    return found


_COLUMNS = (
    "file", "MB", "largest logit difference", "AUC by crop (detector)", "points", "AUC by clip (detector)", "points",
    "same verdict", "ms a crop (detector)", "speed",
)  # fmt: skip


def rows(checked: Checked) -> list[list[str]]:
    """The figures of every file as text, kept or not; the first row is the header."""
    table = [list(_COLUMNS)]
    for one in [*checked.files, *checked.rejected]:
        name = one.file + (" (refused)" if one in checked.rejected else "")
        row = [name, f"{one.megabytes:.1f}", f"{one.max_logit_difference:.2g}"]
        for level in ("crop", "clip"):
            auc, own, points = one.auc[level], one.auc_detector[level], one.points[level]
            row += [f"{_number(auc)} ({_number(own)})", _number(points, "+.2f")]
        row += [f"{one.agreement:.1%}", f"{one.milliseconds:.1f} ({one.milliseconds_detector:.1f})"]
        table.append([*row, f"{one.speedup:.1f} x"])
    return table


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else format(value, form)


def lines(checked: Checked) -> list[str]:
    """The figures for a terminal."""
    table = rows(checked)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]


def page(checked: Checked, title: str) -> str:
    """The figures as Markdown."""
    table = rows(checked)
    text = [f"# {title}", ""]
    text += ["| " + " | ".join(row) + " |" for row in (table[0], ["---"] * len(table[0]), *table[1:])]
    one = (checked.files or checked.rejected)[0]
    where = f"{one.crops} test crops of {one.clips} clips" if one.clips else f"{one.crops} generated crops"
    threads = f"{checked.threads} thread{'s' * (checked.threads > 1)}"
    text += [
        "",
        f"Compared on {where}, on a CPU, {threads}. Times are medians of one crop a call, file and detector (PyTorch) "
        "taking turns, on the machine that this was written on. A point is a hundredth of AUC.",
        "",
    ]
    if checked.face_networks:
        text += [
            "Face networks, largest difference to PyTorch: "
            + ", ".join(f"{name} {value:.1g}" for name, value in checked.face_networks.items()) + ".",
            "",
        ]  # fmt: skip
    text += [f"- {line}" for line in [*checked.notes, *checked.refused.values()]]
    return "\n".join(text).rstrip() + "\n"
