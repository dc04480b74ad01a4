"""What lesson 09 needs beside the package: what strangers upload, pictures of verdicts, and the exercises."""

import textwrap
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image, ImageFilter

from torchfakes_utils.course import exercises, plots
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.inference.verdict import Prediction
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL, Decision

_COLOURS = {FAKE: plots.FAKE, REAL: plots.REAL, CANNOT_TELL: plots.NEUTRAL}
_LINES = {FAKE: "--", REAL: "-", CANNOT_TELL: ":"}
# Where an axis of log-odds ends.
_LEAST = 0.002


def uploads(folder: Path, clip: Path, another: Path) -> list[Path]:
    """What strangers upload: photos of every kind, films, and things that are neither.

    Args:
        folder: where they are put.
        clip: a video with a face.
        another: one with another person.

    Returns:
        The files, in the order in which the lesson shows them.
    """
    _indices, frames = read_frames(clip)
    face = frames[len(frames) // 2]
    second = cv2.resize(read_frames(another, [0])[1][0], face.shape[1::-1])
    photo = Image.fromarray(face)
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn me a quarter clockwise"
    Image.fromarray(np.rot90(face)).save(folder / "phone_sideways.jpg", quality=95, exif=exif)
    alpha = np.full((*face.shape[:2], 1), 255, np.uint8)
    alpha[-face.shape[0] // 8 :] = 0
    Image.fromarray(np.concatenate([face, alpha], axis=2)).save(folder / "sticker.png")
    Image.fromarray(face.mean(axis=2).astype(np.uint16) * 257).save(folder / "scan_16_bit.png")
    photo.convert("CMYK").save(folder / "for_print.jpg", quality=95)
    Image.fromarray(np.hstack([face, second])).save(folder / "two_people.png")
    moving = [Image.fromarray(frame) for frame in frames[:: max(1, len(frames) // 6)]]
    moving[0].save(folder / "animation.webp", save_all=True, append_images=moving[1:], duration=200, lossless=True)
    write_video(folder / "named_wrongly.mp4", frames, fps=25, crf=18).rename(folder / "named_wrongly.jpg")
    Image.fromarray(np.full((240, 240, 3), 150, np.uint8)).save(folder / "wall.png")
    Image.fromarray((face * 0.15).astype(np.uint8)).save(folder / "night.png")
    (folder / "letter.mp4").write_text("I called it a video, so it is one.")
    (folder / "cut_off.jpg").write_bytes((folder / "for_print.jpg").read_bytes()[:4000])
    (folder / "empty.mp4").touch()
    with zipfile.ZipFile(folder / "holiday.zip", "w") as archive:
        archive.write(folder / "sticker.png", "sticker.png")
    names = [
        "phone_sideways.jpg", "sticker.png", "scan_16_bit.png", "for_print.jpg", "two_people.png", "animation.webp",
        "named_wrongly.jpg", "wall.png", "night.png", "letter.mp4", "cut_off.jpg", "empty.mp4", "holiday.zip",
    ]  # fmt: skip
    return [folder / name for name in names]


def verdicts_figure(examined: Sequence[Examination], titles: Sequence[str], title: str) -> Figure:
    """What was looked at, each with its faces boxed, and below it its score on one axis with the two limits.

    Args:
        examined: one a panel; the frame in the middle is shown.
        titles: above each.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(
        2, len(examined), figsize=(2.5 * len(examined), 3.9), height_ratios=[4, 1], squeeze=False
    )
    for ax, below, upload, name in zip(*axes, examined, titles, strict=True):
        frame = int(upload.media.indices[len(upload.media.indices) // 2])
        ax.imshow(upload.picture(frame))
        ax.set(xticks=[], yticks=[])
        ax.set_title(name, fontsize=9, fontweight="normal")
        for face in upload.prediction.faces:
            for one in (one for one in face.frames if one.frame == frame):
                _box(ax, one.box, face.verdict)
        _score(below, upload.prediction)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def _box(ax: Axes, box: Sequence[float], verdict: str) -> None:
    x1, y1, x2, y2 = box
    frame = Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, linewidth=2.5)
    frame.set(edgecolor=_COLOURS[verdict], linestyle=_LINES[verdict])
    ax.add_patch(frame)


def _score(ax: Axes, prediction: Prediction) -> None:
    """One score with its interval, among the limits; hollow where nothing rests on it."""
    colour = _COLOURS[prediction.verdict]
    _limits(ax.axvspan, prediction.limits)
    marker = plots.MARKERS[prediction.verdict == FAKE]
    if prediction.probability_fake is not None:
        if prediction.interval is not None:
            ax.hlines(0, *prediction.interval, color=colour, linewidth=5, alpha=0.5)
        ax.plot(prediction.probability_fake, 0, marker, color=colour, markersize=9, markeredgecolor="white")
    elif refused := [frame.probability_fake for face in prediction.faces for frame in face.frames]:
        ax.plot(np.mean(refused), 0, marker, color="white", markersize=9, markeredgecolor=colour)
    ax.set(xlim=(-0.03, 1.03), ylim=(-1, 1), yticks=[], xticks=[0, 1])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(prediction.verdict, color=colour, fontweight="bold", labelpad=-8)


def _limits(span: Callable[..., object], limits: tuple[float | None, float | None]) -> None:
    """Shade where somebody is called real, and where fake, with an axis's `axhspan` or `axvspan`."""
    real_to, fake_from = limits
    if real_to is not None:
        span(-0.03, real_to, facecolor=plots.REAL, alpha=0.15, linewidth=0)
    if fake_from is not None:
        span(fake_from, 1.03, facecolor=plots.FAKE, alpha=0.15, linewidth=0)


def changed(photo: np.ndarray, light: float = 1.0, blur: float = 0.0, size: float = 1.0) -> np.ndarray:
    """A photo (H, W, 3) uint8 taken in other light, out of focus (radius in pixels), or from farther away (scale)."""
    image = Image.fromarray(np.clip(photo * light, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur))
    if size == 1:
        return np.asarray(image)
    smaller = image.resize(
        (max(1, round(image.width * size)), max(1, round(image.height * size))), Image.Resampling.LANCZOS
    )
    wide = np.full_like(photo, 110)
    top, left = (photo.shape[0] - smaller.height) // 2, (photo.shape[1] - smaller.width) // 2
    wide[top : top + smaller.height, left : left + smaller.width] = smaller
    return wide


def changed_figure(predictor: Predictor, photo: np.ndarray, light: float, blur: float, size: float) -> Figure:
    """A changed photo with its verdict."""
    upload = predictor.examine(_png(changed(photo, light, blur, size)))
    why = upload.prediction.reason.partition(": ")[0] if upload.prediction.verdict == CANNOT_TELL else ""
    return verdicts_figure([upload], ["\n".join(textwrap.wrap(why, 44)[:3])], "")


def looks(predictor: Predictor, crop: np.ndarray) -> tuple[float, float]:
    """P(fake) of a crop (S, S, 3) uint8 by one look at it, and by one at its mirror image."""
    detector = predictor.detector
    images = detector.preprocessing.apply(torch.from_numpy(crop.transpose(2, 0, 1).copy())[None].to(predictor.device))
    with torch.inference_mode():
        logits = torch.cat([detector(images), detector(images.flip(3))]).flatten().cpu().numpy()
    one, mirrored = detector.decision.probability(logits)
    return float(one), float(mirrored)


def at_sizes(predictor: Predictor, photo: np.ndarray, sizes: Sequence[float]) -> pd.DataFrame:
    """One photo with a face, enlarged or reduced, and judged: what a picture's way through the web does to a score.

    Args:
        predictor: judges.
        photo: (H, W, 3) uint8.
        sizes: 1 leaves it as it is.

    Returns:
        A row a size at which the face is found: `size`; P(fake) by `one_look`, `mirrored` and by `both`; `distance`
        (NaN where none is measured), `verdict` and `reason`.
    """
    rows = []
    for size in sizes:
        shape = (round(photo.shape[1] * size), round(photo.shape[0] * size))
        upload = examine_photo(predictor, np.asarray(Image.fromarray(photo).resize(shape, Image.Resampling.LANCZOS)))
        for face in upload.prediction.faces[:1]:
            distance = face.frames[0].distance
            rows.append((size, *looks(predictor, upload.crops[face.face, 0]), face.frames[0].probability_fake,
                         np.nan if distance is None else distance, upload.prediction.verdict,
                         upload.prediction.reason))  # fmt: skip
    return pd.DataFrame(rows, columns=["size", "one_look", "mirrored", "both", "distance", "verdict", "reason"])


def sizes_figure(table: pd.DataFrame, band: Band, threshold: float, title: str) -> Figure:
    """The score of one photo at several sizes, by one look and by two, among the limits of a photo.

    Args:
        table: from `at_sizes`.
        band: the limits.
        threshold: where an answer would be forced.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(6.8, 3.6))
    ax.set_yscale("logit")  # by log-odds: half a per cent is far from none
    if band.real_to:
        ax.axhspan(_LEAST, band.real_to, facecolor=plots.REAL, alpha=0.15, linewidth=0)
    if band.fake_from:
        ax.axhspan(band.from_of(), 1 - _LEAST, facecolor=plots.FAKE, alpha=0.15, linewidth=0)
    ax.axhline(threshold, color="black", linestyle=":", linewidth=1)
    ax.annotate("one threshold", (table["size"].iloc[0], threshold), va="bottom", fontsize=9)
    for word, height in (("called fake", 0.95), ("called real", 0.02)):
        ax.text(0.98, height, word, ha="right", va="top" if height > 0.5 else "bottom", transform=ax.transAxes)
    for name, column, line in (("photo", "one_look", "o--"), ("its mirror image", "mirrored", "s:"),
                               ("both", "both", "^-")):  # fmt: skip
        colour = "black" if name == "both" else plots.NEUTRAL
        ax.plot(table["size"], table[column].clip(_LEAST, 1 - _LEAST), line, color=colour, label=name)
    ax.legend(ncols=3, fontsize=9, loc="upper left", bbox_to_anchor=(0, 0.82))
    ticks = [0.01, 0.1, 0.5, 0.9, 0.99]
    ax.set(xlabel="size of the photo", ylabel="P(fake)", ylim=(_LEAST, 1 - _LEAST), xticks=table["size"].tolist())
    ax.set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    ax.set_title(title)
    return plots.finish(figure)


def group_photo(clips: Sequence[Path], frame: int, columns: int = 4) -> np.ndarray:
    """A frame of each clip side by side in one picture, (H, W, 3) uint8; an empty place is grey."""
    pictures = [read_frames(clip, [frame])[1][0] for clip in clips]
    height, width = np.max([picture.shape[:2] for picture in pictures], axis=0)
    whole = np.full((-(-len(pictures) // columns) * height, min(columns, len(pictures)) * width, 3), 110, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole


def group_answers(prediction: Prediction, decision: Decision) -> dict[str, bool]:
    """Whether a photo of several people is called fake: by one threshold, by a rate for each face, by one for the file.

    Args:
        prediction: of the photo.
        decision: the detector's.
    """
    scores = [face.probability_fake for face in prediction.faces if face.probability_fake is not None]
    highest = max(scores, default=0.0)
    return {
        "one threshold": highest >= decision.threshold,
        "the limit of one face": highest >= decision.photo.from_of(),
        f"the limit of {len(scores)} faces": prediction.verdict == FAKE,
    }


def examine_photo(predictor: Predictor, photo: np.ndarray) -> Examination:
    """A photo (H, W, 3) uint8 that is in memory, judged."""
    return predictor.examine(_png(photo))


def _png(photo: np.ndarray) -> bytes:
    return cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()


def curves_figure(examined: Sequence[Examination], titles: Sequence[str], title: str) -> Figure:
    """P(fake) over time, frame by frame, with the mean over frames and its interval, among the limits.

    Args:
        examined: of videos.
        titles: beside each curve.
        title: the figure's one message.
    """
    figure, axes = plt.subplots(1, len(examined), figsize=(4.4 * len(examined), 3.2), sharey=True, squeeze=False)
    for ax, upload, name in zip(axes[0], examined, titles, strict=True):
        _limits(ax.axhspan, upload.prediction.limits)
        for face in upload.prediction.faces:
            colour = _COLOURS[face.verdict]
            times = [one.time for one in face.frames]
            ax.plot(times, [one.probability_fake for one in face.frames], color=colour, linewidth=1, marker=".")
            if face.interval is not None:
                ax.axhspan(*face.interval, color=colour, alpha=0.2)
                ax.axhline(face.probability_fake, color=colour)
        left_out = [one for face in upload.prediction.faces for one in face.frames if one.cannot_tell]
        if left_out:
            times, scores = [one.time for one in left_out], [one.probability_fake for one in left_out]
            ax.plot(times, scores, "x", color="black", label="cannot be judged: left out")
            ax.legend(fontsize=9)
        ax.set(xlabel="seconds", ylim=(-0.03, 1.03))
        ax.set_title(f"{name}: {upload.prediction.verdict}", fontsize=10, fontweight="normal")
    axes[0, 0].set_ylabel("P(fake)")
    for name, end, place in zip(("called real", "called fake"), examined[0].prediction.limits, (0.0, 1.0), strict=True):
        if end is not None:
            axes[0, 0].annotate(name, (0, place), va="top" if place else "bottom", fontsize=9)
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def at_once(ask: Callable[[], object], count: int) -> np.ndarray:
    """How long each of `count` askers waits who all ask in the same moment; seconds, in the order of the answers."""
    ready = threading.Barrier(count)

    def one(_: int) -> float:
        ready.wait()
        started = time.perf_counter()
        ask()
        return time.perf_counter() - started

    with ThreadPoolExecutor(count) as pool:
        return np.sort(list(pool.map(one, range(count))))


def waiting_figure(seconds: Sequence[float], title: str) -> Figure:
    """Who waits how long, when many ask at once.

    Args:
        seconds: one a visitor, increasing.
        title: the figure's one message.
    """
    figure, ax = plt.subplots(figsize=(6.6, 3.0))
    ax.barh(np.arange(1, len(seconds) + 1), seconds, color=plots.NEUTRAL)
    late = float(np.quantile(seconds, 0.95))
    ax.axvline(late, color="black", linestyle="--", linewidth=1)
    ax.annotate(f"95 % wait no longer than {late:.1f} s ", (late, 1.5), ha="right", va="center")
    ax.invert_yaxis()
    ax.set(xlabel="seconds until the answer", ylabel="visitor", yticks=[1, len(seconds)])
    ax.set_title(title)
    return plots.finish(figure)


# The mean of a clip's frames, from where to where; None where there are too few.
FrameInterval = Callable[[np.ndarray], tuple[float, float] | None]


def by_clip_and_frame(scores: pd.DataFrame, band: Band, interval: FrameInterval) -> pd.DataFrame:
    """Clip by clip: its score, the interval over its frames, and whether its verdict is right.

    Args:
        scores: rows of scores.csv.
        band: the limits of a film.
        interval: of the mean of some scores, (low, high); None where it cannot be had.

    Returns:
        Columns `kind` ("real", "fake"), `score`, `half_width`, `verdict` ("right", "wrong", "none"), and `clear`: the
        interval holds neither limit. One row a clip that has an interval.
    """
    rows = []
    for _, clip in scores[scores["cannot_tell"] == ""].groupby(CLIP_KEY):
        fake = clip["probability_fake"].to_numpy()
        if (ends := interval(fake)) is not None:
            label, score = int(clip["label"].iloc[0]), float(fake.mean())
            answer = band.answers(np.array([score]))[0]
            verdict = "none" if np.isnan(answer) else ("wrong", "right")[int(answer == label)]
            clear = len(set(band.answers(np.array(ends)).astype(str))) == 1
            rows.append((plots.NAMES[label], score, (ends[1] - ends[0]) / 2, verdict, clear))
    return pd.DataFrame(rows, columns=["kind", "score", "half_width", "verdict", "clear"])


# --- exercises


@exercises.check
def check_upright(upright: Callable[[np.ndarray, int], np.ndarray | None]) -> None:
    """Try a learner's turning of photos on the four orientations that cameras write.

    Args:
        upright: gets pixels (H, W, 3) and the EXIF orientation (1, 3, 6 or 8), gives the photo as it was taken.
    """
    scene = np.arange(2 * 3 * 3).reshape(2, 3, 3).astype(np.uint8)
    stored = {1: scene, 3: np.rot90(scene, 2), 6: np.rot90(scene, 1), 8: np.rot90(scene, -1)}
    found = {value: exercises.attempt(upright, pixels.copy(), value) for value, pixels in stored.items()}
    if any(one is None for one in found.values()):
        print("Not attempted yet: your function returns nothing.")
        return
    right = {value: np.array_equal(one, scene) for value, one in found.items()}
    if all(right.values()):
        print("Right. Every phone that was held sideways is upright now, and MTCNN finds its owner.")
    elif right == {1: True, 3: True, 6: False, 8: False} and np.array_equal(found[6], np.rot90(stored[6], 1)):
        print("The quarter turns go the other way: 6 says that the photo has to be turned clockwise to stand upright.")
    elif all(np.array_equal(found[value], stored[value]) for value in stored):
        print("You give the photo back as it is stored. That is what the team's app did.")
    elif np.array_equal(found[3], stored[3][::-1]):
        print("3 is a half turn. Upside down alone is a mirror image: left and right change places as well.")
    elif any(np.shape(one) != scene.shape for one in found.values()):
        print(f"A photo of {scene.shape} is wanted for every orientation; a quarter turn swaps height and width.")
    else:
        print("Not yet. 1: as it is; 3: half a turn; 6: a quarter clockwise; 8: a quarter anticlockwise.")


_STILL_COUNT = "Crops that are not usable still count in yours: leave them out of the mean, and of the maximum."


@exercises.check
def check_verdict(verdict: Callable[[np.ndarray, np.ndarray, float, float], str | None]) -> None:
    """Try a learner's verdict on films whose answer is known.

    Args:
        verdict: gets P(fake) (people, frames), whether each crop is usable (people, frames), and the two limits, up to
            where somebody is called real and from where on fake; gives "fake", "real" or "cannot tell".
    """
    everything = np.ones((2, 4), bool)
    cases = [
        (np.array([[0.1] * 4, [0.6] * 4]), everything, (0.2, 0.4), FAKE),  # one forged face among real ones
        (np.array([[0.1, 0.1, 0.9, 0.1]]), everything[:1], (0.4, 0.6), REAL),  # one odd frame
        (np.array([[0.9] * 4]), ~everything[:1], (0.4, 0.6), CANNOT_TELL),
        (np.array([[0.45] * 4]), everything[:1], (0.2, 0.4), FAKE),  # the stored limit, not 0.5
        (np.array([[0.55] * 4, [0.1] * 4]), everything, (0.4, 0.6), CANNOT_TELL),  # between the limits
        (np.array([[0.9, 0.9, 0.1, 0.1]]), np.array([[False, False, True, True]]), (0.2, 0.4), REAL),
        (np.array([[0.9] * 4, [0.1] * 4]), np.array([[False] * 4, [True] * 4]), (0.2, 0.4), CANNOT_TELL),
        (np.array([[0.9] * 4, [0.7] * 4]), np.array([[False] * 4, [True] * 4]), (0.2, 0.4), FAKE),
    ]
    found = [exercises.attempt(verdict, fake.copy(), usable.copy(), *limits) for fake, usable, limits, _ in cases]
    if all(one is None for one in found):
        print("Not attempted yet: your function returns nothing.")
        return
    right = [one == case[3] for one, case in zip(found, cases, strict=True)]
    hints = (
        "One forged face among two is a forged film. Do you average over people?",
        "One frame in four looks odd, and you call the person fake. Mean over frames, maximum over people.",
        "No crop of this film is usable. There is a third answer.",
        "0.45, where fakes begin at 0.40. Is there a 0.5 in your code?",
        "0.55 lies between the limits 0.40 and 0.60: neither rate can be kept there, so there is no answer.",
        _STILL_COUNT,
        "One of two people cannot be judged at all. Who says that this one is not the fake? Real needs everybody.",
    )
    if all(right):
        print("Right: the mean over usable frames, the worst person, the stored limits, and a third answer.")
        return
    wrong = right.index(False)
    print(hints[wrong] if wrong < len(hints) else _STILL_COUNT)
