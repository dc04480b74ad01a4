"""From a crop to a score and from a file to a verdict, by every way there is to compute it, side by side in one run.

PyTorch as it is (eager) and compiled, ONNX Runtime and ExecuTorch, in 32 and in 8 bits. Latencies are medians over
rounds in which all ways take turns; memory is the peak of a process of its own that judges one photo and one clip;
AUC is that of the test split. The clip is ten seconds of 1280x720 made of Mini-FF++'s frames.

    python tests/benchmarks/inference.py --out docs/benchmarks
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from torchfakes_utils.crops.table import load_faces, read_crop
from torchfakes_utils.export.config import ExportConfig
from torchfakes_utils.export.export import export_run
from torchfakes_utils.export.runtimes import load_face_detector, load_network
from torchfakes_utils.faces.search import CLOSE_UP, FAR_AWAY, FARTHER
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.metrics.binary import binary_metrics, by_clip
from torchfakes_utils.models.detector import load_detector
from torchfakes_utils.models.judge import Judge

from common import alone, command, in_turns, machine, peak_mib, wide, write_page

# By name: the file below the exports' folder, and whether the face networks are exports, too.
EXPORTS = {
    "ONNX Runtime, fp32": ("onnx/detector.fp32.onnx", True),
    "ONNX Runtime, int8": ("onnx/detector.int8.onnx", True),
    "ExecuTorch, fp32": ("executorch/detector.fp32.pte", False),
    "ExecuTorch, int8": ("executorch/detector.int8.pte", False),
}
EAGER, COMPILED = "PyTorch, eager", "PyTorch, compiled"
BATCH = 16

Network = Callable[[torch.Tensor], torch.Tensor]


def network(name: str, run: Path) -> Network:
    """What turns crops (B, 3, S, S) uint8 into logits and distances (B, 2)."""
    if name in EXPORTS:
        return load_network(run / "export" / EXPORTS[name][0])
    detector = load_detector(run)
    judge = Judge(detector.ends, detector.likeness)
    work = torch.compile(judge) if name == COMPILED else detector.answers

    def answers(crops: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return work(detector.preprocessing.apply(crops))

    return answers


def predictor(name: str, run: Path) -> Predictor:
    """The same from files to verdicts; with ONNX Runtime the faces are found by it, too."""
    made = Predictor(load_detector(run), "cpu", network=network(name, run))
    if name in EXPORTS and EXPORTS[name][1]:
        made.face_detectors = [
            load_face_detector(run / "export/onnx", config) for config in (CLOSE_UP, FAR_AWAY, FARTHER)
        ]
    return made


def material(data: Path, work: Path) -> tuple[Path, Path]:
    """A photo of 1280x720 with one face, and ten seconds of it as a video."""
    work.mkdir(parents=True, exist_ok=True)
    source = sorted(data.glob("original_sequences/youtube/c23/videos/*.mp4"))[0]
    _, frames = read_frames(source)
    there_and_back = [*frames, *frames[::-1]]
    pictures = (wide(there_and_back[i % len(there_and_back)], frames[0]) for i in range(250))
    clip = write_video(work / "clip.mp4", pictures, fps=25)
    cv2.imwrite(str(work / "photo.jpg"), wide(frames[0], frames[0])[:, :, ::-1])
    return work / "photo.jpg", clip


def auc(logits: np.ndarray, faces: Any) -> dict[str, float]:
    """By crop and by clip."""
    scored = faces.assign(logit=logits, probability_fake=1 / (1 + np.exp(-logits.astype(np.float64))))
    clips = by_clip(scored)
    return {
        "crop": binary_metrics(scored["label"], scored["probability_fake"])["auc"],
        "clip": binary_metrics(clips["label"], clips["probability_fake"])["auc"],
    }


def one_process(name: str, run: Path, photo: Path, clip: Path) -> dict[str, float]:
    """Peak memory of a process that judges a photo and a clip, and how long it takes until the first verdict."""
    started = time.perf_counter()
    judge = predictor(name, run)
    judge.predict(photo)
    first = time.perf_counter() - started
    judge.predict(clip)
    return {"peak_mib": peak_mib(), "first_verdict_s": first}


def measure(run: Path, faces_csv: Path, files: tuple[Path, Path], rounds: int) -> list[dict[str, Any]]:
    """A row a way; eager PyTorch first."""
    names = [EAGER, COMPILED, *(name for name, (file, _) in EXPORTS.items() if (run / "export" / file).is_file())]
    faces = load_faces(faces_csv, "test")
    crops = torch.stack([read_crop(file) for file in faces["file"]])
    rows = {name: {"way": name} for name in names}
    photo, clip = files
    for name in names:
        rows[name] |= alone(one_process, name, run, photo, clip)
        print(rows[name], flush=True)
    networks = {name: network(name, run) for name in names}
    for name, work in networks.items():
        logits = torch.cat([work(chunk) for chunk in crops.split(BATCH)]).numpy()[:, 0]
        found = auc(logits, faces)
        rows[name] |= {"auc_crop": found["crop"], "auc_clip": found["clip"]}
    many = crops[:BATCH]
    single = in_turns({name: lambda work=work: work(crops[:1]) for name, work in networks.items()}, rounds)
    batched = in_turns({name: lambda work=work: work(many) for name, work in networks.items()}, max(3, rounds // 3))
    del networks
    judges = {name: predictor(name, run) for name in names}
    of_photo = in_turns({name: lambda one=one: one.predict(photo) for name, one in judges.items()}, rounds)
    of_clip = in_turns({name: lambda one=one: one.predict(clip) for name, one in judges.items()}, max(3, rounds // 5))
    for name in names:
        rows[name] |= {
            "crop_ms": statistics.median(single[name]),
            "crop_p95_ms": float(np.quantile(single[name], 0.95)),
            # The median of the ratios within rounds: what slows the machine for a while slows both.
            "times_eager": statistics.median(np.divide(single[EAGER], single[name])),
            "crops_per_s": 1000 * BATCH / statistics.median(batched[name]),
            "photo_ms": statistics.median(of_photo[name]),
            "clip_s": statistics.median(of_clip[name]) / 1000,
        }
    return list(rows.values())


def report(rows: list[dict[str, Any]], results: dict[str, Any], called: str) -> str:
    """The table as a page."""
    lines = [
        "# Inference", "",
        f"On {results['machine']}. `{called}`", "",
        "InceptionResnetV1 at 160 px, trained on Mini-FF++; times are medians of rounds in which all ways took turns. "
        f"`crop` is one crop to its score, `many` a batch of {BATCH}; `photo` a file of 1280x720 to its verdict; "
        "`clip` ten seconds of 1280x720, 16 frames of which are looked at. In the rows of ONNX Runtime it finds the "
        "faces, too; elsewhere PyTorch does. Memory is the peak of a process that loads all and judges the photo and "
        "the clip; PyTorch itself is in each of them. AUC is that of the test split.", "",
        "| way | crop, ms (95 %) | times eager | many, crops/s | photo, ms | clip, s | first verdict, s | peak, MiB "
        "| AUC by crop | by clip |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for row in rows:
        lines.append(
            f"| {row['way']} | {row['crop_ms']:.1f} ({row['crop_p95_ms']:.1f}) | {row['times_eager']:.2f} "
            f"| {row['crops_per_s']:.0f} | {row['photo_ms']:.0f} | {row['clip_s']:.2f} | {row['first_verdict_s']:.1f} "
            f"| {row['peak_mib']:.0f} | {row['auc_crop']:.4f} | {row['auc_clip']:.4f} |"
        )
    return "\n".join([*lines, "", "![Time for one crop, way by way](inference.svg)"]) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Milliseconds a crop, way by way."""
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 0.9))
    ax.barh(range(len(rows)), [row["crop_ms"] for row in rows], height=0.6, color="#0072B2")
    for place, row in enumerate(rows):
        text = f" {row['crop_ms']:.1f} ms, {row['times_eager']:.1f}× eager, AUC by crop {row['auc_crop']:.3f}"
        ax.annotate(text, (row["crop_ms"], place), va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), [row["way"] for row in rows])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds for one crop", xlim=(0, 1.7 * max(row["crop_ms"] for row in rows)))
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, help="a run with its exports (default: the course's)")
    parser.add_argument("faces", nargs="?", type=Path, help="its faces.csv")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/inference"), help="for the photo and clip")
    parser.add_argument("--out", type=Path, help="folder for inference.md, inference.svg and inference.json")
    arguments = parser.parse_args(argv)
    from torchfakes_utils import course

    run, faces_csv = arguments.run or course.ensure("run"), arguments.faces or course.ensure("faces")
    for form in ("onnx", "executorch"):
        if not (run / "export" / form).is_dir():
            export_run(run, ExportConfig(form, faces=faces_csv)).raise_for_refused()
    files = material(course.ensure("mini"), arguments.work)
    results: dict[str, Any] = {"machine": machine()}
    results["ways"] = measure(run, faces_csv, files, arguments.rounds)
    text = report(results["ways"], results, command("inference.py", arguments.out))
    print(text)
    if arguments.out:
        write_page(arguments.out, "inference", text, results)
        plot(results["ways"], arguments.out / "inference.svg")


if __name__ == "__main__":
    main()
