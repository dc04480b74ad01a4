"""Photos are converted in parts to what they are as a whole, and those that cannot be read have their true reason."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.io import photos
from torchfakes_utils.io.media import open_media

from cases import CASES
from cases.people import portrait
from cases.photos import vast


def refusal(source):
    with pytest.raises(InputError) as caught:
        open_media(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16", "F", "YCbCr"])
@pytest.mark.parametrize("turn", [1, 6, 2])
def test_a_photo_in_parts_is_the_photo(monkeypatch, mode, turn):
    given = Image.fromarray(portrait(0)[:77, :101])
    given.putalpha(Image.fromarray(np.arange(77 * 101, dtype=np.uint32).reshape(77, 101).astype(np.uint8)))
    levels = np.asarray(given.convert("L"))
    image = (
        Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16"
        else Image.fromarray(levels.astype(np.float32) / 255) if mode == "F" else given.convert(mode)
    )  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = turn
    image.info["exif"] = exif.tobytes()
    whole = photos.to_rgb(image.copy())
    for size in (1, 50, 333):  # parts of a row, and some rows
        monkeypatch.setattr(photos, "_STRIP", size if size > 1 else 60)
        assert np.array_equal(photos.to_rgb(image.copy()), whole)
    assert whole.shape == ((101, 77, 3) if turn == 6 else (77, 101, 3))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no numbers in TIFF", "pixels that are no numbers (NaN or infinite)"),
        ("float colours in TIFF", "a TIFF photo of 3 times 32-bit floats, which are not read here; save it as"),
        ("a camera's DNG", "a camera's raw photo; develop it"),
        ("112 megapixels", "100 megapixels are the most: scale it down, or allow more (--max-megapixels)"),
        ("comments of two gigabytes", "comments unpack to more than a photo needs"),
        ("a png that claims", "too large"),
        ("a vast GIF", "an animation of 10000 x 10000 pixels; 8K is the most"),
        ("a vast WebP", "8K is the most"),
    ],
)
def test_true_reasons(tmp_path, name, reason):
    said = refusal(CASES[name].make(tmp_path))
    assert reason in said and "damaged" not in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"8BPS\0\1", "Photoshop"),
        (b"\xff\x0a" + bytes(40), "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw photo"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw photo"),
        (b"FUJIFILMCCD-RAW 0201", "raw photo"),
        (b"ID3\4\0\0", "sound alone"),
    ],
)
def test_what_nothing_here_decodes_is_called_by_its_name(content, reason):
    assert reason in refusal(content)


@pytest.mark.parametrize("name", ["floats in TIFF", "floats beyond white"])
def test_floats_keep_their_shades(tmp_path, name):
    shown = open_media(CASES[name].make(tmp_path)).pictures[0]
    grey = np.asarray(Image.fromarray(portrait(0)).convert("L")).astype(float)
    assert np.corrcoef(shown[:, :, 0].ravel(), grey.ravel())[0, 1] > 0.99 and shown.max() > 200


def test_a_long_animation_is_looked_at_as_far_as_it_may_cost(tmp_path):
    given = io.BytesIO()
    frames = [Image.fromarray(np.full((20, 20), value, np.uint8)) for value in range(200)]
    frames[0].save(given, "GIF", save_all=True, append_images=frames[1:])
    assert len(open_media(given.getvalue(), 200).pictures) == 200
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("torchfakes_utils.io.media.MOST_ANIMATED_PIXELS", 400 * 50)
        media = open_media(given.getvalue(), 200)
    assert len(media.pictures) == 50 and media.notes == ("only the first 50 pictures are looked at",)


def test_a_limit_that_is_raised_is_kept_to(tmp_path):
    from torchfakes_utils.io.limits import Limits

    path = vast(tmp_path, 1200, 1000)
    with pytest.raises(InputError, match="1 megapixels are the most"):
        open_media(path, 1, Limits(10**6))
    assert open_media(path, 1, Limits(2 * 10**6)).pictures[0].shape == (1000, 1200, 3)
    assert Limits(400_000_000).process_memory > 9e9 and Limits().process_memory == 3 * 2**30


def _exif(*entries):
    """EXIF of one directory: number, kind, count and value of each."""
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4)


_SIXTH = (0x112, 3, 1, 6)  # turned by a quarter


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("exif", "upright"),
    [
        (_exif(_SIXTH), True),
        (_exif((0x10E, 2, 100_000, 0xFFFF), _SIXTH), True),  # a description that leads beyond the end
        (_exif((0x10E, 2, 100_000, 0xFFFF), _SIXTH)[:-6], True),  # cut off right behind the value
        (_exif(_SIXTH, (0x8769, 4, 1, 8)), True),  # a directory within itself
        (_exif((0x112, 3, 1, 77)), False),
        (_exif((0x112, 7, 4, 6)), False),
        (_exif(_SIXTH)[:14], False),
        (b"Exif\0\0garbage" * 3, False),
    ],
)
def test_a_photo_is_turned_as_its_exif_says_as_far_as_that_can_be_read(exif, upright, kind):
    shades = np.zeros((24, 40, 3), np.uint8)
    shades[:, 20:] = 255
    given = io.BytesIO()
    Image.fromarray(shades).save(given, kind, exif=exif)
    (shown,) = open_media(given.getvalue()).pictures
    assert shown.shape == ((40, 24, 3) if upright else (24, 40, 3))
    assert shown[2, 2].max() < 60 and shown[-3, -3].min() > 200


@pytest.mark.parametrize("pages", [1, 3])
def test_of_several_pages_the_first_is_looked_at_which_is_said(pages):
    given = io.BytesIO()
    photos_ = [Image.new("RGB", (30, 30), (shade, 0, 0)) for shade in (10, 100, 200)[:pages]]
    photos_[0].save(given, "TIFF", save_all=True, append_images=photos_[1:])
    media = open_media(given.getvalue())
    assert media.pictures[0][0, 0, 0] == 10 and [note[:14] for note in media.notes] == ["only the first"] * (pages > 1)
