"""What a player shows is what is judged: colours, the shape of pixels, fields, rotation, the right stream."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from torchfakes_utils.io import decoding, display
from torchfakes_utils.io.video import probe, read_frames

from cases import CASES
from cases.boxes import patched
from cases.encode import Coding, encode, film, pictures, shot
from cases.films import PQ, A, ten_bits


@pytest.fixture
def made(tmp_path):
    """Makes a case, by name."""
    return lambda name: CASES[name].make(tmp_path)


def shown(path, index=0):
    return read_frames(path, [index])[1][0]


def difference(picture, other):
    return np.abs(picture.astype(float) - other).mean()


@pytest.fixture(scope="module")
def original():
    return next(pictures([A(1)]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["HLG of a phone", "PQ of a phone", "HLG in webm", "ten bits, but SDR"])
def test_hdr_has_the_colours_of_the_same_scene_in_sdr(made, original, name):
    assert difference(shown(made(name)), original) < 4  # levels; as they are, 22 and more


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_what_the_container_alone_says_of_colours_counts(tmp_path, original, suffix):
    tags = {"color_trc": PQ, "color_primaries": 9, "colorspace": 9, "color_range": 1}
    silent = {"x265-params": "colorprim=2:transfer=2:colormatrix=2"}
    coding = Coding("libx265", "yuv420p10le", options=silent, context=tags)
    path = encode(tmp_path / f"film.{suffix}", (ten_bits(one, PQ) for one in pictures([A(0.2)])), coding)
    assert difference(shown(path), original) < 4


def test_light_beyond_white_is_compressed_and_nothing_is_turned_about():
    ramp = np.repeat(np.linspace(0, 65535, 400).astype(np.uint16)[None, :, None], 3, axis=2)
    for curve in (16, 18):
        values = display._in_sdr(np.repeat(ramp, 4, axis=0), curve, 9)[0].astype(int)
        assert (np.diff(values, axis=0) >= 0).all()
        assert values[0].max() == 0 and values[-1].min() >= 253
        assert len(np.unique(values[200:, 0])) > 20  # not clipped: what is brighter than white still differs


@pytest.mark.parametrize("name", ["colours unsaid", "impossible colours", "a matrix of GBR", "full range", "4:4:4"])
def test_colours_unsaid_or_impossible_are_the_usual_ones(made, original, name):
    assert difference(shown(made(name)), original) < 3


@pytest.mark.parametrize(("width", "matrix"), [(640, 5), (1280, 1)])
def test_a_film_without_a_matrix_has_that_of_its_size(tmp_path, width, matrix):
    red = np.zeros((width * 9 // 16, width, 3), np.uint8)
    red[:, :, 0], red[:, :, 1] = 200, 60
    tagged = Coding(context={"colorspace": matrix})
    with_tags = shown(encode(tmp_path / "a.mp4", [as_yuv(red, matrix)] * 2, tagged))
    assert np.array_equal(shown(encode(tmp_path / "b.mp4", [as_yuv(red, matrix)] * 2)), with_tags)
    assert difference(with_tags, red) < 4


def as_yuv(picture, matrix):
    import av

    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace=matrix)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("wide pixels", (640, 360)),
        ("narrow pixels", (1280, 720)),
        ("a DVD's pixels", (640, 360)),
        ("absurd pixels", (640, 360)),
    ],
)
def test_pixels_are_square_when_shown_and_none_is_lost(made, original, name, size):
    path = made(name)
    assert (probe(path).width, probe(path).height) == size
    picture = shown(path)
    if size == (640, 360):
        assert difference(picture, original) < 4


@pytest.mark.parametrize("name", ["interlaced", "interlaced MPEG-2"])
def test_interlaced_frames_show_one_moment(made, name):
    rows = shown(made(name)).astype(float).mean(axis=2)
    neighbours, seconds = np.abs(rows[1:] - rows[:-1]).mean(), np.abs(rows[2:] - rows[:-2]).mean()
    assert neighbours < seconds  # with a comb it is the other way about


@pytest.mark.parametrize(
    "name", ["a matrix of zeros", "a matrix that flattens", "a crooked matrix", "a matrix of largest numbers"]
)
def test_a_malformed_rotation_is_none(made, original, name):
    assert difference(shown(made(name)), original) < 3


@pytest.mark.parametrize(
    ("matrix", "turned"),
    [
        ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((1, 0, 0, -1), lambda picture: picture[::-1]),
        ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda picture: picture.swapaxes(0, 1)[::-1, ::-1]),
        ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    ],
)
def test_mirrored_and_turned_films_are_shown_as_their_matrix_says(tmp_path, matrix, turned):
    path = film(tmp_path / "film.mp4", [shot(0.2, 0)])
    upright = shown(path)
    a, b, c, d = (value * 0x10000 for value in matrix)
    content = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 0x40000000)
    path.write_bytes(patched(path.read_bytes(), "moov/trak/tkhd", 40, content))
    assert np.array_equal(shown(path), turned(upright))


def test_a_turned_film_of_wide_pixels_is_stretched_before_it_is_turned(tmp_path):
    frames = [np.zeros((96, 64, 3), np.uint8)] * 2
    path = encode(tmp_path / "film.mp4", frames, Coding(context={"sample_aspect_ratio": Fraction(2)}))
    content = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)
    path.write_bytes(patched(path.read_bytes(), "moov/trak/tkhd", 40, content))
    assert shown(path).shape == (128, 96, 3)


@pytest.mark.parametrize("name", ["a film with a cover", "a film after its cover"])
def test_a_cover_is_not_the_film(made, original, name):
    assert difference(shown(made(name)), original) < 3


@pytest.mark.parametrize("name", ["a song with a cover", "a song called film", "a song with a vast cover"])
def test_a_song_holds_no_film(made, name):
    with pytest.raises(decoding.InputError, match="sound with a cover picture, no film"):
        probe(made(name))
