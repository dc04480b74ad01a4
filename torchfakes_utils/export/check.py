"""What an exported file is worth: its answers beside those of the detector that it was made from, and its speed.

Both judge the same test crops of the table that the run was trained on; its validation crops calibrate int8.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import limit_frames, load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.face_networks import FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.graph import CALIBRATION
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.export.parity import MOST_DIFFERENCE, Parity
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import Detector

# Crops that are compared: what the detector judges in so many seconds, but this many at most, which say all that more
# would, and at least. Of noise, where there are no others. And the most of one call.
_SECONDS, _MOST, _LEAST, _NOISE, _BATCH = 240, 3000, 100, 16, 32
# Calls that are timed, of each file and of PyTorch in turn; when so many seconds are over, fewer.
_TIMED, _LEAST_TIMED, _WARM, _TIMING = 40, 5, 4, 60
# Seconds after which something is said again while crops are compared, and those that a call may take.
_SILENCE, _CALL = 30, 10

Network = Callable[[torch.Tensor], torch.Tensor]
Say = Callable[[str], object]


@dataclass(frozen=True)
class CheckData:
    """What files are calibrated and checked on.

    Attributes:
        crops: (N, 3, S, S) uint8 of the test split; noise where no table is known.
        faces: their rows of faces.csv; None for noise.
        calibration: (M, 3, S, S) uint8 of the validation split; None where none are needed.
        notes: what has to be known about them, a line each.
        pace: seconds that the detector takes for a crop, in PyTorch.
    """

    crops: np.ndarray
    faces: pd.DataFrame | None = None
    calibration: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    pace: float = 0.0


def pace_of(detector: Detector) -> float:
    """Seconds that a detector takes for a crop on the CPU: what can be asked of it depends on that."""
    network, crops = _eager(detector), torch.from_numpy(_noise(detector, 1))
    network(crops)  # the first time, memory is fetched
    start = time.perf_counter()
    network(crops)
    return time.perf_counter() - start


def read_data(detector: Detector, faces_csv: Path, sha256: str | None = None, calibrate: bool = True) -> CheckData:
    """Test crops to compare on, and validation crops to calibrate on.

    Args:
        detector: of which the preprocessing counts.
        faces_csv: the table; crops of the splits "val" and "test" are taken from it.
        sha256: of the table that the run was trained on, where it is known.
        calibrate: validation crops are needed, too.

    Raises:
        InputError: no table, an empty split, crops that cannot be read, or ones cut in another way; or, where 8 bits
            have to be judged, test crops of one class.
    """
    test, calibration = load_faces_for(detector, faces_csv, "test"), None
    if calibrate and test["label"].nunique() < 2:
        only = "fake" if test["label"].iloc[0] == 1 else "real"
        raise InputError(
            f"{faces_csv}: split 'test' holds {only} crops alone, and whether 8 bits cost AUC takes both classes; give "
            "--faces another table, or export --precision fp32"
        )
    notes, pace = [], pace_of(detector)
    if sha256 is not None and sha256_of(faces_csv) != sha256:
        notes = [f"{faces_csv.name}: not the table that this run was trained on; its test crops may be training crops"]
    most, there = max(_LEAST, min(_MOST, int(_SECONDS / pace))), len(test)
    test = limit_frames(test, max(1, most // len(test.drop_duplicates(CLIP_KEY))))
    test = test.iloc[spread(most, len(test))]  # where there are more clips than that
    if len(test) < there and most < _MOST:
        notes.append(f"compared on {len(test)} of {there} test crops: the detector takes {pace:.1f} s for each")
    crops, test = _read(test, detector)
    if calibrate:
        validation = load_faces_for(detector, faces_csv, "val")
        calibration, _ = _read(validation.iloc[spread(CALIBRATION, len(validation))], detector)
    return CheckData(crops, test, calibration, tuple(notes), pace)


def noise_data(detector: Detector) -> CheckData:
    """Something to compare float32 files on, where no crops are known."""
    note = f"no table of faces is known: compared on {_NOISE} generated crops, without an AUC; give --faces FACES.CSV"
    return CheckData(_noise(detector, _NOISE), notes=(note,), pace=pace_of(detector))


def _noise(detector: Detector, count: int) -> np.ndarray:
    size = detector.preprocessing.size
    return np.random.default_rng(0).integers(0, 256, (count, 3, size, size), dtype=np.uint8)


def _read(faces: pd.DataFrame, detector: Detector) -> tuple[np.ndarray, pd.DataFrame]:
    crops, good = open_store(faces, detector.preprocessing, cache="off").read(range(len(faces)))
    if not good.any():
        raise InputError("not one crop can be read; run `torchfakes extract` again")
    return crops.numpy(), faces[good].reset_index(drop=True)


def compare(
    networks: Mapping[str, tuple[Path, Network]],
    detector: Detector,
    data: CheckData,
    threads: int = 1,
    say: Say = lambda line: None,
) -> list[Parity]:
    """Hold files beside the detector that they were made from: one result for each, in their order.

    Args:
        networks: {precision: (file, network)}.
        detector: on the CPU.
        data: the crops.
        threads: that compute a crop of the detector while times are taken; for files, they were loaded with as many.
        say: told what is being done, and how far it is.
    """
    everyone = {"detector": _eager(detector)} | {name: network for name, (_, network) in networks.items()}
    minutes = round((_TIMING + len(data.crops) * data.pace * len(everyone)) / 60)
    say(f"checking on {len(data.crops)} crops" + (f", some {minutes} minutes" if minutes > 1 else ""))
    with thread_limit(threads):
        times = latencies(everyone, data.crops)
    logits = _logits("detector", everyone, data, say)
    clips = 0 if data.faces is None else len(data.faces.drop_duplicates(CLIP_KEY))
    own, found = _auc(detector, data.faces, logits), []
    for precision, (path, _) in networks.items():
        theirs = _logits(precision, everyone, data, say)
        difference = np.abs(theirs.astype(np.float64) - logits)
        verdicts = [detector.decision.probability(values) >= detector.decision.threshold for values in (theirs, logits)]
        auc = _auc(detector, data.faces, theirs)
        found.append(Parity(
            file=path.name, precision=precision, megabytes=path.stat().st_size / 1e6, crops=len(logits), clips=clips,
            max_logit_difference=float(difference.max()), mean_logit_difference=float(difference.mean()),
            auc=auc, auc_detector=own, points={level: _points(auc[level], own[level]) for level in auc},
            agreement=float(np.mean(verdicts[0] == verdicts[1])), milliseconds=times[precision],
            milliseconds_detector=times["detector"], speedup=times["detector"] / times[precision],
        ))  # fmt: skip
    return found


def _eager(detector: Detector) -> Network:
    """The detector as a network of crops (B, 3, S, S) uint8 on the CPU."""

    def judge(crops: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = detector(detector.preprocessing.normalise(crops))
            return logits.float()

    detector.cpu().eval()
    return judge


def _logits(name: str, networks: Mapping[str, Network], data: CheckData, say: Say) -> np.ndarray:
    """Those of all crops; now and then it is said how far that is."""
    batch = max(1, min(_BATCH, int(_CALL / max(data.pace, 1e-9))))
    found, done, said = [], 0, time.monotonic()
    for part in torch.split(torch.from_numpy(data.crops), batch):
        found.append(networks[name](part).numpy())
        done += len(part)
        if time.monotonic() - said > _SILENCE and done < len(data.crops):
            say(f"{name}: {done} of {len(data.crops)} crops")
            said = time.monotonic()
    return np.concatenate(found)


def _auc(detector: Detector, faces: pd.DataFrame | None, logits: np.ndarray) -> dict[str, float | None]:
    if faces is None or not np.isfinite(logits).all():
        return {"crop": None, "clip": None}
    scores = faces.assign(probability_fake=detector.decision.probability(logits))
    tables = {"crop": scores, "clip": by_clip(scores)}
    return {name: binary_metrics(part["label"], part["probability_fake"])["auc"] for name, part in tables.items()}


def _points(auc: float | None, own: float | None) -> float | None:
    """By how much an AUC differs from the detector's own, in hundredths."""
    return None if auc is None or own is None else 100 * (auc - own)


def latencies(networks: Mapping[str, Network], crops: np.ndarray) -> dict[str, float]:
    """Median milliseconds for one of the crops (N, 3, S, S), uint8; the networks take turns, so that what else the
    machine does hits all alike.
    """
    times: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(_WARM + _TIMED):
        if turn >= _WARM + _LEAST_TIMED and sum(map(sum, times.values())) > _TIMING:
            break
        crop = torch.from_numpy(crops[turn % len(crops)][None])
        for name, network in networks.items():
            start = time.perf_counter()
            network(crop)
            times[name].append(time.perf_counter() - start)
    return {name: 1000 * float(np.median(values[_WARM:])) for name, values in times.items()}


def compare_faces(callables: Mapping[str, FaceCallable]) -> dict[str, float]:
    """Largest difference of exported face networks, by name, to PyTorch's, over all their outputs.

    Raises:
        InputError: one differs by more than `MOST_DIFFERENCE`.
    """
    found = {}
    for name, network in face_networks().items():
        pixels = face_example(name, 3)
        with torch.inference_mode():
            expected = network(pixels)
        found[name] = max(
            float(np.abs(value - own.numpy()).max()) if value.shape == tuple(own.shape) else np.inf
            for value, own in zip(callables[name](pixels.numpy()), expected, strict=True)
        )
        if not found[name] <= MOST_DIFFERENCE:
            outputs = ", ".join(FACE_OUTPUTS[name])
            raise InputError(f"{name} is refused: {outputs} differ from PyTorch's by up to {found[name]:.2g}")
    return found
