"""What a detector of films is worth: by clip with intervals, by method, over time, and with the frames out of order."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from torchfakes_utils.errors import InputError
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.machine import memory_kept, torch_device
from torchfakes_utils.io.tables import SEGMENT_COLUMNS, SEGMENTS_FILE, read_table, write_table
from torchfakes_utils.metrics.binary import by_clip
from torchfakes_utils.metrics.intervals import with_intervals
from torchfakes_utils.models.run_files import FILM_REPORT_FILE, WINDOWS_FILE
from torchfakes_utils.temporal.aggregation import WAYS, clip_scores
from torchfakes_utils.temporal.config import FilmEvaluationConfig
from torchfakes_utils.temporal.data import Clips, faces_of, load_clips, open_clips
from torchfakes_utils.temporal.detector import VideoDetector, load_video
from torchfakes_utils.temporal.scoring import WINDOW_COLUMNS, window_scores
from torchfakes_utils.temporal.store import Reading
from torchfakes_utils.temporal.timeline import pointing_table
from torchfakes_utils.temporal.training import MOST_SECONDS

FORMAT = 1


def evaluate_video(
    run: Path | str,
    clips_csv: Path | str,
    config: FilmEvaluationConfig | None = None,
    faces: Path | str | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Measure a run of `train_video`; write `windows.csv` and `film_report.json` into its folder.

    Args:
        run: its folder.
        clips_csv: the table of clips; `segments.csv` beside it, if there, says which seconds of them are forged.
        config: what is measured.
        faces: as for `train_video`.
        progress: show a bar on a terminal.

    Returns:
        What `film_report.json` holds: `clip` and `window`, as `intervals.with_intervals` gives them; `methods`, the
        same by clip for each method; `ways`, the AUC by clip for each way from windows to a clip; `shuffled`, the AUC
        by clip with the frames of every window in random order; `pointing`, how well the map over time points, by
        method; `failures`, why clips could not be used.

    Raises:
        InputError: no such run, nothing in the split, or one class of it lacks.
    """
    config = config or FilmEvaluationConfig()
    run, clips_csv = Path(run), Path(clips_csv)
    detector = load_video(run, torch_device(config.device))
    clips = clips_for(detector, clips_csv, config.split, faces, progress)
    with memory_kept():
        windows = window_scores(detector, clips)
        mixed = window_scores(detector, clips, shuffled=0)
        fine = window_scores(detector, clips, most=None)
    write_table(fine, run / WINDOWS_FILE, WINDOW_COLUMNS)
    segments = clips_csv.parent / SEGMENTS_FILE
    known = read_table(segments, SEGMENT_COLUMNS) if segments.is_file() else pd.DataFrame(columns=SEGMENT_COLUMNS)
    report = measured(windows, mixed, fine, known, detector, config)
    report["failures"] = {"/".join(key): why for key, why in clips.reasons.items()}
    write_record(run / FILM_REPORT_FILE, report)
    return report


def clips_for(
    detector: VideoDetector, clips_csv: Path, split: str, faces: Path | str | None = None, progress: bool = False
) -> Clips:
    """The clips of a split, described for a detector.

    Raises:
        InputError: there are none, or none can be used.
    """
    table = load_clips(clips_csv)
    table = table[table["split"] == split].reset_index(drop=True)
    if table.empty:
        raise InputError(f"{clips_csv}: no clip in split {split!r}")
    known = faces_of(None if faces is None else Path(faces), clips_csv) if detector.view.faces else {}
    reading = Reading(detector.view, detector.described_by, detector.describe, MOST_SECONDS)
    return open_clips(table, clips_csv, known, reading, progress)


def measured(
    windows: pd.DataFrame,
    mixed: pd.DataFrame,
    fine: pd.DataFrame,
    segments: pd.DataFrame,
    detector: VideoDetector,
    config: FilmEvaluationConfig,
) -> dict[str, Any]:
    """The report, from scores of windows: as they are judged, out of order, and all there are.

    Raises:
        InputError: one class lacks.
    """
    if set(windows["label"]) != {0, 1}:
        raise InputError(f"split {config.split!r} has clips of one class alone that can be used; both are needed")
    threshold, how = detector.decision.threshold, config.replicates
    clips = by_clip(windows)
    reals = clips[clips["label"] == 0]
    methods = {str(name): with_intervals(pd.concat([reals, own]), threshold, how)
               for name, own in clips[clips["label"] == 1].groupby("method")}  # fmt: skip
    return {
        "format": FORMAT, "made_by": "torchfakes evaluate-video", "split": config.split,
        "architecture": detector.config.architecture, "scope": detector.decision.scope.line,
        "clip": with_intervals(clips, threshold, how), "window": with_intervals(windows, threshold, how),
        "methods": methods,
        "ways": {way: auc_of(clip_scores(windows, way), how) for way in WAYS},
        "shuffled": auc_of(by_clip(mixed), how),
        "pointing": _pointing(fine, segments),
    }  # fmt: skip


def auc_of(clips: pd.DataFrame, replicates: int = 2000) -> dict[str, Any]:
    """`auc`, `auc_interval` of a row a clip; see `intervals.with_intervals`."""
    found = with_intervals(clips, 0.5, replicates)
    return {name: found[name] for name in ("auc", "auc_interval", "units", "drawn_by")}


def _pointing(fine: pd.DataFrame, segments: pd.DataFrame) -> Mapping[str, dict[str, float]]:
    """By method, of clips of which a part is forged: means of `timeline.Pointing`, and of how many clips."""
    table = pointing_table(fine, segments)
    means = table.assign(hit=table["hit"].astype(float)).groupby("method")[["auc", "hit", "chance", "iou"]]
    counts = table["method"].value_counts()
    return {str(name): {**{key: float(value) for key, value in row.items()}, "clips": int(counts[name])}
            for name, row in means.mean().iterrows()}  # fmt: skip


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report for people, a line each."""

    def told(one: Mapping[str, Any]) -> str:
        auc, interval = one["auc"], one["auc_interval"]
        return (
            "unknown"
            if auc is None
            else f"{auc:.3f}" + (f" ({interval[0]:.3f} to {interval[1]:.3f})" if interval else "")
        )

    clip = report["clip"]
    balanced = clip["balanced_accuracy"]
    found = [
        f"{report['architecture']} on split {report['split']}: {clip['n_real']} real and {clip['n_fake']} fake clips",
        f"  AUC by clip {told(clip)}; balanced accuracy {balanced:.3f}; always “fake” scores "
        f"{clip['always_fake_accuracy']:.3f}",
        f"  AUC by window {told(report['window'])}; by clip with frames in random order {told(report['shuffled'])}",
    ]
    found += [f"  {name}: AUC by clip {told(one)}" for name, one in report["methods"].items()]
    found += [f"  by {way}: AUC by clip {told(one)}" for way, one in report["ways"].items()]
    found += [
        f"  when, in {name} ({one['clips']} clips): a forged place scores above another with {one['auc']:.2f}, the "
        f"highest is forged in {one['hit']:.0%} (by chance {one['chance']:.0%}), overlap {one['iou']:.2f}"
        for name, one in report["pointing"].items()
    ]
    if report.get("failures"):
        found.append(f"  {len(report['failures'])} clips could not be used")
    return found
