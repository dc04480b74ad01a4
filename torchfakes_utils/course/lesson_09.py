"""What lesson 09 needs beside the package: what strangers upload, and what is measured of the answers they get."""

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageFilter

from torchfakes_utils.course import plots
from torchfakes_utils.course.lesson_09_exercises import UPRIGHT as UPRIGHT
from torchfakes_utils.course.lesson_09_exercises import VERDICT as VERDICT
from torchfakes_utils.course.lesson_09_exercises import WITHOUT_NOTE as WITHOUT_NOTE
from torchfakes_utils.course.lesson_09_exercises import WRONGLY_ACCUSED as WRONGLY_ACCUSED
from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.faces.quality import crop_qualities
from torchfakes_utils.inference.predictor import Examination, Predictor
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.io.video import read_frames, write_video
from torchfakes_utils.metrics.band import Band
from torchfakes_utils.models.decision import DISTANCE
from torchfakes_utils.models.likeness import measured

# The mean of a clip's frames, from where to where; None where there are too few.
FrameInterval = Callable[[np.ndarray], tuple[float, float] | None]
_BATCH = 16  # crops that the network is given at once


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


def group_photo(clips: Sequence[Path], frame: int, columns: int = 4) -> np.ndarray:
    """A frame of each clip side by side in one picture, (H, W, 3) uint8; an empty place is grey."""
    pictures = [read_frames(clip, [frame])[1][0] for clip in clips]
    height, width = np.max([picture.shape[:2] for picture in pictures], axis=0)
    whole = np.full((-(-len(pictures) // columns) * height, min(columns, len(pictures)) * width, 3), 110, np.uint8)
    for place, picture in enumerate(pictures):
        top, left = place // columns * height, place % columns * width
        whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole


def examine_photo(predictor: Predictor, photo: np.ndarray) -> Examination:
    """A photo (H, W, 3) uint8 that is in memory, judged."""
    return predictor.examine(_png(photo))


def _png(photo: np.ndarray) -> bytes:
    return cv2.imencode(".png", photo[:, :, ::-1])[1].tobytes()


def by_clip_and_frame(scores: pd.DataFrame, band: Band, interval: FrameInterval) -> pd.DataFrame:
    """Clip by clip: its score, the interval over its frames, and whether its verdict is right.

    Args:
        scores: rows of scores.csv.
        band: the limits of a film.
        interval: of the mean of some scores, (low, high); None where it cannot be had.

    Returns:
        Columns `kind` ("real", "fake"), `score`, the interval's ends `low` and `high`, `verdict` ("right", "wrong",
        "none"), and `clear`: the interval holds neither limit. One row a clip that has an interval.
    """
    rows = []
    for _, clip in scores[scores["cannot_tell"] == ""].groupby(CLIP_KEY):
        fake = clip["probability_fake"].to_numpy()
        if (ends := interval(fake)) is not None:
            label, score = int(clip["label"].iloc[0]), float(fake.mean())
            answer = band.answers(np.array([score]))[0]
            verdict = "none" if np.isnan(answer) else ("wrong", "right")[int(answer == label)]
            clear = len(set(band.answers(np.array(ends)).astype(str))) == 1
            rows.append((plots.NAMES[label], score, *ends, verdict, clear))
    return pd.DataFrame(rows, columns=["kind", "score", "low", "high", "verdict", "clear"])


def turning(table: pd.DataFrame, answers: Callable[[np.ndarray], np.ndarray]) -> dict[str, int]:
    """Of photos at several sizes, how many get contrary verdicts, and how many fall silent at some size.

    Args:
        table: columns `photo`, and `score` at each of its sizes.
        answers: of scores (N,): 1 for fake, 0 for real, NaN for neither.

    Returns:
        The number of photos with "both answers", and "no answer at some size".
    """
    given = table.assign(answer=answers(table["score"].to_numpy())).groupby("photo")["answer"]
    return {"both answers": int((given.nunique() > 1).sum()),
            "no answer at some size": int(given.apply(lambda some: some.isna().any()).sum())}  # fmt: skip


def in_light(predictor: Predictor, faces: pd.DataFrame, light: float) -> pd.DataFrame:
    """Crops in other light: what the network says of them, and why they get no answer.

    Args:
        predictor: judges.
        faces: rows of faces.csv, with `file`.
        light: a factor of all pixels; 1 leaves them as they are.

    Returns:
        The rows with `probability_fake`, and `cannot_tell`, "" where a crop is like those of training.
    """
    detector = predictor.detector
    crops = torch.stack([read_crop(file) for file in faces["file"]])
    crops = (crops.float() * light).clamp(0, 255).to(torch.uint8)
    found = torch.cat([detector.answers(detector.preprocessing.apply(part)) for part in crops.split(_BATCH)])
    logits, distances = found.double().numpy().T
    edges = np.maximum(faces["x2"] - faces["x1"], faces["y2"] - faces["y1"]).to_numpy(float)
    qualities = crop_qualities(crops.numpy(), np.zeros(len(faces)), edges)
    qualities = qualities.assign(**{DISTANCE: measured(distances, detector.likeness)})
    why = [detector.decision.outside(row) for row in qualities.to_dict("records")]
    return faces.assign(probability_fake=detector.decision.probability(logits), cannot_tell=why)


@dataclass(frozen=True)
class Accused:
    """Uploads, counted.

    Attributes:
        honest, forged: how many there are.
        accused: of the honest, called fake.
        caught: of the forged, called fake.
    """

    honest: int
    forged: int
    accused: int
    caught: int


def accused_of(share: float, alarms: float, misses: float, uploads: int = 1000) -> Accused:
    """What happens to so many uploads, in whole ones.

    Args:
        share: of them, forged.
        alarms: of the real ones, called fake.
        misses: of the forged ones, called real.
        uploads: how many.
    """
    forged = round(share * uploads)
    honest = uploads - forged
    return Accused(honest, forged, round(honest * alarms), round(forged * (1 - misses)))
