"""What the benchmarks share: processes, ways that take turns, peaks of memory, the machine's name, DFDC's crops."""

import hashlib
import json
import os
import platform
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.io.tables import FACE_COLUMNS, write_table

DFDC_COLUMNS = [*FACE_COLUMNS, "original_id"]
_STORED = 224  # pixels, as the crops were published


def alone(work: Callable[..., Any], *words: Any) -> Any:
    """What `work(*words)` gives in a process of its own: nothing is warm, and the peak of memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *words).result()


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int, warm: int = 2) -> dict[str, list[float]]:
    """Milliseconds of every way in every round, after `warm` rounds that do not count.

    All ways go through a round before any goes through the next: what slows the machine for a while slows all alike.
    """
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(warm + rounds):
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            taken[name].append(1000 * (time.perf_counter() - started))
    return {name: milliseconds[warm:] for name, milliseconds in taken.items()}


def write_page(folder: Path, name: str, text: str, results: dict[str, Any]) -> None:
    """Write `name`.md for people and `name`.json, from which it was made, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    (folder / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def wide(frame: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A square frame in the middle of a picture of 1280x720, in front of what is left of another."""
    picture = cv2.GaussianBlur(cv2.resize(ground, (1280, 720)), (0, 0), 20)
    picture[80:640, 360:920] = cv2.resize(frame, (560, 560), interpolation=cv2.INTER_CUBIC)
    return picture


def peak_mib(who: int = resource.RUSAGE_SELF) -> float:
    """The most memory that this process, or the largest of its children, has had."""
    status = Path("/proc/self/status")
    if who == resource.RUSAGE_SELF and status.is_file():
        # Linux counts what the parent had at the start of a child into the child's maximum; not so here.
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB here
    return resource.getrusage(who).ru_maxrss * unit / 2**20


def machine() -> str:
    """What the figures were measured on."""
    import torch

    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":")[1].strip() for line in lines if "model name" in line), name)
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores ({name}), {gpu}, torch {torch.__version__}"


def command(script: str, out: Path | None) -> str:
    """The command that this is, as it goes into a report: without the folder that the report goes to."""
    said = [word for word in sys.argv[1:] if word not in ("--out", str(out))]
    return " ".join([f"python tests/benchmarks/{script}", *(repr(word) if " " in word else word for word in said)])


def dfdc_table(folder: Path, work: Path) -> Path:
    """Crops of the Deepfake Detection Challenge as a `faces.csv`, one clip a crop, split by source video, linked to."""
    labels = pd.read_csv(folder / "labels.csv")
    work.mkdir(parents=True, exist_ok=True)
    for name in {path.split("/")[0] for path in labels["path"]}:
        link = work / name
        if not link.is_symlink():
            link.symlink_to((folder / name).resolve(), target_is_directory=True)
    video = labels["source_video"]
    faces = pd.DataFrame(
        {
            "clip_id": labels["path"].map(lambda path: Path(path).stem),
            "path": labels["path"],
            "label": labels["label"],
            "method": labels["label"].map({0: "original", 1: "DFDC"}),
            "compression": "jpg",
            "target_id": video,
            "source_id": "",
            "original_id": video,
            "split": video.map(_side),
            "frame": 0,
            "landmarks": "",
            "probability": 1.0,
            "sharpness": [_sharpness(folder / path) for path in labels["path"]],
        }
    ).reindex(columns=DFDC_COLUMNS)
    faces[["x1", "y1", "x2", "y2"]] = ""  # how large the faces were in their films is not known
    write_table(faces, work / "faces.csv", DFDC_COLUMNS)
    (work / "extraction.json").write_text(json.dumps({"format": 2, "size": _STORED}), encoding="utf-8")
    return work / "faces.csv"


def _sharpness(path: Path) -> float:
    """That of a crop as it is stored."""
    return variance_of_laplacian(read_crop(path).permute(1, 2, 0).numpy())


def _side(video: str) -> str:
    """The same video is always on the same side, whatever else is there."""
    tenth = int(hashlib.sha256(video.encode()).hexdigest(), 16) % 10
    return "test" if tenth < 2 else "val" if tenth < 3 else "train"
