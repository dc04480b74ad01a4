"""Small tables of films for tests: a square that moves, and a second one that follows it in real clips alone."""

from pathlib import Path

import numpy as np
import pandas as pd

from torchfakes_utils.io.tables import CLIP_COLUMNS, write_index, write_table
from torchfakes_utils.io.video import write_video

EDGE = 64


def drawn(place: np.ndarray, other: np.ndarray) -> list[np.ndarray]:
    """Frames (EDGE, EDGE, 3) with two bright squares, at heights (T,) of one and of the other."""
    frames = []
    for high, low in zip(place, other, strict=True):
        frame = np.full((EDGE, EDGE, 3), 40, np.uint8)
        frame[round(10 + high) : round(22 + high), 10:26] = 200
        frame[round(34 + low) : round(42 + low), 36:54] = 160
        frames.append(frame)
    return frames


def film_table(folder: Path, people: int = 6, seconds: float = 2.0, fps: float = 12.5) -> Path:
    """Write films of some people, a real and a fake one each, `clips.csv` and `faces/faces.csv`; return the first."""
    rows, faces = [], []
    times = np.arange(round(seconds * fps)) / fps
    for person in range(people):
        split = ("train", "train", "train", "val", "val", "test")[person % 6]
        generator = np.random.default_rng(person)
        phase = generator.uniform(0, 6, 2)
        place = 5 * np.sin(2 * np.pi * 0.9 * times + phase[0])
        for label, method, name in (
            (0, "youtube", f"{person:03d}"),
            (1, "Temporal", f"{person:03d}_{(person + 1) % people:03d}"),
        ):
            other = 5 * np.cos(2 * np.pi * 0.9 * times + phase[label])
            path = f"films/{method}-{name}.mp4"
            write_video(folder / path, drawn(place, other), fps=fps, crf=10, preset="ultrafast")
            clip = dict.fromkeys([*CLIP_COLUMNS, "original_id"], "") | {
                "clip_id": name, "path": path, "label": label, "method": method, "compression": "c23",
                "target_id": f"{person:03d}", "source_id": f"{(person + 1) % people:03d}" if label else "",
                "split": split, "original_id": f"{person:03d}" if label else "",
            }  # fmt: skip
            rows.append(clip)
            faces += [clip | {"path": f"crops/{frame}.png", "frame": frame, "x1": 4, "y1": 4, "x2": 60, "y2": 60,
                              "landmarks": "", "probability": 1.0, "sharpness": 1.0}
                      for frame in range(0, len(times), 6)]  # fmt: skip
    table = write_index(pd.DataFrame(rows), folder)
    write_table(pd.DataFrame(faces), folder / "faces" / "faces.csv")
    return table


def coupled(generator: np.random.Generator, clips: int, ticks: int, real: bool, noise: float = 0.2) -> np.ndarray:
    """Features (clips, ticks, 6) in which one follows how fast another goes; of fakes the speed of another clip.

    At a single tick real and fake have one law: independent numbers of variance 1.
    """
    from torchfakes_utils.datasets.mini.motion import wander

    times = np.arange(ticks) / 12.5
    both = np.array([wander(generator, times) for _ in range(clips + 1)])  # (clips + 1, 2, ticks)
    lent = both[:-1, 1] if real else both[1:, 1]
    features = noise * generator.standard_normal((clips, ticks, 6))
    features[..., 0] += both[:-1, 0]
    features[..., 1] += lent
    return features.astype(np.float32)
