"""Whole films: frames by themselves, heads over time, networks of frames; on fakes of space and on fakes of time.

    python tests/benchmarks/temporal.py --home build/films --seeds 3 --out docs/benchmarks

Mini-FF++ and its temporal family are made in `--home`, where everything is kept: the same command again goes on. All
ways have the same clips and the same split. Intervals are of the mean over the seeds, from drawing people.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.datasets.layouts import index_clips
from torchfakes_utils.datasets.mini.build import build_mini
from torchfakes_utils.datasets.mini.temporal import build_temporal
from torchfakes_utils.evaluation.config import Scoring
from torchfakes_utils.evaluation.scoring import score
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.inference.films import FilmPredictor
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.machine import set_threads
from torchfakes_utils.io.tables import SCORED_COLUMNS, SEGMENT_COLUMNS, SEGMENTS_FILE, read_table, write_table
from torchfakes_utils.metrics.intervals import over_runs
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.temporal.aggregation import WAYS, clip_scores
from torchfakes_utils.temporal.config import VideoConfig
from torchfakes_utils.temporal.detector import VideoDetector, VideoDetectorConfig, load_video
from torchfakes_utils.temporal.evaluation import clips_for
from torchfakes_utils.temporal.scoring import WINDOW_COLUMNS, window_scores
from torchfakes_utils.temporal.store import Described
from torchfakes_utils.temporal.timeline import pointing_table
from torchfakes_utils.temporal.training import train_video
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.run import train

from common import command, in_turns, machine, write_page

# The detector of frames: a network that knows pictures, for so few people.
FRAMES = {
    "architecture": "EfficientNet-Lite0", "pretrained": "imagenet", "image_size": 112, "epochs": 4,
    "crops_per_epoch": 640, "augmentation": "mirror", "mixed_precision": "off",
}  # fmt: skip
# The small network of differences; on a GPU more passes would do it good.
DIFFERENCES = {"architecture": "diff3d", "epochs": 10, "windows_per_clip": 6, "batch_size": 16}
SETS = {"space": ("mini", None), "time": ("mini-temporal", ("Temporal",))}
_REPLICATES = 2000


def prepared(home: Path, name: str) -> Path:
    """The table of clips of a data set, with its faces beside it."""
    root = home / "data" / name
    if name == "mini":
        build_mini(root, progress=False)
    else:
        build_temporal(root, progress=False)
    clips = index_clips(root, root / "c23.csv", compressions=("c23",))
    index_clips(root)
    if not (root / "faces" / "faces.csv").is_file():
        extract_faces(root, root / "faces", ExtractionConfig(frames=12), progress=False)
    return clips


def of_frames(clips: Path, run: Path, seed: int, methods: tuple[str, ...] | None) -> pd.DataFrame:
    """Test scores of a detector of frames, trained on the same people."""
    kept = run / "test_scores.csv"
    if kept.is_file():
        return read_table(kept, SCORED_COLUMNS)
    faces_csv = clips.parent / "faces" / "faces.csv"
    config: dict[str, Any] = FRAMES | {"seed": seed, "methods": methods}
    train(faces_csv, run, TrainingConfig(**config), progress=False)
    faces = load_faces(faces_csv)
    found = score(load_detector(run), faces[faces["split"] == "test"], Scoring(device="cpu"))
    write_table(found, kept)
    return found


def of_windows(clips: Path, run: Path, config: VideoConfig) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Test scores of windows of a detector of films: as they are, out of order, and all that there are."""
    kept = {run / f"test_{name}.csv": how for name, how in
            (("windows", {}), ("shuffled", {"shuffled": 0}), ("all", {"most": None}))}  # fmt: skip
    if not all(path.is_file() for path in kept):
        train_video(clips, run, config, progress=False)
        detector = load_video(run)
        found = clips_for(detector, clips, "test")
        for path, how in kept.items():
            write_table(window_scores(detector, found, **how), path)
    whole, mixed, fine = (read_table(path, WINDOW_COLUMNS) for path in kept)
    return whole, mixed, fine


def only(scores: pd.DataFrame, methods: Sequence[str] | None) -> pd.DataFrame:
    """Reals, and the fakes of some methods."""
    return scores if methods is None else scores[(scores["label"] == 0) | scores["method"].isin(methods)]


def auc(runs: Sequence[pd.DataFrame], methods: Sequence[str] | None, way: str = "mean") -> dict[str, Any]:
    """The AUC by clip: its mean over runs, each run's, and the interval of the mean."""
    clips = [clip_scores(only(one, methods), way) for one in runs]
    return over_runs(clips, [0.5] * len(clips), _REPLICATES)["auc"]


def measured(home: Path, seeds: int, ways: Sequence[str], sets: Sequence[str] = tuple(SETS)) -> dict[str, Any]:
    """All rows of the table, as far as they are asked for."""
    rows: list[dict[str, Any]] = []
    pointing: dict[str, Any] = {}
    for fakes in sets:
        name, methods = SETS[fakes]
        clips = prepared(home, name)
        part = [] if fakes == "space" else [("partial fakes", ("TemporalPart",))]
        kinds = [(f"fakes of {fakes}", methods), *part]
        for way in ways:
            runs = home / "runs"
            if way == "frames":
                scores = [of_frames(clips, runs / f"{name}-frames-{seed}", seed, methods) for seed in range(seeds)]
                rows += [{"fakes": kind, "way": f"frames, {how}", **auc(scores, some, how)}
                         for kind, some in kinds for how in WAYS]  # fmt: skip
                continue
            settings = DIFFERENCES if way == "diff3d" else {"architecture": way}
            configs = [VideoConfig(**settings, seed=seed, methods=methods) for seed in range(seeds)]
            found = [of_windows(clips, runs / f"{name}-{way}-{config.seed}", config) for config in configs]
            whole, mixed, fine = zip(*found, strict=True)
            rows += [{"fakes": kind, "way": way if how == "mean" else f"{way}, {how}", **auc(whole, some, how)}
                     for kind, some in kinds for how in (WAYS if kind == "partial fakes" else ["mean"])]  # fmt: skip
            rows.append({"fakes": kinds[0][0], "way": f"{way}, frames in random order", **auc(mixed, methods)})
            if fakes == "time":
                segments = read_table(clips.parent / SEGMENTS_FILE, SEGMENT_COLUMNS)
                tables = [pointing_table(one, segments)[["auc", "hit", "chance", "iou"]].mean() for one in fine]
                pointing[way] = {key: [float(one[key]) for one in tables] for key in tables[0].index}
    return {"rows": rows, "pointing": pointing}


def speed(home: Path) -> dict[str, Any]:
    """How many frames a second networks judge, and what the head adds to `predict`; on two threads."""
    set_threads(2)
    found: dict[str, Any] = {}
    for name in ("diff3d", "r2plus1d_18"):
        view = VideoConfig(name).view
        detector = VideoDetector(VideoDetectorConfig(name, view, 0)).eval()
        pictures = np.random.default_rng(0).integers(0, 255, (4 * view.ticks, view.size, view.size, 3)).astype(np.uint8)
        clip = Described(np.arange(len(pictures)) / view.rate, np.zeros(len(pictures), int), pictures)
        starts = np.arange(4) * view.ticks
        taken = in_turns({name: lambda d=detector, c=clip, s=starts: d.answers(c, s)}, 5, 1)[name]
        found[name] = {"frames a second": 1000 * len(pictures) / float(np.median(taken))}
    film = home / "data" / "mini-temporal" / "original_sequences/youtube/c23/videos/000.mp4"
    run = home / "runs" / "mini-temporal-gru-0"
    films, frames = (
        FilmPredictor.from_run(run, "cpu"),
        Predictor.from_run(home / "runs" / "mini-temporal-frames-0", "cpu"),
    )
    head, spent = films.detector.network, []
    forward: Callable[..., torch.Tensor] = head.forward

    def timed(given: torch.Tensor) -> torch.Tensor:
        started = time.perf_counter()
        answer = forward(given)
        spent.append(1000 * (time.perf_counter() - started))
        return answer

    head.forward = timed  # type: ignore[method-assign]
    taken = in_turns({"films": lambda: films.predict(film), "frames": lambda: frames.predict(film)}, 5, 1)
    windows = len(films.predict(film).windows)
    each = float(np.median(spent))
    found["predict"] = {
        "by the detector of films, ms": float(np.median(taken["films"])),
        "by the detector of frames, ms": float(np.median(taken["frames"])),
        "windows": windows, "head, ms": each * windows,
        "share of the head": each * windows / float(np.median(taken["films"])),
    }  # fmt: skip
    return found


def page(results: dict[str, Any]) -> str:
    """The tables, for people."""

    def told(row: dict[str, Any]) -> str:
        values, interval = ", ".join(f"{value:.2f}" for value in row["values"]), row["interval"]
        ends = "" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"
        return f"{row['mean']:.2f} | {ends} | {values}"

    about = (
        f"On {results['machine']}. AUC by clip on the test split, mean over seeds, 95 % interval of that mean from "
        "drawing people, and each seed."
    )
    head = ["| fakes | way | AUC | interval | seeds |", "|---|---|---|---|---|"]
    commands = [f"    {line}" for line in results["commands"]]
    lines = ["# Whole films: frames, heads over time, networks of frames", "", *commands, "", about, "", *head]
    lines += [f"| {row['fakes']} | {row['way']} | {told(row)} |" for row in results["rows"]]
    if results["pointing"]:
        lines += ["", "Where in a partial fake (2 s of some 10) it shows, means over clips, a value a seed: how often "
                  "a forged half second scores above another, how often the highest is a forged one and would be by "
                  "chance, and the overlap of the highest run with what is forged.", "",
                  "| way | AUC of places | highest is forged | by chance | overlap |",
                  "|---|---|---|---|---|"]  # fmt: skip
        for way, one in results["pointing"].items():
            cells = [", ".join(f"{value:.2f}" for value in one[key]) for key in ("auc", "hit", "chance", "iou")]
            lines.append(f"| {way} | {' | '.join(cells)} |")
    if results.get("speed"):
        quick, both = results["speed"], results["speed"]["predict"]
        lines += ["", "Speed, on two threads, medians of five: " + "; ".join(
            f"{name} judges {quick[name]['frames a second']:.0f} frames a second" for name in ("diff3d", "r2plus1d_18")
        ) + f". `predict` of a film of ten seconds by the head takes {both['by the detector of films, ms']:.0f} ms, of "
            f"which the head itself {both['head, ms']:.0f} ms ({both['share of the head']:.1%}); by a detector of "
            f"frames {both['by the detector of frames, ms']:.0f} ms. {results['note']}".rstrip()]  # fmt: skip
    return "\n".join(lines) + "\n"


def joined(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """Two results: what was measured again is taken from the second."""
    new = {(row["fakes"], row["way"]) for row in now["rows"]}
    rows = [row for row in before["rows"] if (row["fakes"], row["way"]) not in new] + now["rows"]
    return now | {
        "rows": sorted(rows, key=lambda row: row["fakes"]),
        "pointing": before["pointing"] | now["pointing"],
        "speed": now["speed"] or before["speed"],
        "note": now["note"] or before.get("note", ""),
        "commands": list(dict.fromkeys([*before["commands"], *now["commands"]])),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--home", type=Path, default=Path("build/films"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=["frames", "gru", "attention", "correlation", "diff3d"])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS, help="of which fakes")
    parser.add_argument("--no-speed", action="store_true")
    parser.add_argument("--append", action="store_true", help="keep the rows of before that are not measured anew")
    parser.add_argument(
        "--note", default="", help="what has to be known of the times, such as that others were at work"
    )
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    results = measured(chosen.home, chosen.seeds, chosen.ways, chosen.sets)
    results["speed"] = None if chosen.no_speed else speed(chosen.home)
    results |= {
        "note": chosen.note,
        "commands": [command("temporal.py", chosen.out).replace(str(chosen.home), "build/films")],
        "machine": machine(),
    }
    if chosen.append and (before := chosen.out / "temporal.json").is_file():
        results = joined(json.loads(before.read_text(encoding="utf-8")), results)
    text = page(results)
    print(text)
    if chosen.out:
        write_page(chosen.out, "temporal", text, results)


if __name__ == "__main__":
    main()
