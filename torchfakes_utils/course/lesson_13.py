"""What lesson 13 needs beside the package: spectrograms to look at with their sound, and the lesson's exercises."""

import base64
import html
import io
import wave
from collections.abc import Mapping
from pathlib import Path

import ipywidgets
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchfakes_utils.audio.spectral import banded
from torchfakes_utils.course import plots, widgets
from torchfakes_utils.course.lesson_13_exercises import EER, FILTERS, ROUND
from torchfakes_utils.io.sound import RATE, read_sound

__all__ = ["EER", "FILTERS", "ROUND"]

# Of what is played in the saved notebook: as good as a telephone, and half as large.
_PLAYED = 8000
WINDOWS = {"8 ms": (128, 64, 32), "32 ms": (512, 160, 64)}


def versions(rows: pd.DataFrame, original: str) -> dict[str, np.ndarray]:
    """A clip and its copies by method, each (N,) float32 at 16 kHz; the real one first.

    Args:
        rows: of recordings.csv, with `file`.
        original: the real clip's `clip_id`.
    """
    own = rows[(rows["clip_id"] == original) | (rows["original_id"] == original)].sort_values("label", kind="stable")
    return {row.method: read_sound(Path(row.file)).samples for row in own.itertuples()}


def spectrogram(samples: np.ndarray, window: str) -> np.ndarray:
    """Log-mel spectrogram (M, F), dB below its loudest, of (N,) samples, with one of `WINDOWS`."""
    size, hop, mels = WINDOWS[window]
    found = 4.343 * banded(torch.from_numpy(samples)[None], mels, "mel", size, hop)[0].numpy()
    return np.asarray(np.maximum(found - found.max(), -60))


def draw(ax: Axes, samples: np.ndarray, window: str, title: str, label: int) -> None:
    """A spectrogram with time in seconds; blue title for what is real, vermilion for what is fake."""
    found = spectrogram(samples, window)
    ax.imshow(found, origin="lower", aspect="auto", cmap="magma", extent=(0, len(samples) / RATE, 0, len(found)))
    ax.set_title(title, color=plots.label_colour(label), loc="left", fontsize=10)
    ax.set_ylabel("mel band")


def pictures(found: Mapping[str, np.ndarray], window: str, seconds: tuple[float, float], title: str) -> Figure:
    """The same moment of every version, one above the other, the real one at the top."""
    start, end = (round(RATE * second) for second in seconds)
    figure, axes = plt.subplots(len(found), 1, figsize=(7, 1.5 * len(found) + 0.8), sharex=True)
    for ax, (name, samples) in zip(np.atleast_1d(axes), found.items(), strict=True):
        draw(ax, samples[start:end], window, name if name != "speech" else "real", int(name != "speech"))
    np.atleast_1d(axes)[-1].set_xlabel("seconds")
    figure.suptitle(title, fontsize=11)
    names = ", ".join(name for name in found if name != "speech")
    return plots.finish(figure, alt=f"Spectrograms with windows of {window}: the real clip at the top, then {names}.")


def player(samples: np.ndarray, name: str) -> str:
    """A player for (N,) samples at 16 kHz as HTML, which needs no file and no network."""
    shorter = np.asarray(samples, np.float64)
    spectrum = np.fft.rfft(shorter)
    kept = round(len(shorter) * _PLAYED / RATE)
    played = np.fft.irfft(spectrum[: kept // 2 + 1], kept) * kept / len(shorter)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)  # eight bits, half as large again
        file.setframerate(_PLAYED)
        file.writeframes(
            (np.clip(played / max(np.abs(played).max(), 1e-9), -1, 1) * 120 + 128).astype(np.uint8).tobytes()
        )
    url = f"data:audio/wav;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    label = html.escape(name)
    return f'<figure style="margin:0"><figcaption>{label}</figcaption><audio controls src="{url}"></audio></figure>'


def viewer(found: Mapping[str, np.ndarray]) -> widgets.Shown:
    """A spectrogram with its sound: a menu for whose, and one for the window."""
    who = ipywidgets.Dropdown(options=list(found), description="whose")
    window = ipywidgets.Dropdown(options=list(WINDOWS), description="window")
    picture, sound = ipywidgets.Image(format="png"), ipywidgets.HTML()

    def show(_change: object = None) -> None:
        figure = pictures({who.value: found[who.value]}, window.value, (0.3, 0.9), "")
        picture.value = widgets.png(figure)
        sound.value = player(found[who.value], who.value)

    for one in (who, window):
        one.observe(show, "value")
    show()
    box = ipywidgets.VBox([ipywidgets.HBox([who, window]), picture, sound])
    both = {"speech": found["speech"], list(found)[-1]: found[list(found)[-1]]}
    return widgets.with_picture(box, pictures(both, "8 ms", (0.3, 0.9), "The viewer, set to two versions in turn"))


def roc_by_method(scores: pd.DataFrame) -> pd.Series:
    """AUC of each way to make a voice against all real clips, with `label`, `method` and `probability_fake`."""
    from torchfakes_utils.metrics.binary import binary_metrics

    real = scores[scores["label"] == 0]
    found = {}
    for name, fakes in scores[scores["label"] == 1].groupby("method", sort=False):
        both = pd.concat([real, fakes])
        found[str(name)] = binary_metrics(both["label"], both["probability_fake"])["auc"]
    return pd.Series(found).sort_values()


def bars(aucs: Mapping[str, pd.Series], title: str) -> Figure:
    """AUCs by name, a group of bars for each key, with the coin's line."""
    table = pd.DataFrame(aucs)
    figure, ax = plt.subplots(figsize=(7, 0.5 * table.size / max(len(table.columns), 1) + 1.6))
    places, height = np.arange(len(table)), 0.8 / len(table.columns)
    for at, (name, column) in enumerate(table.items()):
        ax.barh(places + at * height, column, height, label=str(name), color=["#999999", "#D55E00"][at % 2],
                hatch=["", "//"][at % 2])  # fmt: skip
    ax.axvline(0.5, color="black", linewidth=1, linestyle=":")
    ax.set_yticks(places + 0.4 - height / 2, list(table.index))
    ax.set_xlim(0, 1)
    ax.set_xlabel("AUC (the dotted line is a coin)")
    ax.legend(loc="lower right", fontsize=9)
    figure.suptitle(title, fontsize=11)
    said = "; ".join(f"{name}: " + ", ".join(f"{row} {value:.2f}" for row, value in column.items())
                     for name, column in table.items())  # fmt: skip
    return plots.finish(figure, alt=f"Bars of AUC. {said}.")
