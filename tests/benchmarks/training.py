"""Training, side by side in one run: the usual loop against ours, on the same crops, steps and cores.

    python tests/benchmarks/training.py                     # Mini-FF++'s crops, made if need be
    python tests/benchmarks/training.py faces/faces.csv     # any table that `torchfakes extract` wrote

*The usual loop* is what most code for this task does: torchvision's ImageFolder, the first project's augmentation with
PIL, a DataLoader with two workers, float32, the default memory layout, `loss.item()` after every step. Then ours, with
one more of its ideas in each row. Every figure comes from a process of its own; several rounds, one way after the
other, and the median of their ratios, for this machine may be busy with other things. Times are without imports and
without what is done once (our cache, whose making is listed). On a GPU the same, and besides images a second for each
precision and layout, and the peak of memory by batch size.
"""

import argparse
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import torch
from torch.nn import functional as F

from torchfakes_utils.crops.store import open_store
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.io.tables import FACE_COLUMNS, write_table
from torchfakes_utils.models.detector import Detector, DetectorConfig
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.data import Batch, load_crops
from torchfakes_utils.training.trainer import Trainer

from common import alone, command, machine, peak_mib, write_page

BATCH, SIZE = 16, 160
CUDA = torch.cuda.is_available()
GIB = 2**30

ABOUT = """\
InceptionResnetV1, {size} px, batches of {batch}. *The usual loop* is torchvision's ImageFolder with PIL transforms, a
DataLoader with two workers, float32 and the default memory layout; each row below it has one more of the package's
ideas. *Times the loop* is the median of the rounds' ratios. Where the whole loop takes no longer than the steps alone,
noise makes small negative costs.
"""


def config(crops: int, **more: Any) -> TrainingConfig:
    """Our settings for a comparison of speed: what is learned does not matter."""
    usual = {"crops_per_epoch": crops, "batch_size": BATCH, "epochs": 100, "pretrained": None, "image_size": SIZE,
             "min_sharpness": 0.0, "augmentation": "first-project"}  # fmt: skip
    return TrainingConfig(**usual | more)


# --- an epoch, in either way


def usual_loop(faces_csv: Path, work: Path, crops: int) -> float:
    """Seconds of an epoch over `crops` crops of an ImageFolder, the second epoch of a run."""
    from facenet_pytorch import InceptionResnetV1
    from torch.utils.data import DataLoader, RandomSampler
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    folder = _image_folder(faces_csv, work / "image_folder")
    steps = [
        transforms.Resize((SIZE, SIZE)), transforms.RandomHorizontalFlip(), transforms.RandomRotation(10),
        transforms.ColorJitter(0.1, 0.1, 0.1, 0.02), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3),
    ]  # fmt: skip
    data = ImageFolder(folder, transforms.Compose(steps))
    sampler = RandomSampler(data, num_samples=crops)
    loader = DataLoader(data, BATCH, sampler=sampler, num_workers=2, drop_last=True, pin_memory=CUDA)
    device = "cuda" if CUDA else "cpu"
    network = InceptionResnetV1(classify=True, num_classes=1, dropout_prob=0.1).to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        for images, labels in loader:
            images, labels = images.to(device), labels.float().to(device)
            loss = F.binary_cross_entropy_with_logits(network(images)[:, 0], labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        seconds = time.perf_counter() - started
    return seconds


def _image_folder(faces_csv: Path, folder: Path) -> Path:
    """The training crops as ImageFolder wants them: links, so that they take no room."""
    if not folder.is_dir():
        faces = load_faces(faces_csv, "train")
        for row, (file, label) in enumerate(zip(faces["file"], faces["label"], strict=True)):
            link = folder / ("real", "fake")[label] / f"{row:06d}{Path(file).suffix}"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file)
    return folder


def our_loop(faces_csv: Path, work: Path, crops: int, **more: Any) -> float:
    """Seconds of the second epoch of a run of the package's own loop, validation apart."""
    trainer = _trainer(faces_csv, crops, **more)
    seconds = 0.0
    for _ in range(2):
        started = time.perf_counter()
        _epoch(trainer)
        seconds = time.perf_counter() - started
    return seconds


def _trainer(faces_csv: Path, crops: int, kind: type[Trainer] = Trainer, **more: Any) -> Trainer:
    settings = config(crops, **more)
    faces, preprocessing = load_crops(faces_csv, settings)
    return kind(faces, preprocessing, settings)


def _epoch(trainer: Trainer) -> None:
    trainer.train_epoch()
    trainer.progress.next_epoch()
    if CUDA:
        torch.cuda.synchronize()


WAYS: dict[str, Callable[..., float]] = {
    "the usual loop": usual_loop,
    "crops decoded once, augmented in batches, channels last": partial(our_loop, mixed_precision="off"),
    "+ half precision where the hardware is faster in it": our_loop,
}
if CUDA:
    WAYS["+ torch.compile"] = partial(our_loop, compile=True)


def compare(faces_csv: Path, work: Path, crops: int, rounds: int) -> list[dict[str, Any]]:
    """Seconds an epoch of every way, round by round, and how many times the usual loop each is."""
    measured: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds):
        for name, way in WAYS.items():
            measured[name].append(alone(way, faces_csv, work, crops))
            print(f"  round {number + 1}: {measured[name][-1]:7.1f} s  {name}", flush=True)
    usual = measured["the usual loop"]
    return [
        {
            "way": name,
            "seconds": [round(value, 2) for value in seconds],
            "images_per_second": round(crops / statistics.median(seconds), 1),
            "times": round(statistics.median(u / s for u, s in zip(usual, seconds, strict=True)), 2),
        }
        for name, seconds in measured.items()
    ]


# --- what the loader costs


class _InMemory(Trainer):
    """Our loop on batches that are ready on the device, while `ready_made` holds some."""

    ready_made: list[tuple[Batch, tuple[torch.Tensor, torch.Tensor]]] = []

    def batches(self) -> Iterator[Batch]:
        return (batch for batch, _ in self.ready_made) if self.ready_made else super().batches()

    def prepare(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        if self.ready_made:
            return self.ready_made[self.progress.batch][1]
        return super().prepare(batch)


def loader_overhead(faces_csv: Path, crops: int, rounds: int, augmentation: str) -> dict[str, Any]:
    """Of an epoch, the share that reading, augmenting and normalising add to the steps themselves.

    The two take turns within one process, on the same network; the median over the rounds.
    """
    trainer = _trainer(faces_csv, crops, _InMemory, augmentation=augmentation, checkpoint_minutes=1e9)
    _epoch(trainer)  # warm
    kept = [(batch, trainer.prepare(batch)) for batch in trainer.batches()]
    shares, seconds = [], []
    for _ in range(rounds):
        took = []
        for ready_made in (kept, [], kept):
            trainer.ready_made = ready_made
            started = time.perf_counter()
            _epoch(trainer)
            took.append(time.perf_counter() - started)
        in_memory = (took[0] + took[2]) / 2  # before and after, so that a machine that slows down favours neither
        shares.append(took[1] / in_memory - 1)
        seconds.append(in_memory)
    return {
        "augmentation": augmentation,
        "in_memory_seconds": round(statistics.median(seconds), 2),
        "overhead": round(statistics.median(shares), 4),
        "rounds": [round(share, 4) for share in shares],
    }


# --- growth


def at_scale(faces_csv: Path, work: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Decoding, an epoch over all crops, and memory, for tables of growing size; of Meso4, so that the loader runs."""
    results = []
    for size in sizes:
        table = _multiply(faces_csv, work / f"scale{size}", size)
        results.append({"crops": size} | alone(_one_size, table, size))
        print(f"  {results[-1]}", flush=True)
        shutil.rmtree(work / f"scale{size}")
    return results


def _multiply(faces_csv: Path, folder: Path, size: int) -> Path:
    """A table of `size` crops: the same ones again and again under other names."""
    faces = load_faces(faces_csv)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "crops").mkdir(parents=True)
    rows = faces.iloc[[number % len(faces) for number in range(size)]].reset_index(drop=True)
    paths = [f"crops/{number:06d}{Path(file).suffix}" for number, file in enumerate(rows["file"])]
    for path, file in zip(paths, rows["file"], strict=True):
        os.link(file, folder / path)
    copy = "-" + (pd.Series(range(size)) // len(faces)).astype(str)
    rows = rows.assign(path=paths, target_id=rows["target_id"] + copy, clip_id=rows["clip_id"] + copy)
    write_table(rows, folder / "faces.csv", FACE_COLUMNS)
    extraction = faces_csv.parent / "extraction.json"
    if extraction.is_file():
        shutil.copy(extraction, folder)
    return folder / "faces.csv"


def _one_size(faces_csv: Path, size: int) -> dict[str, Any]:
    settings = config(size, architecture="Meso4", augmentation="mirror")
    faces, preprocessing = load_crops(faces_csv, settings)
    started = time.perf_counter()
    open_store(faces, preprocessing)
    decoding = time.perf_counter() - started
    trainer = Trainer(faces, preprocessing, settings)
    batches, most = trainer.data.batches, 0

    def watched(*words: Any) -> Iterator[Batch]:
        nonlocal most
        for number, batch in enumerate(batches(*words)):
            if number % 20 == 0:
                most = max(most, own_memory())
            yield batch

    trainer.data.batches = watched
    started = time.perf_counter()
    _epoch(trainer)
    own = time.perf_counter() - started
    return {
        "decode_seconds": round(decoding, 1),
        "epoch_seconds": round(own, 1),
        "ms_per_crop": round(1000 * own / (trainer.data.batches_per_epoch * trainer.data.batch_size), 2),
        "own_mib": round(most / 2**20),
    }


def own_memory() -> int:
    """Bytes that are this process's alone: what it has read of a mapped file, the system takes back when it likes."""
    maps = psutil.Process().memory_maps(grouped=False)
    return sum(getattr(part, "anonymous", part.rss) for part in maps)


# --- steps on tensors that are there: precision, layout, memory


def step_rate(precision: str, channels_last: bool, compiled: bool, batch: int = BATCH, steps: int = 12) -> float:
    """Images a second of forward, backward and step."""
    network, images, labels, optimizer, dtype = _ready_to_step(precision, channels_last, batch)
    called = torch.compile(network) if compiled else network
    for number in range(steps + 4):
        if number == 4:  # before, cuDNN and the compiler try out what is fastest
            _finish()
            started = time.perf_counter()
        _one_step(called, images, labels, optimizer, dtype)
    _finish()
    return steps * batch / (time.perf_counter() - started)


def peak_of(precision: str, batch: int) -> float | None:
    """The most memory of two steps, GiB: of the GPU, or of this process; None where there is too little."""
    try:
        network, images, labels, optimizer, dtype = _ready_to_step(precision, True, batch)
        for _ in range(2):
            _one_step(network, images, labels, optimizer, dtype)
        _finish()
    except torch.OutOfMemoryError:
        return None
    return torch.cuda.max_memory_allocated() / GIB if CUDA else peak_mib() / 1024


def _ready_to_step(precision: str, channels_last: bool, batch: int) -> tuple[Any, ...]:
    device = torch.device("cuda" if CUDA else "cpu")
    layout = torch.channels_last if channels_last else torch.contiguous_format
    network = Detector(DetectorConfig(pretrained=None)).to(device, memory_format=layout).train()
    images = torch.randn(batch, 3, SIZE, SIZE, device=device).contiguous(memory_format=layout)
    labels = torch.arange(batch, device=device).remainder(2).float()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, fused=True)
    return network, images, labels, optimizer, {"off": None, "bf16": torch.bfloat16}[precision]


def _one_step(network: Any, images: Any, labels: Any, optimizer: Any, dtype: Any) -> None:
    with torch.autocast(images.device.type, dtype, enabled=dtype is not None):
        logits = network(images)
    F.binary_cross_entropy_with_logits(logits.float(), labels).backward()
    optimizer.step()
    optimizer.zero_grad()


def _finish() -> None:
    if CUDA:
        torch.cuda.synchronize()


def steps_table(compiled: bool) -> list[dict[str, Any]]:
    """Images a second for each precision and layout."""
    rows = []
    for precision in ("off", "bf16"):
        for channels_last in (False, True):
            for with_compiler in (False, True) if compiled else (False,):
                rate = alone(step_rate, precision, channels_last, with_compiler)
                name = [{"off": "float32"}.get(precision, precision), *["channels last"] * channels_last,
                        *["compiled"] * with_compiler]  # fmt: skip
                rows.append({"step": ", ".join(name), "images_per_second": round(rate, 1)})
                print(f"  {rows[-1]}", flush=True)
    return rows


def memory_table(batches: Sequence[int]) -> list[dict[str, Any]]:
    """The peak of memory by batch size, in both precisions."""
    rows = []
    for batch in batches:
        peaks = {f"{name}_gib": alone(peak_of, precision, batch) for name, precision in
                 (("float32", "off"), ("bfloat16", "bf16"))}  # fmt: skip
        rows.append({"batch": batch} | {name: None if peak is None else round(peak, 2) for name, peak in peaks.items()})
        print(f"  {rows[-1]}", flush=True)
    return rows


# --- showing


def report(results: dict[str, Any], arguments: argparse.Namespace) -> str:
    """The tables as Markdown."""
    lines = [
        "# Training: the usual loop and ours", "",
        f"Measured by `{command('training.py', arguments.out)}` on", f"{machine()}.",
        ABOUT.format(size=SIZE, batch=BATCH),
        "![Times the usual loop, row by row](training.svg)", "",
        f"## An epoch of {arguments.crops} crops", "",
        "| | seconds, round by round | images/s | times the loop |", "|---|---|---|---|",
    ]  # fmt: skip
    for row in results["epoch"]:
        seconds = ", ".join(f"{value:.1f}" for value in row["seconds"])
        lines.append(f"| {row['way']} | {seconds} | {row['images_per_second']} | {row['times']:.2f} |")
    lines += ["", "## What the loader costs", "", "Our loop against the same steps on batches that are in memory.", "",
              "| augmentation | steps alone, s | the loader adds | round by round |", "|---|---|---|---|"]  # fmt: skip
    for row in results["loader"]:
        rounds = ", ".join(f"{share:.1%}" for share in row["rounds"])
        lines.append(f"| {row['augmentation']} | {row['in_memory_seconds']} | {row['overhead']:.1%} | {rounds} |")
    lines += [
        "", "## At scale", "",
        "Meso4, an epoch over all crops. Memory is the process's own, without what the system keeps of the file.",
        "",
        "| crops | decoding once, s | epoch, s | ms a crop | own memory, MiB |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in results["scale"]:
        lines.append(f"| {row['crops']:,} | {row['decode_seconds']} | {row['epoch_seconds']} | {row['ms_per_crop']} "
                     f"| {row['own_mib']:,} |")  # fmt: skip
    lines += ["", "## Steps alone", "", "| | images/s |", "|---|---|"]
    lines += [f"| {row['step']} | {row['images_per_second']} |" for row in results["steps"]]
    where = (
        "of the GPU" if CUDA else "of the whole process, PyTorch included: what it takes of a computer, not of a GPU"
    )
    lines += ["", "## Memory by batch size", "", f"The peak {where}, GiB.", "",
              "| batch | float32 | bfloat16 |", "|---|---|---|"]  # fmt: skip
    for row in results["memory"]:
        peaks = [
            ("does not fit" if row[name] is None else f"{row[name]:.2f}") for name in ("float32_gib", "bfloat16_gib")
        ]
        lines.append(f"| {row['batch']} | {' | '.join(peaks)} |")
    return "\n".join(lines) + "\n"


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Times the usual loop, way by way."""
    from matplotlib import pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 0.5 * len(rows) + 0.9))
    times = [row["times"] for row in rows]
    ax.barh(range(len(rows)), times, height=0.6, color="#0072B2")
    for place, value in enumerate(times):
        ax.annotate(f" {value:.2f}×", (value, place), va="center", fontsize=9)
    ax.set_yticks(range(len(rows)), [row["way"] for row in rows])
    ax.invert_yaxis()
    ax.set(xlabel="images a second, as multiples of the usual loop")
    ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("faces", nargs="?", type=Path, help="a faces.csv (default: Mini-FF++'s)")
    parser.add_argument("--crops", type=int, default=4096 if CUDA else 320, help="in an epoch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", nargs="*", type=int, default=[1000, 4000, 16000], help="crops in the table")
    parser.add_argument("--batches", nargs="*", type=int,
                        default=[8, 16, 32, 64, 128, 256, 512] if CUDA else [4, 8, 16, 32, 64])  # fmt: skip
    parser.add_argument("--work", type=Path, default=Path("build/benchmark/training"), help="for links and caches")
    parser.add_argument("--out", type=Path, help="folder for training.md, training.svg and training.json")
    arguments = parser.parse_args(argv)
    if arguments.faces is None:
        from torchfakes_utils import course

        arguments.faces = course.ensure("faces")
    faces_csv, work = arguments.faces.resolve(), arguments.work.resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print(machine())
    results: dict[str, Any] = {"machine": machine()}
    results["epoch"] = compare(faces_csv, work, arguments.crops, arguments.rounds)
    results["loader"] = [
        alone(loader_overhead, faces_csv, min(arguments.crops, 1024), arguments.rounds + 2, name)
        for name in ("none", "first-project", "modern")
    ]
    print(*results["loader"], sep="\n", flush=True)
    results["scale"] = at_scale(faces_csv, work, arguments.scale)
    results["steps"] = steps_table(compiled=CUDA)
    results["memory"] = memory_table(arguments.batches)
    print(report(results, arguments))
    if arguments.out:
        write_page(arguments.out, "training", report(results, arguments), results)
        plot(results["epoch"], arguments.out / "training.svg")


if __name__ == "__main__":
    main()
