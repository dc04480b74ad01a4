"""How long it takes to list a data set: `torchfakes clips` on so many empty files in FaceForensics++'s layout.

python tests/benchmarks/indexing.py [10000]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from torchfakes_utils.datasets import faceforensics, splits
from torchfakes_utils.io.tables import CLIP_COLUMNS, read_table

METHODS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")


def make(root: Path, files: int) -> int:
    """Empty files for as many pairs of people as make up `files`; returns how many there are."""
    pairs = [(f"{2 * n:05d}", f"{2 * n + 1:05d}") for n in range(files // 10)]
    for one, other in pairs:
        for target, source in ((one, other), (other, one)):
            paths = [f"original_sequences/youtube/c23/videos/{target}.mp4"]
            paths += [f"manipulated_sequences/{method}/c23/videos/{target}_{source}.mp4" for method in METHODS]
            for path in paths:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).touch()
    (root / "splits").mkdir()
    cut = [int(0.72 * len(pairs)), int(0.86 * len(pairs))]
    sides = {"train": pairs[: cut[0]], "val": pairs[cut[0] : cut[1]], "test": pairs[cut[1] :]}
    for name, side in sides.items():
        (root / "splits" / f"{name}.json").write_text(json.dumps(side))
    films = {name: f"film{name} 0" for pair in pairs for name in pair}
    (root / "splits" / "conversion_dict.json").write_text(json.dumps(films))
    return 10 * len(pairs)


def main() -> None:
    """Make the files, list them by both rules, print the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        files = make(root, int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
        for rule in splits.RULES:
            start = time.perf_counter()
            table = faceforensics.write_clips(root, rule=rule)
            written = time.perf_counter() - start
            splits.leaks(read_table(table, CLIP_COLUMNS), splits.read_films(root))
            counted = time.perf_counter() - start - written
            print(f"{rule}: {files} files listed in {written:.2f} s, leaks counted in {counted:.2f} s")


if __name__ == "__main__":
    main()
