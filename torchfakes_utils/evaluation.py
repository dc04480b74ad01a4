"""From a trained detector to numbers that can be believed: `scores.csv`, and metrics by frame, by clip and by method.

Everything here is about crops that the detector never saw and that nothing was filtered from. The number to quote is
the one by clip: the frames of a clip are near copies, and a thousand of them are not a thousand measurements.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader
from tqdm import tqdm

from torchfakes_utils.dataset import FaceCrops, load_faces, read_extraction
from torchfakes_utils.detector import Detector, check_preprocessing, load, torch_device
from torchfakes_utils.errors import InputError
from torchfakes_utils.metrics import binary_metrics, bootstrap_interval, by_clip
from torchfakes_utils.tables import SCORE_COLUMNS, atomic_write, write_table

# The metrics that are reported with an interval.
_WITH_INTERVAL = ("auc", "balanced_accuracy")


def evaluate(
    run: Path | str,
    faces_csv: Path | str,
    split: str = "test",
    batch: int = 64,
    device: str = "auto",
    progress: bool = False,
) -> dict:
    """Score a split with a run's best detector; write `scores.csv` and `metrics.json` into the run's folder.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops, cut as those that the detector was trained on.
        split: which rows of it; none of them is left out, however blurred.
        batch: crops at a time.
        device: "auto", "cpu", "cuda", …
        progress: show a bar on a terminal.

    Returns:
        What `metrics.json` holds, from `summarise`.

    Raises:
        InputError: no detector in `run`, no such split, crops gone or cut in another way, or a read-only folder.
    """
    run, faces_csv = Path(run), Path(faces_csv)
    detector = load(run)
    faces = load_faces(faces_csv, split)
    check_preprocessing(detector, read_extraction(faces_csv.parent))
    scores = score(detector, faces, batch, device, progress)
    summary = summarise(scores, split, decision_threshold(detector))
    write_table(scores, run / "scores.csv", SCORE_COLUMNS)
    with atomic_write(run / "metrics.json") as temporary:
        temporary.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return summary


def score(
    detector: Detector, faces: pd.DataFrame, batch: int = 64, device: str = "auto", progress: bool = False
) -> pd.DataFrame:
    """The detector's opinion of every crop.

    Args:
        detector: left on `device`, in the mode (training or not) that it came in.
        faces: from `load_faces`.
        batch: crops at a time; the scores do not depend on it.
        device: "auto", "cpu", "cuda", …
        progress: show a bar on a terminal.

    Returns:
        A row a crop in the order of `faces`, with `SCORE_COLUMNS`.

    Raises:
        InputError: a crop cannot be read.
    """
    target = torch_device(device)
    was_training = detector.training
    detector.to(target).eval()
    # A GPU is done with a batch before one core has decoded the next.
    workers = min(4, os.cpu_count() or 1) if target.type == "cuda" else 0
    loader = DataLoader(FaceCrops(faces, detector.preprocessing.apply), batch_size=batch, num_workers=workers)
    logits = []
    try:
        with torch.inference_mode():
            for images, _ in tqdm(loader, desc="score", unit="batch", disable=None if progress else True):
                logits.append(detector(images.to(target)).cpu().double())  # Apple's GPUs have no float64
    finally:
        detector.train(was_training)
    logit = torch.cat(logits) if logits else torch.empty(0, dtype=torch.float64)
    # In float64, where a confident logit does not turn into exactly 0 or 1 and its loss into infinity.
    scored = faces.assign(logit=logit.numpy(), probability_fake=torch.sigmoid(logit).numpy())
    return scored[SCORE_COLUMNS].reset_index(drop=True)


def summarise(scores: pd.DataFrame, split: str = "test", threshold: float = 0.5, replicates: int = 1000) -> dict:
    """The metrics of one split: by frame, by clip, and for each manipulation.

    Args:
        scores: `scores.csv`, one split or several.
        split: the one to summarise.
        threshold: a score this high or higher is called fake.
        replicates: of the bootstrap behind the intervals.

    Returns:
        {"split", "frame", "clip", "methods"}, ready for JSON. `frame` and `clip` are `binary_metrics`; `clip` also has
        `auc_interval` and `balanced_accuracy_interval`, [low, high] at 95 %. `methods` holds, for each manipulation,
        its clips against *all* real clips: `auc`, `auc_interval`, `recall` (share of its clips called fake), `clips`,
        `frames`. What cannot be computed is None, and `reasons` beside it says why.

    Raises:
        InputError: no scores of that split.
    """
    scores = scores[scores["split"] == split]
    if scores.empty:
        raise InputError(f"no scores of the split {split!r}; run `torchfakes evaluate` with --split {split}")
    clips = by_clip(scores)
    by_frame = binary_metrics(scores["label"], scores["probability_fake"], threshold)
    whole = binary_metrics(clips["label"], clips["probability_fake"], threshold)
    for name in _WITH_INTERVAL:
        whole |= _interval(clips, name, threshold, replicates, whole["reasons"])
    fakes, reals = clips[clips["label"] == 1], clips[clips["label"] == 0]
    methods = {
        name: _method_summary(rows, reals, threshold, replicates) for name, rows in fakes.groupby("method", sort=True)
    }
    return {"split": split, "frame": by_frame, "clip": whole, "methods": methods}


def decision_threshold(detector: Detector) -> float:
    """The score from which this detector calls a crop fake: 0.5, unless another was stored with the weights."""
    return float(detector.extra.get("threshold", 0.5))


def _method_summary(rows: pd.DataFrame, reals: pd.DataFrame, threshold: float, replicates: int) -> dict:
    """One manipulation's clips against all real ones."""
    both = pd.concat([rows, reals], ignore_index=True)
    measured = binary_metrics(both["label"], both["probability_fake"], threshold)
    reasons = {name: reason for name, reason in measured["reasons"].items() if name == "auc"}
    return {
        "auc": measured["auc"],
        **_interval(both, "auc", threshold, replicates, reasons),
        "recall": float(np.mean(rows["probability_fake"] >= threshold)),
        "clips": len(rows),
        "frames": int(rows["frames"].sum()),
        "reasons": reasons,
    }


def _interval(clips: pd.DataFrame, metric: str, threshold: float, replicates: int, reasons: dict) -> dict:
    """{"<metric>_interval": [low, high] or None}; says in `reasons` why there is none."""
    name = f"{metric}_interval"
    interval = bootstrap_interval(clips, metric, replicates, threshold=threshold)
    if interval is None:
        reasons[name] = reasons.get(metric, "a class has fewer than two clips to draw from")
    return {name: None if interval is None else list(interval)}
