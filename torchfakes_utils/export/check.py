"""What an exported file is worth: its answers beside those of the detector that it was made from, and its speed.

Both judge the same test crops of the table that the run was trained on; its validation crops calibrate int8, and fix
the limit of its distances.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import limit_frames, load_faces_for
from torchfakes_utils.errors import InputError
from torchfakes_utils.export.face_networks import FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.graph import CALIBRATION, Network
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.export.parity import MOST_DIFFERENCE, Distances, Parity
from torchfakes_utils.io.files import sha256_of
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import spread
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.metrics.config import FRAMES
from torchfakes_utils.models.decision import DISTANCE, Decision, farthest
from torchfakes_utils.models.detector import Detector

# Crops that are compared: what the detector judges in so many seconds, and so many at least where more were asked for.
# Of noise, where there are no others. And the most of one call.
_SECONDS, _LEAST, _NOISE, _BATCH = 60, 100, 16, 32
# Validation crops by which a limit of distances is fixed, at most.
_MOST_OF_VALIDATION = 1000
# Calls that are timed, of each file and of PyTorch in turn; when so many seconds are over, fewer.
_TIMED, _LEAST_TIMED, _WARM, _TIMING = 40, 5, 4, 60
# Seconds after which something is said again while crops are compared, and those that a call may take.
_SILENCE, _CALL = 30, 10

# Crops (B, 3, S, S) uint8 to logits and distances (B, 2).
Answering = Callable[[torch.Tensor], torch.Tensor]
Say = Callable[[str], object]


@dataclass(frozen=True)
class CheckData:
    """What files are calibrated and checked on.

    Attributes:
        crops: (N, 3, S, S) uint8 of the test split; noise where no table is known.
        faces: their rows of faces.csv; None for noise.
        calibration: (M, 3, S, S) uint8 of the validation split; None where none are needed.
        validation: rows of the validation crops by which a limit of distances is fixed; None where none is.
        validation_crops: these, (V, 3, S, S) uint8.
        notes: what has to be known about them, a line each.
        pace: seconds that the detector takes for a crop, in PyTorch.
    """

    crops: np.ndarray
    faces: pd.DataFrame | None = None
    calibration: np.ndarray | None = None
    validation: pd.DataFrame | None = None
    validation_crops: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    pace: float = 0.0


def pace_of(detector: Detector) -> float:
    """Seconds that a detector takes for a crop on the CPU: what can be asked of it depends on that.

    The least of a few calls: on a busy machine a single one may take fifty times as long.
    """
    network, crops = _eager(detector), torch.from_numpy(_noise(detector, 1))
    network(crops)  # the first time, memory is fetched
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        network(crops)
        taken.append(time.perf_counter() - start)
    return min(taken)


def read_data(
    detector: Detector, faces_csv: Path, sha256: str | None = None, calibrate: bool = True, asked: int = 3000
) -> CheckData:
    """Test crops to compare on, and validation crops to calibrate on.

    Args:
        detector: of which the preprocessing counts.
        faces_csv: the table; crops of the splits "val" and "test" are taken from it.
        sha256: of the table that the run was trained on, where it is known.
        calibrate: validation crops are needed, too.
        asked: crops to compare on, at most.

    Raises:
        InputError: no table, an empty split, crops that cannot be read, or ones cut in another way; or, where 8 bits
            have to be judged, test crops of one class.
    """
    test = load_faces_for(detector, faces_csv, "test")
    if calibrate and test["label"].nunique() < 2:
        only = "fake" if test["label"].iloc[0] == 1 else "real"
        raise InputError(
            f"{faces_csv}: split 'test' holds {only} crops alone, and whether 8 bits cost AUC takes both classes; give "
            "--faces another table, or export --precision fp32"
        )
    notes, pace = [], pace_of(detector)
    if sha256 is not None and sha256_of(faces_csv) != sha256:
        notes = [f"{faces_csv.name}: not the table that this run was trained on; its test crops may be training crops"]
    there, most = len(test), _affordable(pace, asked)
    test = _spread(test, most)
    if len(test) < there and most < asked:
        notes.append(f"compared on {len(test)} of {there} test crops: the detector takes {pace:.1f} s for each")
    crops, test = _read(test, detector)
    data = CheckData(crops, test, notes=tuple(notes), pace=pace)
    if not calibrate:
        return data
    return _with_validation(data, detector, load_faces_for(detector, faces_csv, "val"), min(asked, _MOST_OF_VALIDATION))


def _affordable(pace: float, most: int) -> int:
    """Crops that can be compared in the time that there is."""
    return min(most, max(_LEAST, int(_SECONDS / pace)))


def _spread(faces: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most so many rows, spread over the clips and in them."""
    faces = limit_frames(faces, max(1, most // len(faces.drop_duplicates(CLIP_KEY))))
    return faces.iloc[spread(most, len(faces))]  # where there are more clips than that


def _with_validation(data: CheckData, detector: Detector, validation: pd.DataFrame, asked: int) -> CheckData:
    """The same with crops to calibrate on, and with those that fix a limit of distances, where there is one."""
    calibration, _ = _read(validation.iloc[spread(CALIBRATION, len(validation))], detector)
    data = replace(data, calibration=calibration)
    if not has_limit(detector):
        return data
    most = _affordable(data.pace, asked)
    crops, rows = _read(_spread(limit_frames(validation, FRAMES), most), detector)
    return replace(data, validation=rows, validation_crops=crops)


def has_limit(detector: Detector) -> bool:
    """Whether a detector refuses crops for their distance."""
    return detector.likeness is not None and DISTANCE in detector.decision.ranges


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
    answers = _answers("detector", everyone["detector"], data.crops, data.pace, say)
    clips = 0 if data.faces is None else len(data.faces.drop_duplicates(CLIP_KEY))
    own, found = _auc(detector, data.faces, answers[:, 0]), []
    for precision, (path, network) in networks.items():
        theirs = _answers(precision, network, data.crops, data.pace, say)
        difference = np.abs(theirs[:, 0] - answers[:, 0])
        auc = _auc(detector, data.faces, theirs[:, 0])
        found.append(Parity(
            file=path.name, precision=precision, megabytes=path.stat().st_size / 1e6, crops=len(answers), clips=clips,
            max_logit_difference=float(difference.max()), mean_logit_difference=float(difference.mean()),
            auc=auc, auc_detector=own, points={level: _points(auc[level], own[level]) for level in auc},
            agreement=_agreement(detector.decision, theirs[:, 0], answers[:, 0]), milliseconds=times[precision],
            milliseconds_detector=times["detector"], speedup=times["detector"] / times[precision],
            distances=_distances(detector, network, theirs[:, 1], answers[:, 1]),
        ))  # fmt: skip
    return found


def own_limit(detector: Detector, network: Answering, data: CheckData, say: Say = lambda line: None) -> float | None:
    """The limit of distances for a file, fixed by its own ones of validation crops as the detector's was.

    The detector's limit times the ratio of two: those that the file's distances and the detector's would give on the
    crops that are here, which may be fewer than it was fixed on, or others.

    Args:
        detector: with its limit.
        network: of the file.
        data: with the validation crops.
        say: told how far it is.

    Returns:
        None where the detector has no limit, or none follows from these crops.
    """
    if data.validation is None or data.validation_crops is None:
        return None
    limits = []
    for name, one in (("detector", _eager(detector)), ("8 bits", network)):
        distances = _answers(f"{name}, validation", one, data.validation_crops, data.pace, say)[:, 1]
        ends = farthest(data.validation.assign(**{DISTANCE: np.nan_to_num(distances, nan=np.inf)}))
        if ends is None or not np.isfinite(ends[1]):
            return None
        limits.append(ends[1])
    return _limit_of(detector.decision.ranges) * limits[1] / limits[0]


def _limit_of(ranges: Mapping[str, Sequence[float | None]]) -> float:
    """Up to which distance a crop is taken; infinite where all are."""
    limit = ranges.get(DISTANCE, (None, None))[1]
    return np.inf if limit is None else limit


def _distances(detector: Detector, network: Network, theirs: np.ndarray, own: np.ndarray) -> Distances | None:
    """Distances of a file beside the detector's."""
    if detector.likeness is None:
        return None
    limit, limit_detector = _limit_of(network.description["decision"]["ranges"]), _limit_of(detector.decision.ranges)
    refused, refused_detector = theirs > limit, own > limit_detector
    return Distances(
        largest_difference=float(np.abs(theirs / own - 1).max()), refused=float(refused.mean()),
        refused_detector=float(refused_detector.mean()), turned=float((refused != refused_detector).mean()),
        limit=limit if np.isfinite(limit) else None,
        limit_detector=limit_detector if np.isfinite(limit_detector) else None,
    )  # fmt: skip


def _agreement(decision: Decision, theirs: np.ndarray, own: np.ndarray) -> float | None:
    """Share of logits that get the same of three answers; None where there are none to be had."""
    if decision.silence:
        return None
    band = decision.band(1)
    answers = (band.answers(decision.probability(logits)) for logits in (theirs, own))
    return float(np.mean(np.equal(*(np.nan_to_num(one, nan=0.5) for one in answers))))


def _eager(detector: Detector) -> Answering:
    """The detector as a network of crops (B, 3, S, S) uint8 on the CPU."""

    def judge(crops: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return detector.answers(detector.preprocessing.normalise(crops))

    detector.cpu().eval()
    return judge


def _answers(name: str, network: Answering, crops: np.ndarray, pace: float, say: Say) -> np.ndarray:
    """Those of all crops, (N, 2) float64; now and then it is said how far that is."""
    batch = max(1, min(_BATCH, int(_CALL / max(pace, 1e-9))))
    found, done, said = [], 0, time.monotonic()
    for part in torch.split(torch.from_numpy(crops), batch):
        found.append(network(part).double().numpy())
        done += len(part)
        if time.monotonic() - said > _SILENCE and done < len(crops):
            say(f"{name}: {done} of {len(crops)} crops")
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


def latencies(networks: Mapping[str, Answering], crops: np.ndarray) -> dict[str, float]:
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
