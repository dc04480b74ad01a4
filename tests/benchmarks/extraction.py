"""Face extraction, side by side in one run: the usual loop against ours, on the same clips, frames and cores.

    python tests/benchmarks/extraction.py                       # Mini-FF++ at 1280x720, made in build/benchmark
    python tests/benchmarks/extraction.py data/ffpp --sets 20   # any folder in FaceForensics++'s layout

*The usual loop* is what most code for this task does: facenet-pytorch's MTCNN as it comes, one frame after the other
at full resolution, the largest face of each frame, each clip for itself. Then ours, with one more of its ideas in each
row. Every row runs in a process of its own; times are without imports and without making the data.

A *set* is a real clip and all fakes of it. A face is *lost* where the loop has one in a frame and ours has not.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.datasets.mini import build
from torchfakes_utils.datasets.mini.config import MiniConfig
from torchfakes_utils.faces import workers as scheduling
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIP_KEY, FACE_COLUMNS, read_table, write_table
from torchfakes_utils.io.video import length, read_frames, spread, write_video

from common import alone, command, machine, peak_mib

WIDE = (720, 1280)
CRF = {"c23": 23, "c40": 40}


@dataclass(frozen=True)
class Plan:
    """What is compared: the clips of `root / clips.csv`, at `frames` frames each; results go to `work`."""

    root: Path
    work: Path
    frames: int


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    seconds: float
    clips: int
    faces: int
    peak_mib: float


# --- the data


def wide_mini(folder: Path, sets: int) -> Path:
    """Mini-FF++ as 1280x720 films, both compressions: its square frames scaled up, the wall drawn out to both sides."""
    small = build.build_mini(folder / "mini", MiniConfig(identities=max(6, sets + sets % 2)))
    wide = folder / "wide"
    tasks = [
        (path, wide / path.relative_to(small).parent.parent.with_name(name) / "videos" / path.name, crf)
        for name, crf in CRF.items()
        for path in sorted(small.glob("*_sequences/*/c23/videos/*.mp4"))
    ]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(_widen, [task for task in tasks if not task[1].is_file()]))
    shutil.copytree(small / "splits", wide / "splits", dirs_exist_ok=True)
    return wide


def _widen(task: tuple[Path, Path, int]) -> None:
    source, target, crf = task
    height, width = WIDE
    beside = (width - height) // 2
    frames = (cv2.resize(frame, (height, height), interpolation=cv2.INTER_CUBIC) for frame in read_frames(source)[1])
    wide = (cv2.copyMakeBorder(frame, 0, 0, beside, beside, cv2.BORDER_REPLICATE) for frame in frames)
    write_video(target, wide, crf=crf, preset="veryfast")


def choose(root: Path, work: Path, compression: str, sets: int) -> None:
    """Write `work / clips.csv`: the first sets of `root`, in one compression, with absolute paths."""
    table = work / "clips.csv"
    faceforensics.write_clips(root, work / "all.csv", compressions=[compression])
    clips = read_table(work / "all.csv", CLIP_COLUMNS)
    names = sorted(set(clips.loc[clips["label"] == 0, "clip_id"]))[:sets]
    original = clips["original_id"].where(clips["label"] == 1, clips["clip_id"])
    chosen = clips[original.isin(names)]
    write_table(chosen, table)


# --- the two ways


def usual_loop(plan: Plan) -> pd.DataFrame:
    """Frame by frame at full resolution, the largest face, each clip anew; its rows of `faces.csv`."""
    import torch
    from facenet_pytorch import MTCNN

    mtcnn, rows = MTCNN(keep_all=True, device="cuda" if torch.cuda.is_available() else "cpu"), []
    for clip in read_table(plan.root / "clips.csv", CLIP_COLUMNS).to_dict("records"):
        path = plan.root / clip["path"]
        for index, frame in _captured(path, spread(plan.frames, length(path)).tolist()):
            boxes, probabilities = mtcnn.detect(frame)
            if boxes is None:
                continue
            best = int(np.argmax([(x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in boxes]))
            crop, square = square_crop(frame, boxes[best], 1.3, 160)
            name = plan.work / "crops" / f"{clip['method']}_{clip['compression']}_{clip['clip_id']}_{index:05d}.png"
            name.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(name), crop[:, :, ::-1])
            where = dict(zip(("x1", "y1", "x2", "y2"), square, strict=True))
            rows.append(clip | {"frame": index, "probability": float(probabilities[best])} | where)
    return pd.DataFrame(rows)


def _captured(path: Path, wanted: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    capture = cv2.VideoCapture(str(path))
    for index in range(wanted[-1] + 1):
        if not capture.grab():
            return
        if index in wanted:
            yield index, cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)


def ours(plan: Plan, threads: int, **settings: object) -> pd.DataFrame:
    """`torchfakes extract` with some of its ideas switched off."""
    scheduling.threads_of_one_process = lambda processes=1: threads
    extract_faces(plan.root, plan.work, ExtractionConfig(frames=plan.frames, **settings), progress=False)
    return read_table(plan.work / "faces.csv", FACE_COLUMNS)


def variants(lines: float) -> dict[str, Callable[[Plan], pd.DataFrame]]:
    """The rows of the table, each with one idea more than the one above."""
    full = {"face_pixels": max(20, round(0.15 * lines)), "batch": 1, "reuse": False}
    steps = {
        "no faces under 15 % of the height": full,
        "+ frames scaled to 240 lines": full | {"face_pixels": 36},
        "+ 16 frames at once": {"reuse": False},
        "+ one detection for all fakes": {},
    }
    found: dict[str, Callable[[Plan], pd.DataFrame]] = {"the usual loop": usual_loop}
    found |= {name: partial(ours, threads=1, **settings) for name, settings in steps.items()}
    cores = scheduling.threads_of_one_process()
    if cores > 1:
        found[f"+ {cores} sets at once"] = partial(ours, threads=cores)
    return found


# --- measuring


def measure(name: str, way: Callable[[Plan], pd.DataFrame], plan: Plan) -> tuple[Row, pd.DataFrame]:
    """One row, in a process of its own: nothing is warm, and the peak of memory is its own."""
    shutil.rmtree(plan.work, ignore_errors=True)
    seconds, peak, faces = alone(_timed, way, plan)
    clips = len(read_table(plan.root / "clips.csv", CLIP_COLUMNS))
    return Row(name, round(seconds, 2), clips, len(faces), round(peak, 0)), faces


def _timed(way: Callable[[Plan], pd.DataFrame], plan: Plan) -> tuple[float, float, pd.DataFrame]:
    import facenet_pytorch  # noqa: F401  (its import takes seconds, and is nobody's merit)

    start = time.perf_counter()
    faces = way(plan)
    seconds = time.perf_counter() - start
    return seconds, peak_mib(), faces


def agreement(loop: pd.DataFrame, faces: pd.DataFrame) -> dict[str, float]:
    """How the crops of the same frames lie to each other: intersection over union, and what is missing."""
    key = [*CLIP_KEY, "frame"]
    both = loop.merge(faces, on=key, suffixes=("_loop", ""), how="outer", indicator=True)
    overlap = intersection_over_union(both[both["_merge"] == "both"])
    return {
        "lost": int((both["_merge"] == "left_only").sum()),
        "more": int((both["_merge"] == "right_only").sum()),
        "median_iou": round(float(np.median(overlap)), 3),
        "p5_iou": round(float(np.percentile(overlap, 5)), 3),
    }


def intersection_over_union(rows: pd.DataFrame) -> np.ndarray:
    """Of the squares of both ways, for each row."""
    a, b = (rows[[f"{side}{end}" for side in ("x1", "y1", "x2", "y2")]].to_numpy(float) for end in ("_loop", ""))
    sides = np.clip(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0, None)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(1) for box in (a, b))
    return sides.prod(1) / (area_a + area_b - sides.prod(1))


def compare(root: Path, work: Path, compression: str, arguments: argparse.Namespace) -> list[dict]:
    """All rows for one compression of one folder."""
    choose(root, work, compression, arguments.sets)
    lines = min(read_frames(path, [0])[1].shape[1:3]) if (path := work / _first(work)) else 720
    results, loop = [], None
    for name, way in variants(lines).items():
        row, faces = measure(name, way, Plan(work, work / "result", arguments.frames))
        loop = faces if loop is None else loop
        results.append(asdict(row) | agreement(loop, faces))
        print(_line(results[-1], results[0]), flush=True)
    return results


def _first(work: Path) -> str:
    return read_table(work / "clips.csv", CLIP_COLUMNS)["path"].iloc[0]


# --- at scale


def at_scale(root: Path, work: Path, sizes: Sequence[int], workers: Sequence[int]) -> list[dict]:
    """Clips a second and memory of the whole command for growing sets: copies of the clips of `root / clips.csv`."""
    results = []
    for size in sizes:
        for count in workers if size == max(sizes) else workers[:1]:
            folder = work / f"scale{size}"
            _multiply(root, folder, size)
            shutil.rmtree(folder / "faces", ignore_errors=True)
            seconds, own, workers_peak = alone(_extract_all, folder, count)
            results.append(
                {
                    "clips": size,
                    "workers": count,
                    "seconds": round(seconds, 1),
                    "peak_mib": round(max(own, workers_peak)),
                }
            )
            print(results[-1], flush=True)
    return results


def _multiply(root: Path, folder: Path, size: int) -> None:
    """A data set of `size` clips: the same videos again and again, under other names (links, so they take no room)."""
    clips = read_table(root / "clips.csv", CLIP_COLUMNS).to_dict("records")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows = []
    for number in range(size):
        copy, clip = divmod(number, len(clips))
        clip = clips[clip]
        name = f"{copy}_{clip['method']}_{clip['clip_id']}"
        os.link((root / clip["path"]).resolve(), folder / f"{name}.mp4")
        original = f"{copy}_{clip['original_id']}" if clip["original_id"] else ""
        rows.append(clip | {"path": f"{name}.mp4", "clip_id": f"{copy}_{clip['clip_id']}", "original_id": original})
    write_table(pd.DataFrame(rows), folder / "clips.csv")


def _extract_all(folder: Path, workers: int) -> tuple[float, float, float]:
    """Seconds, and the peaks of this process and of its largest child; imports count, wherever they are made."""
    start = time.perf_counter()
    extract_faces(folder, folder / "faces", ExtractionConfig(), workers, progress=False)
    seconds = time.perf_counter() - start
    return seconds, peak_mib(), peak_mib(resource.RUSAGE_CHILDREN)


# --- showing


def _line(row: dict, first: dict) -> str:
    speed = row["clips"] / row["seconds"]
    times = first["seconds"] / row["seconds"]
    return (
        f"{row['name']:<36}{speed:8.3f} clips/s{row['faces'] / row['seconds']:8.1f} faces/s{times:7.1f}x"
        f"   lost {row['lost']:>3}   more {row['more']:>3}   IoU {row['median_iou']:.3f} (5 %: {row['p5_iou']:.3f})"
        f"{row['peak_mib']:8.0f} MiB"
    )


def report(results: dict[str, list[dict]], scale: list[dict], arguments: argparse.Namespace) -> str:
    """The tables as Markdown."""
    lines = [
        "# Face extraction: the usual loop and ours",
        "",
        f"Measured by `{command('extraction.py', arguments.out)}` on",
        f"{machine()}: {arguments.sets} sets of a real clip and its fakes, {arguments.frames} frames each.",
        "What the rows mean is at the head of that file. IoU is between the crops' squares of the same frame.",
        "",
        "![Times the usual loop, row by row](extraction.svg)",
    ]
    for name, rows in results.items():
        lines += ["", f"## {name}", ""]
        lines += [
            "| | clips/s | faces/s | times the loop | faces lost | more faces | IoU, median | IoU, 5 % | peak MiB |"
        ]
        lines += ["|---|---|---|---|---|---|---|---|---|"]
        for row in rows:
            speed, faces = row["clips"] / row["seconds"], row["faces"] / row["seconds"]
            times = rows[0]["seconds"] / row["seconds"]
            lines.append(
                f"| {row['name']} | {speed:.3f} | {faces:.1f} | {times:.1f} | {row['lost']} | {row['more']} "
                f"| {row['median_iou']:.3f} | {row['p5_iou']:.3f} | {row['peak_mib']:.0f} |"
            )
    if scale:
        lines += [
            "",
            "## At scale",
            "",
            "The same clips again and again, c23; imports count; memory is that of the largest process.",
            "",
        ]
        lines += ["| clips | workers | seconds | clips/s | peak MiB |", "|---|---|---|---|---|"]
        for row in scale:
            speed = row["clips"] / row["seconds"]
            lines.append(f"| {row['clips']} | {row['workers']} | {row['seconds']} | {speed:.2f} | {row['peak_mib']} |")
    return "\n".join(lines) + "\n"


def plot(results: dict[str, list[dict]], path: Path) -> None:
    """Times the usual loop, row by row."""
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 3.4))
    for offset, (name, rows) in enumerate(results.items()):
        times = [rows[0]["seconds"] / row["seconds"] for row in rows]
        places = np.arange(len(rows)) + 0.38 * offset
        ax.barh(places, times, height=0.36, label=name, color=("#0072B2", "#999999", "#009E73")[offset % 3])
        for place, value in zip(places, times, strict=True):
            ax.annotate(f" {value:.1f}×", (value, place), va="center", fontsize=9)
    ax.set_yticks(np.arange(len(rows)) + 0.19 * (len(results) - 1), [row["name"] for row in rows])
    ax.invert_yaxis()
    ax.set(xlabel="clips a second, as multiples of the usual loop")
    ax.spines[["top", "right"]].set_visible(False)
    if len(results) > 1:
        ax.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("root", nargs="?", type=Path, help="a folder in FaceForensics++'s layout (default: Mini-FF++)")
    parser.add_argument("--sets", type=int, default=6, help="real clips, each with its fakes")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--compressions", nargs="+", default=["c23", "c40"])
    parser.add_argument("--scale", nargs="*", type=int, default=[], help="also whole sets of so many clips")
    parser.add_argument("--work", type=Path, default=Path("build/benchmark"), help="for data and crops")
    parser.add_argument("--out", type=Path, help="folder for extraction.md, extraction.svg and extraction.json")
    arguments = parser.parse_args(argv)
    root = arguments.root or wide_mini(arguments.work, arguments.sets)
    results = {}
    print(machine())
    for compression in arguments.compressions:
        name = f"{'Mini-FF++ at 1280×720' if arguments.root is None else root.name}, {compression}"
        print(f"\n{name}", flush=True)
        results[name] = compare(root.resolve(), (arguments.work / compression).resolve(), compression, arguments)
    speeds = [rows[0]["seconds"] / rows[-1]["seconds"] for rows in results.values()]
    print(f"\nours is {statistics.mean(speeds):.1f} times as fast as the usual loop")
    first = (arguments.work / arguments.compressions[0]).resolve()
    scale = at_scale(first, arguments.work.resolve(), arguments.scale, [1, 2])
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "extraction.md").write_text(report(results, scale, arguments), encoding="utf-8")
        (arguments.out / "extraction.json").write_text(
            json.dumps(results | {"scale": scale}, indent=1) + "\n", encoding="utf-8"
        )
        plot(results, arguments.out / "extraction.svg")


if __name__ == "__main__":
    main()
