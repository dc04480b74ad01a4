"""What learners write in lesson 09: a photo upright, a photo without its note, a verdict, a share of accusations."""

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, REAL

_TURNS = {1: 0, 3: 2, 6: -1, 8: 1}  # quarters anticlockwise that set a photo upright, by its orientation


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The photo as it was taken.

    Args:
        pixels: (H, W, 3), as stored.
        orientation: 1, 3, 6 or 8, of its EXIF note (CIPA DC-008, tag 0x0112).
    """
    return np.rot90(pixels, _TURNS[orientation])


def _photos(generator: np.random.Generator) -> list[tuple[np.ndarray, int]]:
    return [(generator.integers(0, 256, (3, 4 + place, 3), dtype=np.uint8), value)
            for place, value in enumerate(_TURNS)]  # fmt: skip


UPRIGHT = Exercise(
    "upright", "Which way is up", minutes=5, difficulty=1, reference=upright, cases=_photos,
    wrong={
        "The quarter turns go the other way. 6 says: turn me clockwise. np.rot90(pixels, 1) turns anticlockwise.":
            lambda pixels, value: np.rot90(pixels, {1: 0, 3: 2, 6: 1, 8: -1}[value]),
        "You give the photo back as it is stored. That is what an app does that has never heard of the note.":
            lambda pixels, value: pixels,
        "3 is half a turn. Upside down alone is a mirror image: left and right change places as well.":
            lambda pixels, value: pixels[::-1] if value == 3 else upright(pixels, value),
        "3 is half a turn. Left and right alone is a mirror image: up and down change places as well.":
            lambda pixels, value: pixels[:, ::-1] if value == 3 else upright(pixels, value),
        "To swap height and width is a mirror image, and no turn. A quarter turn also flips one of the two axes.":
            lambda pixels, value: pixels.swapaxes(0, 1) if value in (6, 8) else upright(pixels, value),
    },
    afterwards="Every phone that was held sideways is upright now.",
)  # fmt: skip


# --- a photo without its note


def without_note(data: bytes) -> bytes:
    """A photo as a JPEG file that stands upright and says nothing but its pixels.

    Args:
        data: a JPEG file, with an EXIF note.
    """
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        ImageOps.exif_transpose(image).save(file, "JPEG", quality=95)
    return file.getvalue()


def noted(pixels: np.ndarray, orientation: int = 6) -> bytes:
    """A JPEG file as a phone writes it: with the photo's orientation, the camera and where it was taken.

    Args:
        pixels: (H, W, 3) uint8, as stored.
        orientation: what the note says of them.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Model] = orientation, "A phone"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (47.0, 22.0, 0.0)
    place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (8.0, 33.0, 0.0)
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def _notes(generator: np.random.Generator) -> list[tuple[bytes]]:
    """Smooth pictures, of which JPEG changes little, in three orientations."""
    files = []
    for orientation in (6, 3, 8):
        corners = Image.fromarray(generator.integers(0, 256, (3, 4, 3), dtype=np.uint8))
        files.append((noted(np.asarray(corners.resize((64, 48), Image.Resampling.BICUBIC)), orientation),))
    return files


_SAME = 8.0  # levels of 255 by which a picture may differ on average, for it was compressed once more


def _notes_differ(expected: Any, found: Any) -> str:
    """As `Exercise.difference`, of photos as files: the note of the one found, its shape and its pixels."""
    if isinstance(found, (bytearray, memoryview)):
        found = bytes(found)
    if isinstance(found, list) and all(isinstance(line, bytes) for line in found):
        return "yours is no bytes; those of a BytesIO are its getvalue()"  # as an iterator it is a list of lines
    if not isinstance(found, bytes):
        return f"yours is {comparison.describe(found)}, and the bytes of a file are expected"
    try:
        with Image.open(io.BytesIO(found)) as image, Image.open(io.BytesIO(expected)) as wanted:
            note, wanted_note, kind = _told(image), _told(wanted), image.format
            pixels, other = (np.asarray(one.convert("RGB"), float) for one in (image, wanted))
    except (UnidentifiedImageError, OSError):
        return f"yours has {len(found)} bytes that are no photo"
    if kind != "JPEG":
        return f"yours is a photo in the format {kind}, and a JPEG is expected"
    if text := "" if note else _besides(found):
        return text
    if note != wanted_note:
        return f"the file still says: {note}"
    if pixels.shape != other.shape:
        return f"yours has {pixels.shape[:2]} rows and columns, and {other.shape[:2]} are expected"
    return "yours shows another picture, or one compressed too hard" if np.abs(pixels - other).mean() > _SAME else ""


_KINDS = {0xE1: "XMP, or another note", 0xED: "IPTC, a newspaper's note", 0xFE: "a comment"}


def _besides(data: bytes) -> str:
    """What a JPEG file holds besides its picture, in words: by its segments (ITU-T T.81, annex B)."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xD9:
            behind = len(data) - place - 2
            return f"the file goes on behind its picture, for {behind} bytes" if behind else ""
        if marker in _KINDS:
            return f"the file still holds {_KINDS[marker]}"
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        while (
            marker == 0xDA
            and place + 2 <= len(data)
            and (data[place] != 0xFF or data[place + 1] == 0 or 0xD0 <= data[place + 1] <= 0xD7)
        ):
            place += 1  # the picture itself
    return "" if data[place:] == b"\xff\xd9" else "the file ends within its picture"


def _told(image: Image.Image) -> str:
    """The names of what an EXIF note says."""
    exif = image.getexif()
    names = [ExifTags.TAGS.get(tag, str(tag)) for tag in exif]
    return ", ".join(sorted(names))


def _saved(data: bytes, turn: bool, exif: bool) -> bytes:
    """A photo saved again, turned or not, with its old note or without."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        shown, note = (ImageOps.exif_transpose(image) if turn else image), image.getexif()
        shown.save(file, "JPEG", quality=95, **({"exif": note} if exif else {}))
    return file.getvalue()


WITHOUT_NOTE = Exercise(
    "without_note", "Keep the face, not the place", minutes=8, difficulty=2, reference=without_note, cases=_notes,
    difference=_notes_differ,
    wrong={
        "The note is still in the file, and with it the place where the photo was taken.": lambda data: data,
        "The note is gone, and so is what it said of the orientation. Turn the photo before you drop its note.":
            lambda data: _saved(data, turn=False, exif=False),
        "The photo is turned, and its old note still says “turn me”: a viewer turns it once more. Save it without.":
            lambda data: _saved(data, turn=True, exif=True),
    },
    afterwards="Pixels upright, and no word of camera or place.",
)  # fmt: skip


# --- a file with several people


def verdict(fake: np.ndarray, usable: np.ndarray, real_to: float, fake_from: float) -> str:
    """The verdict on a film with several people: mean over usable frames, the most fake-looking person decides.

    Args:
        fake: (people, frames) P(fake).
        usable: (people, frames) bool, whether a crop is like those of training.
        real_to, fake_from: up to where somebody is called real, and from where on fake.
    """
    fake, usable = np.asarray(fake, float), np.asarray(usable, bool)
    said = _of_judged(fake, usable, real_to, fake_from)
    return said if said == FAKE or usable.any(axis=1).all() else CANNOT_TELL


def _of_judged(fake: np.ndarray, usable: np.ndarray, real_to: float, fake_from: float) -> str:
    """The verdict on those who can be judged, whoever cannot."""
    means = _means(fake, usable)
    return _by_limits(max(means), real_to, fake_from) if means else CANNOT_TELL


def _by_limits(score: float, real_to: float, fake_from: float) -> str:
    return FAKE if score >= fake_from else REAL if score <= real_to else CANNOT_TELL


def _films(generator: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray, float, float]]:
    """Films of one to three people, each of which one of the mistakes gets wrong."""
    wide, low = (0.4, 0.6), (0.2, 0.4)

    def film(means: Iterable[float], limits: tuple[float, float], unusable: Iterable[int] = ()) -> tuple[Any, ...]:
        noise = generator.uniform(-0.03, 0.03, (len(list(means)), 4))
        fake = np.clip(np.array(list(means))[:, None] + noise, 0, 1)
        usable = np.ones(fake.shape, bool)
        usable[list(unusable)] = False
        return fake, usable, *limits

    odd = film([0.1], wide)
    odd[0][0, int(generator.integers(4))] = 0.95  # one odd frame of four; the mean stays low
    dark = film([0.1], low)
    dark[0][0, :2], dark[1][0, :2] = 0.95, False  # what looks fake is not usable
    short = film([0.7], low)
    short[1][0, 1:] = False  # fake in the one frame that is usable
    return [
        film([0.1, 0.6, 0.1], low),  # one forged face among real ones
        odd,
        film([0.9], wide, [0]),  # nobody can be judged
        film([0.44], low),  # the given limit, not 0.5
        film([0.5, 0.1], wide),  # between the limits
        dark,
        film([0.1, 0.1], low, [0]),  # one cannot be judged, so that not everybody is real
        film([0.9, 0.7], low, [0]),  # one cannot be judged, and the other is fake all the same
        film([0.1, 0.1], low),  # everybody is real
        (np.full((1, 4), 0.5), np.ones((1, 4), bool), 0.25, 0.5),  # exactly where fake begins, and where real ends
        (np.full((1, 4), 0.25), np.ones((1, 4), bool), 0.25, 0.5),
        (generator.permutation([0.1, 0.1, 0.1, 0.9])[None], np.ones((1, 4), bool), 0.2, 0.4),  # its median is real
        short,
    ]


def _by_medians(fake: np.ndarray, usable: np.ndarray, real_to: float, fake_from: float) -> str:
    medians = np.array([[np.median(row[good]) if good.any() else 0] for row, good in zip(fake, usable, strict=True)])
    return verdict(medians, np.asarray(usable.any(axis=1))[:, None], real_to, fake_from)


def _means(fake: np.ndarray, usable: np.ndarray) -> list[float]:
    """The scores of those who can be judged."""
    return [float(row[good].mean()) for row, good in zip(fake, usable, strict=True) if good.any()]


VERDICT = Exercise(
    "verdict", "One verdict for several people", minutes=10, difficulty=2, reference=verdict, cases=_films,
    wrong={
        "All your verdicts are right but for their capitals. A program compares letter by letter: “fake”, not “Fake”.":
            lambda *film: verdict(*film).capitalize(),
        "One forged face among several makes a forged film. Do you average over people?":
            lambda fake, usable, *limits: _by_limits(fake[usable].mean(), *limits)
            if usable.any(axis=1).all() else verdict(fake, usable, *limits),
        "One frame in four looks odd, and you call the person fake. Mean over frames, maximum over people.":
            lambda fake, usable, *limits: _by_limits(fake[usable].max(), *limits)
            if usable.any(axis=1).all() else verdict(fake, usable, *limits),
        "Crops that are not usable still count in your means. Leave them out.":
            lambda fake, usable, *limits: _by_limits(fake.mean(axis=1).max(), *limits),
        "Is there a 0.5 in your code? The limits are given, and both may lie below it.":
            lambda fake, usable, real_to, fake_from: verdict(fake, usable, min(real_to, 0.5), 0.5),
        "A mean exactly at a limit counts: fake from `fake_from` on (>=), real up to `real_to` (<=).":
            lambda fake, usable, real_to, fake_from:
            verdict(fake, usable, np.nextafter(real_to, 0), np.nextafter(fake_from, 1)),
        "That is the median over frames. The mean is asked for.": _by_medians,
        "Between the two limits neither rate can be kept: there is a third answer.":
            lambda fake, usable, real_to, fake_from: verdict(fake, usable, np.nextafter(fake_from, 0), fake_from),
        "Between the two limits nobody is called fake either: the answer is that one cannot tell.":
            lambda fake, usable, real_to, fake_from: verdict(fake, usable, real_to, np.nextafter(real_to, 1)),
        "Somebody who cannot be judged is real in yours, by a score of 0 or because `all` of nobody is True. Real "
        "needs everybody.":
            lambda fake, usable, *limits: _by_limits(max(_means(fake, usable), default=0.0), *limits),
        "A frame that is not usable counts as 0 in your means. Leave it out of them.":
            lambda fake, usable, *limits: _by_limits(np.where(usable, fake, 0).mean(axis=1).max(), *limits),
        "A frame that is not usable counts as 0 in your means: divide by how many are usable, not by all.":
            lambda fake, usable, *limits: _by_limits(np.where(usable, fake, 0).mean(axis=1).max(), *limits)
            if usable.any(axis=1).all() else verdict(fake, usable, *limits),
        "Where nobody can be judged, there is no largest score: ask for that first. What is the answer then?":
            lambda fake, usable, *limits: _by_limits(max(_means(fake, usable)), *limits),
        "Where nobody can be judged, np.max has nothing to choose from: ask for that first. What is the answer then?":
            lambda fake, usable, *limits: _by_limits(np.max(_means(fake, usable)), *limits),
        "One person cannot be judged at all. Who says that this one is not the fake? Real needs everybody.":
            lambda fake, usable, *limits: _of_judged(fake, usable, *limits),
        "You fall silent as soon as one person cannot be judged. One who is fake makes the film fake all the same.":
            lambda fake, usable, *limits: verdict(fake, usable, *limits)
            if usable.any(axis=1).all() else CANNOT_TELL,
    },
    afterwards="The mean over usable frames, the person who looks most fake, the given limits, and a third answer.",
)  # fmt: skip


# --- whom an answer harms


def wrongly_accused(share: float, alarms: float, misses: float) -> float:
    """Of the uploads that are called fake, the share that are real (Bayes' rule).

    Args:
        share: of all uploads, those that are forged.
        alarms: of the real ones, those that are called fake.
        misses: of the forged ones, those that are called real.
    """
    honest, forged = (1 - share) * alarms, share * (1 - misses)
    return honest / (honest + forged)


def _rates(generator: np.random.Generator) -> list[tuple[float, float, float]]:
    drawn = [(generator.uniform(0.02, 0.3), generator.uniform(0.02, 0.2), generator.uniform(0.15, 0.4))
             for _ in range(4)]  # fmt: skip
    return [tuple(round(float(rate), 2) for rate in rates) for rates in drawn]  # type: ignore[misc]


WRONGLY_ACCUSED = Exercise(
    "wrongly_accused", "Weigh the rates", minutes=6, difficulty=2, reference=wrongly_accused, cases=_rates,
    wrong={
        "That is how many of the real ones are accused. Asked is how many of the accused are real.":
            lambda share, alarms, misses: alarms,
        "That is the share of all uploads that are real and accused. Divide by all that are called fake.":
            lambda share, alarms, misses: (1 - share) * alarms,
        "Your rates count as if there were as many real uploads as forged ones. Weigh them with 1 − share and share.":
            lambda share, alarms, misses: alarms / (alarms + 1 - misses),
        "That is the share of accusations that are deserved. The others are asked for.":
            lambda share, alarms, misses: 1 - wrongly_accused(share, alarms, misses),
        "misses are the fakes that nobody accuses. Those that are called fake are 1 − misses of them.":
            lambda share, alarms, misses: wrongly_accused(share, alarms, 1 - misses),
        "You have taken the forged uploads for the real ones: share is how many are forged.":
            lambda share, alarms, misses: wrongly_accused(1 - share, alarms, misses),
    },
    afterwards="It depends on `share`, which no test set knows.",
)  # fmt: skip
