"""The blur measure does what its definition says, and the filter never touches the test split by itself."""

import itertools

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.faces.detection import square_crop
from torchfakes_utils.faces.quality import (
    SHARPNESS_THRESHOLD,
    brightness_and_contrast,
    crop_qualities,
    face_edges,
    filter_blurred,
    outside_of,
    percent_outside,
    rejection_table,
    variance_of_laplacian,
)


def test_is_the_variance_of_the_laplacian_by_hand() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 8)).astype(np.uint8)
    padded = np.pad(image.astype(float), 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * padded[1:-1, 1:-1]
    assert variance_of_laplacian(image, size=8) == pytest.approx(laplacian.var())


def test_flat_image_has_no_edges() -> None:
    assert variance_of_laplacian(np.full((50, 40, 3), 90, np.uint8)) == 0


def test_falls_with_blur(portraits: list[np.ndarray]) -> None:
    blurred = [
        cv2.GaussianBlur(portraits[0], (0, 0), sigma) if sigma else portraits[0] for sigma in (0, 0.7, 1.5, 3, 6)
    ]
    values = [variance_of_laplacian(image) for image in blurred]
    assert values == sorted(values, reverse=True)
    assert values[0] > SHARPNESS_THRESHOLD > values[-1]


def test_is_comparable_between_sizes(portraits: list[np.ndarray]) -> None:
    """The same picture, stored at twice the size, is not sharper and not less sharp by much."""
    double = cv2.resize(portraits[1], None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    assert variance_of_laplacian(double) == pytest.approx(variance_of_laplacian(portraits[1]), rel=0.25)


@pytest.mark.parametrize("image", [np.zeros(5, np.uint8), np.zeros((5, 5), np.float32)])
def test_refuses_what_is_no_image(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        variance_of_laplacian(image)


@pytest.fixture
def faces() -> pd.DataFrame:
    """Twelve crops: in each split three reals, of which one is blurred, and one blurred fake; of nobody's film."""
    rows = [
        {"label": label, "method": "FaceSwap" if label else "youtube", "split": split, "sharpness": sharpness}
        for split in ("train", "val", "test")
        for label, sharpness in ((0, 100.0), (0, 30.0), (0, 5.0), (1, 29.9))
    ]
    table = pd.DataFrame(rows, index=range(100, 112))
    names = [f"{number:03d}" for number in range(12)]
    return table.assign(clip_id=names, target_id=names, original_id="", compression="c23", frame=0)


def pairs(*sharpnesses: tuple[float, float]) -> pd.DataFrame:
    """Frames of one film, each with its fake: sharpness of the real crop and of the fake one."""
    rows = [
        {"clip_id": name, "label": label, "method": method, "frame": frame, "sharpness": both[label]}
        for frame, both in enumerate(sharpnesses)
        for label, name, method in ((0, "000", "youtube"), (1, "000_003", "Deepfakes"))
    ]
    return pd.DataFrame(rows).assign(target_id="000", original_id="000", compression="c23", split="train")


def test_rejections_are_counted_by_label_method_and_split(faces: pd.DataFrame) -> None:
    table = rejection_table(faces, 30)
    assert table.columns.tolist() == ["label", "method", "split", "crops", "rejected", "share"]
    assert len(table) == 6
    real = table[(table["label"] == 0) & (table["split"] == "train")].iloc[0]
    assert (real["crops"], real["rejected"], real["share"]) == (3, 1, pytest.approx(1 / 3))
    assert table[table["label"] == 1]["share"].tolist() == [1, 1, 1]
    assert rejection_table(faces.iloc[:0]).empty


def test_filter_spares_validation_and_test(faces: pd.DataFrame) -> None:
    kept = filter_blurred(faces)
    assert kept["split"].value_counts().to_dict() == {"val": 4, "test": 4, "train": 2}
    assert kept.index.tolist() == [100, 101, *range(104, 112)]
    assert filter_blurred(faces, threshold=0).equals(faces)


def test_the_original_decides_and_a_pair_goes_together() -> None:
    kept = filter_blurred(pairs((40.0, 20.0), (20.0, 40.0), (31.0, 29.0)), 30)
    assert kept[["frame", "label"]].to_numpy().tolist() == [[0, 0], [0, 1], [2, 0], [2, 1]]


def test_a_fake_without_its_original_speaks_for_itself() -> None:
    table = pairs((40.0, 20.0), (20.0, 40.0), (np.nan, 20.0))
    alone = table[(table["label"] == 1) | (table["frame"] == 2)]
    assert filter_blurred(alone, 30)[["frame", "label"]].to_numpy().tolist() == [[1, 1], [2, 0]]
    other = table.assign(original_id=table["original_id"].where(table["label"] == 0, "007"))
    assert filter_blurred(other, 30)["frame"].tolist() == [0, 1, 2]


def test_the_original_decides_from_another_split() -> None:
    """Lesson 08's teams split by frame: what is asked of an original does not depend on where it went."""
    table = pairs((20.0, 40.0), (40.0, 20.0)).assign(split=["test", "train"] * 2)
    assert filter_blurred(table, 30)[["frame", "label"]].to_numpy().tolist() == [[0, 0], [1, 0], [1, 1]]


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 60)), min_size=1, max_size=30), st.floats(0, 60))
def test_whatever_the_threshold_no_pair_is_torn(sharpnesses: list[tuple[float, float]], threshold: float) -> None:
    kept = filter_blurred(pairs(*sharpnesses), threshold)
    assert (kept.groupby("frame")["label"].nunique() == 2).all()
    assert kept["frame"].nunique() == sum(real >= threshold for real, _ in sharpnesses)


def test_filter_touches_the_test_split_only_by_name(faces: pd.DataFrame) -> None:
    kept = filter_blurred(faces, splits=["test"])
    assert kept["split"].value_counts().to_dict() == {"train": 4, "val": 4, "test": 2}
    with pytest.raises(TypeError, match="'test',"):
        filter_blurred(faces, splits="test")


def test_brightness_contrast_and_edges():
    crops = np.zeros((2, 3, 160, 160), np.uint8)
    crops[1, :, :, ::4] = 200
    brightness, contrast = brightness_and_contrast(crops)
    assert brightness.tolist() == pytest.approx([0, 100]) and contrast.tolist() == pytest.approx([0, 100])
    faces = pd.DataFrame({"x1": [0, ""], "x2": [130, ""], "y1": [10, ""], "y2": [75, ""]})
    assert face_edges(faces, 1.3)[0] == pytest.approx(100) and np.isnan(face_edges(faces, 1.3)[1])


@pytest.mark.parametrize("size", [224, 256, 320, 448])
def test_light_and_edges_hardly_depend_on_the_size_at_which_a_crop_is_stored(portraits, size):
    """The same square of a film, cut at 160 px and larger: ranges and thresholds mean one thing for both."""
    large = [cv2.resize(portrait, (900, 900), interpolation=cv2.INTER_CUBIC) for portrait in portraits]
    boxes = [(250, 200, 600, 640), (300, 300, 500, 500), (100, 150, 700, 760)]
    for picture, box in itertools.product(large, boxes):
        usual, stored = (square_crop(picture, box, 1.3, edge)[0] for edge in (160, size))
        (bright, contrast), (as_bright, as_contrast) = (
            brightness_and_contrast([one.transpose(2, 0, 1)]) for one in (usual, stored)
        )
        assert as_bright == pytest.approx(bright, abs=0.5) and as_contrast == pytest.approx(contrast, rel=0.02)


def test_the_share_outside_of_the_frame():
    squares = np.array(
        [[0, 0, 100, 100], [-50, 0, 50, 100], [150, 50, 250, 150], [300, 300, 310, 310], [-10, -10, 5, 5]]
    )
    assert percent_outside(squares, (100, 200)).tolist() == pytest.approx([0, 50, 75, 100, 100 * (1 - 25 / 225)])
    assert np.isnan(outside_of(pd.DataFrame({"x1": [0]}))).all()
    assert outside_of(pd.DataFrame({"outside": [12.5, ""]}))[0] == 12.5


def test_qualities_are_measured_on_the_crop_unless_the_table_knows_its_sharpness(portraits: list[np.ndarray]) -> None:
    crops = np.stack([cv2.resize(portrait, (160, 160)) for portrait in portraits])
    pixels, edges = crops.transpose(0, 3, 1, 2), np.arange(30.0, 30 + len(crops))
    outside = np.arange(len(crops), dtype=float)
    seen = crop_qualities(pixels, outside, edges)
    for row, crop, edge, out in zip(seen.to_dict("records"), crops, edges, outside, strict=True):
        luma = crop[::2, ::2].astype(float) @ [0.299, 0.587, 0.114]
        assert row == {
            "outside": out,
            "face": edge,
            "brightness": pytest.approx(luma.mean(), rel=1e-4),
            "contrast": pytest.approx(luma.std(), rel=1e-4),
            "sharpness": variance_of_laplacian(crop),
        }
    assert (crop_qualities(pixels, outside, edges, np.full(len(crops), 7.0))["sharpness"] == 7).all()
