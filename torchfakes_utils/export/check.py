"""What an exported file is worth: its answers beside those of the detector that it was made from, and its speed.

Both judge the same test crops.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import limit_frames, load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.graph import CALIBRATION, FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.parity import MOST_DIFFERENCE, Parity
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import Detector

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
        calibration: (M, 3, S, S) uint8 of the validation split; None where none are needed.
        notes: what has to be known about them, a line each.
    """

    crops: np.ndarray
    faces: pd.DataFrame | None = None
    calibration: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def read_data(detector: Detector, faces_csv: Path, sha256: str | None = None, calibrate: bool = True) -> CheckData:
    """Test crops to compare on, and validation crops to calibrate on.

    Args:
        detector: of which the preprocessing counts.
        faces_csv: the table; crops of the splits "val" and "test" are taken from it.
        sha256: of the table that the run was trained on, where it is known.
        calibrate: validation crops are needed, too.

    Raises:
        InputError: no table, an empty split, crops that cannot be read, or ones cut in another way.
    """
    test, calibration = load_faces_for(detector, faces_csv, "test"), None
    notes = []
    if sha256 is not None and sha256_of(faces_csv) != sha256:
        notes.append(f"{faces_csv}: not the table that this run was trained on; its test crops may be training crops")
    clips = len(test.drop_duplicates(CLIP_KEY))
    test = limit_frames(test, max(1, _CROPS // clips))
    crops, test = _read(test, detector)
    if calibrate:
        validation = load_faces_for(detector, faces_csv, "val")
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
    with thread_limit(threads):
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
