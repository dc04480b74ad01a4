"""What tells a real clip from a fake one without a look at the face: one number a clip, method by method and by pairs.

    PYTHONPATH=tests python -m helpers.cues data/mini data/mini-1      # the data card's table, of one or several sets

Each cue is asked twice. *Alone*: a method's fakes against all reals, as an AUC. *In pairs*: how many of a method's
fakes lie above their own originals of the same compression. A cue that goes up for one method and down for another
would vanish where all fakes are counted together; a small shift that all fakes share vanishes between people.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.faces.quality import variance_of_laplacian
from torchfakes_utils.io.video import probe, read_frames

_FRAMES = 5  # of a clip, evenly spread


def _grey(frame: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)


def _noise(image: np.ndarray) -> float:
    """Median absolute value of the Laplacian, which edges hardly move; the mean breaks ties of whole grey levels."""
    size = np.abs(cv2.Laplacian(_grey(image), cv2.CV_32F))
    return float(np.median(size) + 1e-3 * size.mean())


def _high_share(image: np.ndarray) -> float:
    """Share of the energy beyond a quarter of the sampling rate."""
    grey = _grey(image).astype(np.float32)
    window = np.hanning(len(grey))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * np.outer(window, window))) ** 2
    rate = np.fft.fftfreq(len(grey))
    return float(power[np.hypot(rate[:, None], rate) > 0.25].sum() / power.sum())


def _blockiness(frame: np.ndarray) -> float:
    """Steps between neighbours across the codec's 8 px grid over those elsewhere."""
    grey = _grey(frame).astype(np.float32)
    across, down = np.abs(np.diff(grey, axis=1)).mean(axis=0), np.abs(np.diff(grey, axis=0)).mean(axis=1)
    steps, place = np.append(across, down), np.append(np.arange(len(across)), np.arange(len(down)))
    return float(steps[place % 8 == 7].mean() / steps[place % 8 != 7].mean())


def _face(frame: np.ndarray) -> np.ndarray:
    """Where faces lie in a frame; the detector's own crop would take minutes."""
    top, left, edge = (round(place * len(frame) / 320) for place in (56, 72, 176))
    return np.ascontiguousarray(frame[top : top + edge, left : left + edge])


OF_A_FRAME: dict[str, Callable[[np.ndarray], float]] = {
    "brightness, frame": lambda frame: frame.mean(),
    "brightness, face": lambda frame: _face(frame).mean(),
    "red over green, face": lambda frame: _face(frame)[..., 0].mean() / _face(frame)[..., 1].mean(),
    "blue over green, face": lambda frame: _face(frame)[..., 2].mean() / _face(frame)[..., 1].mean(),
    "contrast, frame": lambda frame: _grey(frame).std(),
    "contrast, face": lambda frame: _grey(_face(frame)).std(),
    "sharpness, frame": variance_of_laplacian,
    "sharpness, face": lambda frame: variance_of_laplacian(_face(frame)),
    "noise, frame": _noise,
    "noise, face": lambda frame: _noise(_face(frame)),
    "high frequencies, face": lambda frame: _high_share(_face(frame)),
    "blockiness, frame": _blockiness,
    "blockiness, face": lambda frame: _blockiness(_face(frame)),
}


def measured(folder: Path) -> pd.DataFrame:
    """One row a clip of Mini-FF++: what it is, and its cues."""
    rows = []
    for clip in faceforensics.index(folder, compressions=["c23", "c40"]).itertuples():
        path = folder / clip.path
        frames = read_frames(path, count=_FRAMES)[1]
        cues = {name: np.mean([cue(frame) for frame in frames]) for name, cue in OF_A_FRAME.items()}
        cues |= {"file size": path.stat().st_size, "frames": probe(path).frames}
        about = {"set": str(folder), "label": clip.label, "method": clip.method, "compression": clip.compression}
        rows.append(about | {"target": clip.target_id} | cues)
    return pd.DataFrame(rows)


def verdicts(clips: pd.DataFrame) -> pd.DataFrame:
    """For each compression, method and cue: the AUC alone, and the share of pairs whose fake lies higher (ties half).

    Args:
        clips: from `measured`, of one set or several.

    Returns:
        Columns `compression, method, cue, auc, pairs`; both as they are, so that 0.5 says nothing and 0 says all.
    """
    rows = []
    cues = [*OF_A_FRAME, "file size", "frames"]
    for compression, group in clips.groupby("compression"):
        reals = group[group["label"] == 0].set_index(["set", "target"])
        for method, fakes in group[group["label"] == 1].groupby("method"):
            own = reals.loc[pd.MultiIndex.from_frame(fakes[["set", "target"]])]
            labels = np.repeat([0, 1], [len(reals), len(fakes)])
            for cue in cues:
                auc = roc_auc_score(labels, np.append(reals[cue], fakes[cue]))
                above = (np.sign(fakes[cue].to_numpy() - own[cue].to_numpy()).mean() + 1) / 2
                rows.append((compression, method, cue, auc, above))
    return pd.DataFrame(rows, columns=["compression", "method", "cue", "auc", "pairs"])


def sided(share: pd.Series) -> pd.Series:
    """max(p, 1 − p): a cue that is lower in fakes tells as much as one that is higher."""
    return share.where(share >= 0.5, 1 - share)


def as_markdown(table: pd.DataFrame) -> str:
    """A row a cue, a column a method: `AUC · share of pairs`, the further one from 0.5 of the two compressions."""
    worst = table.assign(auc=sided(table["auc"]), pairs=sided(table["pairs"]))
    worst = worst.groupby(["cue", "method"], sort=False)[["auc", "pairs"]].max()
    cells = (worst["auc"].map("{:.2f}".format) + " · " + worst["pairs"].map("{:.2f}".format)).unstack()
    lines = [["", *cells.columns], ["---"] * (1 + len(cells.columns))]
    lines += [[cue, *cells.loc[cue]] for cue in [*OF_A_FRAME, "file size", "frames"]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    print(as_markdown(verdicts(pd.concat([measured(Path(folder)) for folder in sys.argv[1:]]))))
