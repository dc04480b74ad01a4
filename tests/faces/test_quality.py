"""The blur measure does what its definition says, and the filter never touches the test split by itself."""

import cv2
import numpy as np
import pandas as pd
import pytest

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
    """Twelve crops: in each split three reals, of which one is blurred, and one blurred fake."""
    rows = [
        {"label": label, "method": "FaceSwap" if label else "youtube", "split": split, "sharpness": sharpness}
        for split in ("train", "val", "test")
        for label, sharpness in ((0, 100.0), (0, 30.0), (0, 5.0), (1, 29.9))
    ]
    return pd.DataFrame(rows, index=range(100, 112))


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


def test_filter_touches_the_test_split_only_by_name(faces: pd.DataFrame) -> None:
    kept = filter_blurred(faces, splits=["test"])
    assert kept["split"].value_counts().to_dict() == {"train": 4, "val": 4, "test": 2}
    with pytest.raises(TypeError, match="'test',"):
        filter_blurred(faces, splits="test")


def test_brightness_contrast_and_edges():
    crops = np.zeros((2, 3, 8, 8), np.uint8)
    crops[1, :, :, ::4] = 200
    brightness, contrast = brightness_and_contrast(crops)
    assert brightness.tolist() == pytest.approx([0, 100]) and contrast.tolist() == pytest.approx([0, 100])
    faces = pd.DataFrame({"x1": [0, ""], "x2": [130, ""], "y1": [10, ""], "y2": [75, ""]})
    assert face_edges(faces, 1.3)[0] == pytest.approx(100) and np.isnan(face_edges(faces, 1.3)[1])


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
