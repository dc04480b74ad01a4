"""Frames that are compressed once more: as in the whole film; and films that are not those of the crops."""

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation.films import SQUARE, cut
from torchfakes_utils.evaluation.recompression import H264, JPEG, as_h264, as_jpeg, recompress
from torchfakes_utils.io.video import read_frames, write_video

FRAMES = (10, 45, 80, 115)


@pytest.fixture(scope="module")
def filmed(portraits, tmp_path_factory):
    """A film of 126 frames in which a face sways before a wall, its frames, and four crops of it."""
    folder = tmp_path_factory.mktemp("film")
    wall = cv2.resize(portraits[1], (242, 226))  # no whole number of blocks
    noise, frames = np.random.default_rng(0), []
    for step in range(126):
        x, y = 30 + 12 * np.sin(step / 9), 20 + 8 * np.cos(step / 13)
        frame = cv2.warpAffine(portraits[0], np.array([[1, 0, x], [0, 1, y]]), (242, 226), wall.copy(),
                               borderMode=cv2.BORDER_TRANSPARENT)  # fmt: skip
        frames.append(np.clip(frame + noise.normal(0, 2, frame.shape), 0, 255).astype(np.uint8))
    path = write_video(folder / "film.mp4", frames, crf=10, preset="ultrafast")
    frames, rows = read_frames(path)[1], []
    for number, frame in enumerate(FRAMES):
        # The last one reaches over the frame.
        square = np.array([90, 60, 190, 160]) + (number * np.array([3, 2, 3, 2]) if number < 3 else 80)
        Image.fromarray(cut(frames[frame], square, 64)).save(folder / f"{frame}.png")
        rows.append({"frame": frame, "file": str(folder / f"{frame}.png")} | dict(zip(SQUARE, square, strict=True)))
    return path, frames, pd.DataFrame(rows)


def cut_all(frames, rows):
    return [cut(frames[int(row["frame"])], row[SQUARE].to_numpy(float), 64) for _, row in rows.iterrows()]


def psnr(first, second):
    return np.mean([cv2.PSNR(one, two) for one, two in zip(first, second, strict=True)])


@pytest.mark.parametrize("crf", [23, 37])
def test_h264_loses_what_it_loses_in_the_whole_film(filmed, crf):
    path, frames, rows = filmed
    stored, whole = cut_all(frames, rows), cut_all(as_h264(frames, crf), rows)
    found = recompress(H264, path, rows, [crf])[crf]
    assert [crop.shape for crop in found] == [(64, 64, 3)] * 4
    gap = psnr(stored, found) - psnr(stored, whole)
    assert abs(gap) < 1
    # Crops that are a film of their own lose much more.
    assert psnr(stored, as_h264(stored, crf)) - psnr(stored, whole) < -2


def test_the_crop_of_a_jpeg_is_exactly_that_of_the_whole_frame(filmed):
    path, frames, rows = filmed
    found = recompress(JPEG, path, rows, [30, 70])
    for quality, crops in found.items():
        whole = {index: as_jpeg([frames[index]], quality)[0] for index in FRAMES}
        for one, two in zip(crops, cut_all(whole, rows), strict=True):
            np.testing.assert_array_equal(one, two)


def test_frames_near_each_other_are_one_run_and_give_each_its_crop(filmed):
    path, frames, rows = filmed
    near = pd.concat([rows.iloc[[0]], rows.iloc[[0]].assign(frame=18)])
    Image.fromarray(cut(frames[18], near.iloc[1][SQUARE].to_numpy(float), 64)).save(path.with_name("18.png"))
    near = near.assign(file=[near["file"].iloc[0], str(path.with_name("18.png"))])
    codec, runs = H264, []
    counted = type(codec)(lambda parts, crf: runs.append(len(parts)) or list(parts), 8, 32, True)
    found = recompress(counted, path, near, [18])[18]
    assert runs == [25], "frames 2 to 26"
    for one, two in zip(found, cut_all(frames, near), strict=True):
        np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.assign(frame=[10, 45, 80, 126]), "has 126 frames, and the table names frame 126"),
        (lambda rows: rows.assign(frame=[11, 60, 90, 118]), "does not show the crop"),
        (lambda rows: rows.assign(x1=np.nan), "where in the frames"),
        (lambda rows: rows.assign(file="gone.png"), "cannot be read"),
    ],
)
def test_another_film_is_told_by_its_length_and_its_pixels(filmed, change, words):
    path, _, rows = filmed
    with pytest.raises(InputError, match=words):
        recompress(JPEG, path, change(rows), [50])


def test_a_photo_is_no_film(filmed):
    path, frames, rows = filmed
    photo = path.with_name("photo.png")
    Image.fromarray(frames[10]).save(photo)
    one = rows.iloc[[0]].assign(frame=0)
    with pytest.raises(InputError, match="no film"):
        recompress(H264, photo, one, [23])
    assert len(recompress(JPEG, photo, one, [50])[50]) == 1
