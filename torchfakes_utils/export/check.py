"""What an exported file is worth: its answers beside those of the detector that it was made from, and its speed.

Both judge the same test crops.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.errors import InputError
from torchfakes_utils.export.data import CheckData
from torchfakes_utils.export.face_networks import FACE_OUTPUTS, face_example, face_networks
from torchfakes_utils.export.mtcnn_numpy import FaceCallable
from torchfakes_utils.export.parity import MOST_DIFFERENCE, Parity
from torchfakes_utils.io.machine import thread_limit
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import Detector

# Calls that are timed, of each file and of PyTorch in turn.
_TIMED, _WARM = 40, 4
_BATCH = 32

Network = Callable[[torch.Tensor], torch.Tensor]


def eager_logits(detector: Detector, crops: np.ndarray) -> np.ndarray:
    """What the detector itself says, (N,) float32."""
    network = eager(detector)
    return np.concatenate([network(part).numpy() for part in torch.split(torch.from_numpy(crops), _BATCH)])


def eager(detector: Detector) -> Network:
    """The detector as a network of crops (B, 3, S, S) uint8 on the CPU."""

    def judge(crops: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = detector(detector.preprocessing.normalise(crops))
            return logits.float()

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
    logits = eager_logits(detector, data.crops)
    found = []
    for precision, (path, network) in networks.items():
        theirs = np.concatenate([network(part).numpy() for part in torch.split(torch.from_numpy(data.crops), _BATCH)])
        difference = np.abs(theirs.astype(np.float64) - logits)
        verdicts = [detector.decision.probability(values) >= detector.decision.threshold for values in (theirs, logits)]
        auc, own = (_auc(detector, data.faces, values) for values in (theirs, logits))
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
                points={level: _points(auc[level], own[level]) for level in auc},
                agreement=float(np.mean(verdicts[0] == verdicts[1])),
                milliseconds=times[precision],
                milliseconds_detector=times["detector"],
                speedup=times["detector"] / times[precision],
            )
        )
    return found


def _points(auc: float | None, own: float | None) -> float | None:
    """By how much an AUC differs from the detector's own, in hundredths."""
    return None if auc is None or own is None else 100 * (auc - own)


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


def compare_faces(callables: Mapping[str, FaceCallable]) -> dict[str, float]:
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
