"""Peak memory and seconds of the worst files: `python tests/benchmarks/limits.py [NAME …]`.

Each is judged by `Predictor`, in a process of its own: what that takes beyond what it has before the file, and what the
process takes that reads for it. A table in Markdown; needs Linux, and no data.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

WORST = (
    "2,000 by 3 pixels",
    "20,000 by 3 pixels",
    "100,000 by 19 pixels",
    "a portrait with thin margins",
    "99 megapixels",
    "one line of 90,000,000 pixels",
    "comments of two gigabytes",
    "a vast GIF",
    "a vast APNG",
    "a vast WebP",
    "a long GIF",
    "150 tracks claim 1,000,000 samples",
    "40 tracks claim 80,000,000 samples",
    "sizes alone claim",
    "fragments claim",
    "four million packets",
    "one packet a million times",
    "four vast streams",
    "a song with a vast cover",
    "8K at 1,000 frames a second",
    "an hour of a still 4K",
    "frames that grow",
    "ten minutes in mkv",
    "400 faces in a photo",
    "400 faces in a film",
    "225 faces in 64 frames",
    "a hundred faces in a photo",
    "49 faces in 64 frames",
)
# Bytes of address space that are allowed: whoever takes them all has no bound.
MOST = 16 * 2**30


def judge(name: str) -> None:
    """Judge one case in this process, and print what it took."""
    import torch

    from torchfakes_utils.inference.predictor import Predictor
    from torchfakes_utils.models.detector import Detector, DetectorConfig
    from torchfakes_utils.models.preprocessing import Preprocessing

    from cases import CASES
    from helpers.memory import peak

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        path = CASES[name].make(Path(folder))
        detector = Detector(DetectorConfig("Meso4", pretrained=None, preprocessing=Preprocessing(256, 160)))
        predictor = Predictor(detector, "cpu")
        predictor.predict(CASES["whole"].make(Path(other)))
        Path("/proc/self/clear_refs").write_text("5")
        before, started = peak() // 10**6, time.perf_counter()
        answer = predictor.predict(path)
        seconds = time.perf_counter() - started
        reader = predictor.reader._process
        theirs = peak(reader.pid) // 10**6 if reader is not None and reader.poll() is None else None
        print(
            json.dumps([path.stat().st_size, seconds, peak() // 10**6 - before, theirs, answer.verdict, answer.reason])
        )


def main() -> None:
    """Print the table."""
    if sys.argv[1:2] == ["--one"]:
        resource.setrlimit(resource.RLIMIT_AS, (MOST, MOST))
        judge(sys.argv[2])
        return
    print("| file | bytes | seconds | MB, judging | MB, reading | answer |\n|---|--:|--:|--:|--:|---|")
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    for name in sys.argv[1:] or WORST:
        command = [sys.executable, __file__, "--one", name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, env=environment, check=False)
        if done.returncode:
            print(f"| {name} | | | | | crashed: {(done.stderr.splitlines() or ['?'])[-1][:120]} |", flush=True)
            continue
        length, seconds, ours, theirs, verdict, reason = json.loads(done.stdout.splitlines()[-1])
        reading = "ended" if theirs is None else f"{theirs:,}"
        print(f"| {name} | {length:,} | {seconds:.1f} | {ours:,} | {reading} | {verdict}: {reason[:90]} |", flush=True)


if __name__ == "__main__":
    main()
