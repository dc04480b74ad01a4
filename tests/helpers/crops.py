"""Tables of made-up crops."""

import numpy as np
import pandas as pd
from PIL import Image

from torchfakes_utils.io.tables import FACE_COLUMNS

METHODS = ("youtube", "Deepfakes", "FaceSwap")


def make_faces(folder, per_split=None, frames=4, size=96, methods=METHODS, sharpness=100.0):
    """A faces.csv with crops of noise; a fake's are redder. `per_split` is the number of real clips of each split."""
    noise = np.random.default_rng(0)
    rows = []
    clip = 0
    for split, count in (per_split or {"train": 3, "val": 2, "test": 2}).items():
        for _ in range(count):
            for method in methods:
                label = int(method != "youtube")
                clip_id = f"{clip:03d}_{clip + 1:03d}" if label else f"{clip:03d}"
                for frame in range(0, frames * 10, 10):
                    path = f"crops/{method}/c23/{clip_id}/{frame}.png"
                    picture = noise.integers(0, 200, (size, size, 3))
                    picture[..., 0] += 55 * label
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(picture.astype(np.uint8)).save(folder / path, compress_level=0)
                    rows.append(
                        [
                            clip_id,
                            path,
                            label,
                            method,
                            "c23",
                            f"{clip:03d}",
                            "",
                            split,
                            frame,
                            0.0,
                            0.0,
                            90.0,
                            90.0,
                            " ".join(["40"] * 10),
                            0.99,
                            sharpness,
                        ]
                    )
            clip += 2
    path = folder / "faces.csv"
    pd.DataFrame(rows, columns=FACE_COLUMNS).to_csv(path, index=False)
    return path


def edited(faces_csv, tmp_path, change):
    """The table after `change`, in another folder beside the same crops."""
    table = change(pd.read_csv(faces_csv, dtype={"clip_id": str}))
    (tmp_path / "crops").symlink_to(faces_csv.parent / "crops")
    table.to_csv(tmp_path / "faces.csv", index=False)
    return tmp_path / "faces.csv"
