"""Faces are found in frames of any shape, and the square round one is cut as it says."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import FaceDetector, check_size, shown_size, square_crop
from torchfakes_utils.faces.tracking import follow


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Frames this small are no work to share, and threads that wait for each other slow a busy machine down."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector("cpu")


def test_finds_the_face_with_its_landmarks(detector: FaceDetector, portraits: list[np.ndarray]) -> None:
    for found in detector.detect(np.stack(portraits)):
        assert len(found) == 1
        assert found.boxes.dtype == found.landmarks.dtype == np.float32
        x1, y1, x2, y2 = found.boxes[0]
        assert 30 < x2 - x1 < 100
        assert found.probabilities[0] > 0.9
        left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks[0]
        assert x1 < left_eye[0] < nose[0] < right_eye[0] < x2
        assert y1 < left_eye[1] < nose[1] < left_mouth[1] < y2
        assert left_mouth[0] < right_mouth[0]


def test_batch_with_faceless_frames(detector: FaceDetector, portraits: list[np.ndarray]) -> None:
    """The trap of MTCNN's own choice of one face: it raises as soon as one frame of a batch has none."""
    black = np.zeros_like(portraits[0])
    results = detector.detect(np.stack([black, portraits[0], black, portraits[1]]))
    assert [len(found) for found in results] == [0, 1, 0, 1]
    assert results[0].boxes.shape == (0, 4)
    assert results[0].landmarks.shape == (0, 5, 2)
    assert follow(results) == [None, 0, None, 0]


@pytest.mark.parametrize("config", [ExtractionConfig(), ExtractionConfig(min_face=0.05)])
@pytest.mark.parametrize("finer", [1, 4])
@pytest.mark.parametrize(
    "shape", [(20, 100_000), (1_000_000, 100), (3000, 30_000), (10_000, 9900), (2160, 3840), (400, 8000), (20, 20)]
)
def test_what_a_picture_costs_has_a_bound(shape: tuple[int, int], finer: float, config: ExtractionConfig) -> None:
    """Pixels shown to the cascade, and pixels on which its first network works, whatever the picture's shape."""
    (width, height), least = shown_size(*shape, config, finer)
    assert width * height <= 24.1e6
    assert least >= 12  # nothing is enlarged
    assert width * height * (12 / least) ** 2 <= 401e3


def test_ordinary_pictures_are_searched_as_the_configuration_says() -> None:
    for shape in ((360, 640), (1080, 1920), (2160, 3840), (3024, 4032)):
        assert shown_size(*shape, ExtractionConfig(), 1)[1] == pytest.approx(36)
        assert shown_size(*shape, ExtractionConfig(min_face=0.05), 4)[1] >= 0.05 * min(shape) * 0.5


def test_a_thin_picture_is_refused_and_has_no_face(detector: FaceDetector) -> None:
    thin = np.full((3, 2000, 3), 255, np.uint8)
    assert [len(found) for found in detector.detect([thin], 4)] == [0]
    with pytest.raises(InputError, match="photo.png: has 2000 x 3 pixels, too small or too thin for a face"):
        check_size(thin, "photo.png")


def test_it_gives_up_when_it_is_late(portraits: list[np.ndarray]) -> None:
    late = FaceDetector("cpu")
    late.until = 0
    with pytest.raises(InputError, match="takes longer to look at than it may"):
        late.detect(portraits)


@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (500, 20), (61, 33)])
def test_frames_of_any_shape(detector: FaceDetector, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2, *shape, 3)).astype(np.uint8)
    assert len(detector.detect(noise)) == 2
    assert detector.detect(noise[:0]) == []


def test_two_faces_the_surest_first(detector: FaceDetector, portraits: list[np.ndarray]) -> None:
    (found,) = detector.detect(np.concatenate(portraits, axis=1)[None])
    assert len(found) == 2
    assert found.probabilities[0] >= found.probabilities[1]


def test_detection_on_a_smaller_frame_gives_boxes_of_the_full_one(portraits: list[np.ndarray]) -> None:
    big = cv2.resize(portraits[0], (768, 768), interpolation=cv2.INTER_CUBIC)[None]
    coarse = FaceDetector("cpu", ExtractionConfig(face_pixels=27)).detect(big)[0].boxes[0]
    fine = FaceDetector("cpu", ExtractionConfig(face_pixels=116)).detect(big)[0].boxes[0]
    assert intersection_over_union(coarse, fine) > 0.75


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return float(sides.prod() / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - sides.prod()))


def test_faces_smaller_than_asked_for_are_left(portraits: list[np.ndarray]) -> None:
    frame = np.stack(portraits)[:1]
    assert len(FaceDetector("cpu", ExtractionConfig(min_face=0.9)).detect(frame)[0]) == 0


def test_stumbling_detector_costs_one_frame_only(portraits: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    """facenet-pytorch drops candidates that lie outside the frame, and then misses them in the next stage."""
    detector = FaceDetector("cpu")
    sound = detector._mtcnn.detect

    def stumble(batch: np.ndarray, landmarks: bool) -> tuple:
        if any(frame.max() == 7 for frame in batch):
            raise IndexError("The shape of the mask [3] does not match the shape of the indexed tensor [4, 4]")
        return sound(batch, landmarks=landmarks)

    monkeypatch.setattr(detector._mtcnn, "detect", stumble)
    results = detector.detect(np.stack([portraits[0], np.full_like(portraits[0], 7), portraits[1]]))
    assert [len(found) for found in results] == [1, 0, 1]

    def exhaust(batch: np.ndarray, landmarks: bool) -> tuple:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(detector._mtcnn, "detect", exhaust)
    with pytest.raises(RuntimeError, match="out of memory"):  # no frame is called faceless for lack of memory
        detector.detect(portraits[0][None])


def test_wrong_arrays_and_devices(detector: FaceDetector) -> None:
    with pytest.raises(ValueError, match="uint8"):
        detector.detect(np.zeros((1, 64, 64, 3), np.float32))
    with pytest.raises(ValueError, match=r"\(N, H, W, 3\)"):
        detector.detect(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(InputError, match="device 'abacus'"):
        FaceDetector("abacus")


# --- cutting


def test_crop_is_the_square_that_it_says(portraits: list[np.ndarray]) -> None:
    crop, square = square_crop(portraits[0], (50, 60, 90, 120), scale=1.0, size=60)
    assert square == (40, 60, 100, 120)
    assert np.array_equal(crop, portraits[0][60:120, 40:100])


def test_crop_over_the_edge_repeats_the_outermost_pixels() -> None:
    frame = np.arange(100, dtype=np.uint8).reshape(10, 10, 1).repeat(3, axis=2)
    crop, square = square_crop(frame, (-3, -3, 3, 3), scale=1, size=6)
    assert square == (-3, -3, 3, 3)
    assert crop[..., 0].tolist() == [[0, 0, 0, 0, 1, 2]] * 4 + [[10, 10, 10, 10, 11, 12], [20, 20, 20, 20, 21, 22]]
    crop, _ = square_crop(frame, (50, 50, 54, 54), scale=1, size=4)  # outside altogether
    assert (crop == 99).all()


@given(
    corner=st.tuples(st.floats(-50, 120), st.floats(-50, 120)),
    sides=st.tuples(st.floats(0, 150), st.floats(0, 150)),
    scale=st.floats(1, 2),
    size=st.integers(8, 64),
)
def test_crop_of_any_box(corner: tuple, sides: tuple, scale: float, size: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (80, 100, 3)).astype(np.uint8)
    box = (*corner, corner[0] + sides[0], corner[1] + sides[1])
    crop, (x1, y1, x2, y2) = square_crop(frame, box, scale, size)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    assert x2 - x1 == y2 - y1
    assert x2 - x1 == pytest.approx(max(1, scale * max(sides)), abs=0.6)
    assert (x1 + x2) / 2 == pytest.approx(corner[0] + sides[0] / 2, abs=1.1)
    assert (y1 + y2) / 2 == pytest.approx(corner[1] + sides[1] / 2, abs=1.1)
