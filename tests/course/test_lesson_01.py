"""The figures of lesson 01, on a data set of a few frames made up here."""

import matplotlib
import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.course import lesson_01
from torchfakes_utils.datasets import faceforensics
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import write_video

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two people, two methods, two compressions; FaceSwap has masks, FaceShifter none; a face is a square."""
    root = tmp_path_factory.mktemp("ffpp")
    names = {"original_sequences/youtube": ["000", "003"]}
    names |= {f"manipulated_sequences/{method}": ["000_003", "003_000"] for method in ("FaceSwap", "FaceShifter")}
    for number, (folder, stems) in enumerate(names.items()):
        for stem in stems:
            frame = np.full((64, 96, 3), 60, np.uint8)
            frame[20:44, 40:60] = 120 + 40 * number
            for compression in ("c23", "c40"):
                write_video(root / folder / compression / "videos" / f"{stem}.mp4", [frame] * 4)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:44, 40:60] = 255
    for stem in ("000_003", "003_000"):
        path = root / "manipulated_sequences/FaceSwap/masks/videos" / f"{stem}.mp4"
        write_video(path, [mask] * 4)
    return root, faceforensics.index(root)


def test_a_mask_becomes_a_box():
    mask = np.zeros((30, 40), np.uint8)
    assert lesson_01.masked_box(mask) is None
    mask[5:9, 10:30] = 255
    assert lesson_01.masked_box(mask) == (10, 5, 30, 9)
    assert lesson_01.masked_box(np.repeat(mask[..., None], 3, axis=2)) == (10, 5, 30, 9)


def test_change_is_in_grey_levels_and_has_no_sign():
    dark, light = np.full((2, 2, 3), 10, np.uint8), np.full((2, 2, 3), 250, np.uint8)
    assert (lesson_01.change(dark, light) == 240).all() and (lesson_01.change(light, dark) == 240).all()


def test_a_frame_beyond_the_end_is_the_last_one(data):
    root, clips = data
    assert lesson_01.frame(root, clips["path"].iloc[0], 99).shape == (64, 96, 3)
    with pytest.raises(InputError):
        lesson_01.frame(root, "nothing.mp4", 0)


def test_masks_are_known_and_reals_are_found(data):
    root, clips = data
    assert set(clips.loc[lesson_01.has_mask(root, clips), "method"]) == {"FaceSwap"}
    assert lesson_01.real_of(clips, "003", "c40")["clip_id"] == "003"
    with pytest.raises(InputError, match="999"):
        lesson_01.real_of(clips, "999", "c23")


def test_figures_of_faces_are_drawn_with_and_without_masks(data):
    root, clips = data
    family = lesson_01.family_figure(root, clips, "000", "c23", index=1)
    titles = [ax.get_title() for ax in family.axes]
    assert titles == ["target 000", "FaceShifter", "FaceSwap", "source 003", "its mask", "its mask"]
    face, _, mask = (family.axes[place].images[0].get_array() for place in (0, 4, 5))
    assert face.shape == mask.shape and mask.max() == 255 and mask.min() == 0  # cut where the mask is, and wider
    for method, story in (("FaceSwap", "000 wears the face of 003"), ("FaceShifter", "000 wears the face of 003")):
        figure = lesson_01.forgery_figure(root, clips, "000", method, "c40", index=1)
        assert [ax.get_title() for ax in figure.axes[:3]] == ["target 000", "source 003", f"{method} 000_003"]
        assert figure._suptitle.get_text() == f"000_003: {story} (c40)"
        assert bool(figure.axes[3].collections) == (method == "FaceSwap")  # the mask's outline
    rows = lesson_01.compression_figure(root, clips, "000", "FaceSwap", index=1).axes
    assert [ax.get_title() for ax in rows[1::3]] == ["FaceSwap, c23", "FaceSwap, c40"]
    with pytest.raises(InputError, match="Deepfakes"):
        lesson_01.forgery_figure(root, clips, "000", "Deepfakes", "c23")


def test_islands_leave_out_arrows_to_people_who_are_not_drawn():
    arrows = [("000", "003", "train"), ("003", "000", "test"), ("000", "777", "train")]
    figure = lesson_01.islands_figure([("000", "003")], {"one": (arrows, {"000": "train"}), "two": ([], {})})
    assert [len(ax.patches) for ax in figure.axes] == [2, 0]


def test_leaks_are_bars_with_their_share_beside_them():
    figure = lesson_01.leak_figure(pd.DataFrame({"A": [1.0, 0.0], "B": [0.72, 0.0]}, index=["clips", "pairs"]))
    assert {text.get_text() for text in figure.axes[0].texts} == {"100%  A", "72%  B", "0%  A", "0%  B"}
