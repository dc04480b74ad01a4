"""The app measured as its users meet it: how soon it answers, how it copes with many at once, what memory it takes.

The app runs in a process of its own, `torchfakes app`. First one visitor comes as soon as it says that it is ready:
a photo, a clip, a heat map, each for the first time and once more. Then so many clients at once send a photo each, a
different one, several times over; each waits for its answer. The peak of memory is that of the app's process.

    python tests/benchmarks/app.py --out docs/benchmarks
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from torchfakes_utils.io.video import read_frames

from common import command, machine, write_page


@contextlib.contextmanager
def served(run: Path, queue: int) -> Iterator[tuple[str, float, list[float]]]:
    """The app's address, the seconds until it said so, and its memory, MiB, ten times a second."""
    words = [sys.executable, "-m", "torchfakes_utils", "app", str(run), "--json", "--queue", str(queue)]
    started = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    memory: list[float] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            with contextlib.suppress(psutil.Error):
                memory.append(psutil.Process(process.pid).memory_info().rss / 2**20)

    threading.Thread(target=watch, daemon=True).start()
    try:
        url = json.loads(process.stdout.readline())["url"]
        yield url, time.perf_counter() - started, memory
    finally:
        over.set()
        process.terminate()
        process.wait()


def photos(clips: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """Different photos: frames of the clips, one after the other."""
    paths = []
    for index in range(count):
        indices, frames = read_frames(clips[index % len(clips)], count=1 + index // len(clips))
        paths.append(folder / f"{index}-{indices[-1]}.jpg")
        Image.fromarray(frames[-1]).save(paths[-1], quality=95)
    return paths


def visit(url: str, endpoint: str, path: Path) -> tuple[float, dict[str, Any]]:
    """One question of a client that is connected, and the seconds until the answer, the upload included."""
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    started = time.perf_counter()
    answer = client.predict(handle_file(str(path)), api_name=f"/{endpoint}")
    return time.perf_counter() - started, answer


def at_once(url: str, paths: Sequence[Path]) -> dict[str, Any]:
    """As many clients as photos, at the same moment; how long each waits, and how many are not answered."""
    from gradio_client import Client, handle_file

    clients = [Client(url, verbose=False) for _ in paths]
    start = threading.Barrier(len(paths))

    def ask(client: Any, path: Path) -> float | None:
        start.wait()
        started = time.perf_counter()
        try:
            answer = client.predict(handle_file(str(path)), api_name="/judge_photo")
        except Exception as error:
            print(f"  not answered: {error}", file=sys.stderr)
            return None
        return time.perf_counter() - started if answer["faces"] else None

    with ThreadPoolExecutor(len(paths)) as pool:
        took = list(pool.map(ask, clients, paths))
    waits = [seconds for seconds in took if seconds is not None]
    return {"waits": [round(seconds, 3) for seconds in sorted(waits)], "dropped": len(took) - len(waits)}


def measure(run: Path, clips: Sequence[Path], clients: int, rounds: int) -> dict[str, Any]:
    """Everything, in one app."""
    with tempfile.TemporaryDirectory() as folder, served(run, max(64, clients)) as (url, ready, memory):
        paths = photos(clips, clients, Path(folder))
        first = {}
        for name, endpoint, path in (("photo", "judge_photo", paths[0]), ("clip", "judge_video", clips[0]),
                                     ("heat map", "heat_map", paths[0])):  # fmt: skip
            waits = [visit(url, endpoint, path)[0] for _ in range(1 + rounds)]
            first[name] = {"first": round(waits[0], 3), "later": round(statistics.median(waits[1:]), 3)}
            print(f"  {name}: {first[name]}", flush=True)
        alone = max(memory)
        crowd = []
        for _ in range(rounds):
            crowd.append(at_once(url, paths))
            print(f"  {clients} at once: {crowd[-1]}", flush=True)
        waits = [seconds for one in crowd for seconds in one["waits"]]
        return {
            "ready_seconds": round(ready, 1),
            "answers": first,
            "clients": clients,
            "rounds": rounds,
            "p50": round(float(np.quantile(waits, 0.5)), 2),
            "p95": round(float(np.quantile(waits, 0.95)), 2),
            "longest": round(max(waits), 2),
            "answered": len(waits),
            "dropped": sum(one["dropped"] for one in crowd),
            "memory_one_visitor_mib": round(alone),
            "memory_peak_mib": round(max(memory)),
            "crowd": crowd,
        }


def report(results: dict[str, Any], arguments: argparse.Namespace) -> str:
    """The figures as Markdown."""
    lines = [
        "# The app", "",
        f"Measured by `{command('app.py', arguments.out)}` on", f"{results['machine']}; clients and app share it.", "",
        f"From `torchfakes app` to \"it answers\", model loaded and warmed up: {results['ready_seconds']} s.", "",
        "| one visitor | first answer, s | later ones, s (median) |", "|---|---|---|",
    ]  # fmt: skip
    for name, row in results["answers"].items():
        lines.append(f"| {name} | {row['first']} | {row['later']} |")
    total = results["answered"] + results["dropped"]
    lines += [
        "", f"{results['clients']} clients at once, each with a photo of its own, {results['rounds']} times over; from",
        "the upload to the answer. One photo is judged at a time, so the last client waits for all others.", "",
        "| median wait, s | 95 % wait at most, s | longest, s | answered | dropped |", "|---|---|---|---|---|",
        f"| {results['p50']} | {results['p95']} | {results['longest']} | {results['answered']} of {total} "
        f"| {results['dropped']} |", "",
        f"Memory of the app's process at most: {results['memory_one_visitor_mib']:,} MiB with one visitor, "
        f"{results['memory_peak_mib']:,} MiB", f"with {results['clients']} at once.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, and write the report where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", nargs="?", type=Path, help="a run folder (default: the course's)")
    parser.add_argument("data", nargs="?", type=Path, help="a folder with videos (default: Mini-FF++'s real ones)")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder for app.md and app.json")
    arguments = parser.parse_args(argv)
    if arguments.run is None or arguments.data is None:
        from torchfakes_utils import course

        arguments.run = course.ensure("run")
        arguments.data = course.ensure("mini") / "original_sequences/youtube/c23/videos"
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    clips = sorted(arguments.data.glob("*.mp4"))
    print(machine())
    results = {"machine": machine(), **measure(arguments.run, clips, arguments.clients, arguments.rounds)}
    print(report(results, arguments))
    if arguments.out:
        write_page(arguments.out, "app", report(results, arguments), results)


if __name__ == "__main__":
    main()
