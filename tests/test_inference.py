"""Inference: photos of every kind and video to a verdict; several people; what cannot be judged says why."""

import json

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from skimage import data

from torchfakes_utils import inference
from torchfakes_utils.dataset import Preprocessing
from torchfakes_utils.decision import Decision
from torchfakes_utils.detector import Detector, DetectorConfig, save
from torchfakes_utils.errors import InputError
from torchfakes_utils.face_detection import Detections, FaceDetector, square_crop
from torchfakes_utils.inference import Predictor, follow_all, read_any, to_rgb
from torchfakes_utils.video import write_video

ASTRONAUT = data.astronaut()[:256, 96:352]  # (256, 256, 3): one face
FACE = (85, 66, 169, 173)  # its box, roughly


class BrightnessDetector(torch.nn.Module):
    """Takes bright crops for fakes, so that a photo's score can be chosen."""

    preprocessing = Preprocessing(size=32, crop_size=64)

    def __init__(self):
        super().__init__()
        self.decision = Decision()

    def probability(self, images):
        assert images.dtype == torch.uint8
        assert images.shape[1:] == (3, 64, 64)
        return images.float().mean(dim=(1, 2, 3)) / 255


class GreenDetector:
    """Finds the even rectangles of the colours given, instead of faces."""

    def __init__(self, greens):
        self.greens = greens

    def detect(self, frames):
        found = []
        for frame in frames:
            places = [np.argwhere(abs(frame[:, :, 1].astype(int) - green) < 8) for green in self.greens]
            boxes = [[*p.min(0)[::-1], *p.max(0)[::-1]] for p in places if len(p) > 20]
            count = len(boxes)
            found.append(
                Detections(
                    np.array(boxes, np.float32).reshape(-1, 4), np.ones(count, np.float32), np.zeros((count, 5, 2))
                )
            )
        return found


@pytest.fixture(scope="module")
def predictor():
    return Predictor(BrightnessDetector(), "cpu")


@pytest.fixture
def with_rectangles(monkeypatch):
    """A predictor to which a face is a rectangle with a green of 90 or of 220."""
    predictor = Predictor(BrightnessDetector(), "cpu")
    predictor.face_detectors = [GreenDetector([90, 220])]
    return predictor


def scene(*rectangles, size=(120, 240)):
    frame = np.zeros((*size, 3), np.uint8)
    for left, green in rectangles:
        frame[40:80, left : left + 40] = green
    return frame


def photo(path, image=ASTRONAUT, **options):
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path, **options)
    return path


def overlap(box, other):
    (left, top), (right, bottom) = np.maximum(box[:2], other[:2]), np.minimum(box[2:], other[2:])
    area = lambda b: (b[2] - b[0]) * (b[3] - b[1])  # noqa: E731
    shared = max(0, right - left) * max(0, bottom - top)
    return shared / (area(box) + area(other) - shared)


def test_a_photo_goes_the_way_of_the_training_crops(predictor, tmp_path):
    prediction = predictor.predict(photo(tmp_path / "a.png"))
    assert prediction.verdict in ("fake", "real")
    (face,) = prediction.faces
    assert overlap(face.box, FACE) > 0.7
    assert (face.frame, face.time, face.face) == (0, 0, 0)
    assert face.probability > 0.9
    # The same crop as extraction would cut, from the same box.
    box = FaceDetector("cpu").detect(ASTRONAUT[None])[0].boxes[0]
    crop, _ = square_crop(ASTRONAUT, box, 1.3, 64)
    assert prediction.probability_fake == pytest.approx(crop.mean() / 255, abs=1e-5)


def exif_photo(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    return photo(path, np.rot90(ASTRONAUT), exif=exif, quality=95)


def transparent_photo(path):
    alpha = np.full((*ASTRONAUT.shape[:2], 1), 255, np.uint8)
    alpha[-40:] = 0
    return photo(path, np.concatenate([ASTRONAUT, alpha], axis=2))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("turned.jpg", exif_photo),
        ("transparent.png", transparent_photo),
        ("grey.png", lambda path: photo(path, Image.fromarray(ASTRONAUT).convert("L"))),
        ("cmyk.jpg", lambda path: photo(path, Image.fromarray(ASTRONAUT).convert("CMYK"))),
        ("palette.gif", lambda path: photo(path, Image.fromarray(ASTRONAUT).convert("P"))),
        ("sixteen.png", lambda path: photo(path, ASTRONAUT.mean(axis=2).astype(np.uint16) * 257)),
        ("named_like_a_video.mp4", lambda path: photo(path, format="WEBP")),
    ],
)
def test_photos_of_every_kind_show_the_same_face(predictor, tmp_path, name, make):
    prediction = predictor.predict(make(tmp_path / name))
    assert prediction.verdict != "cannot tell", prediction.reason
    assert overlap(prediction.faces[0].box, FACE) > 0.6
    crop, _ = square_crop(ASTRONAUT, FACE, 1.3, 64)
    assert prediction.probability_fake == pytest.approx(crop.mean() / 255, abs=0.06)


def test_transparent_parts_are_white_not_what_lies_hidden_under_them():
    hidden = np.zeros((2, 2, 4), np.uint8)
    assert (to_rgb(Image.fromarray(hidden)) == 255).all()


def test_a_far_away_face_is_found_at_the_second_look(predictor, tmp_path):
    wide = np.full((720, 1080, 3), 90, np.uint8)
    small = np.asarray(Image.fromarray(ASTRONAUT).resize((128, 128)))
    wide[300:428, 500:628] = small
    prediction = predictor.predict(photo(tmp_path / "far.png", wide))
    assert prediction.verdict != "cannot tell", prediction.reason
    assert overlap(prediction.faces[0].box, np.array(FACE) / 2 + [500, 300, 500, 300]) > 0.5


def test_two_people_in_a_photo_are_both_judged(predictor, tmp_path):
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = np.asarray(image.convert("RGB").crop((128, 0, 384, 256)))
    prediction = predictor.predict(photo(tmp_path / "two.png", np.hstack([ASTRONAUT, hopper])))
    assert {face.face for face in prediction.faces} == {0, 1}
    assert prediction.probability_fake == max(face.probability_fake for face in prediction.faces)
    assert "of 2" in prediction.reason


def test_the_verdict_of_a_video_is_that_of_its_most_fake_looking_person(with_rectangles, tmp_path):
    # The bright one shows in half of the frames only.
    frames = [scene((20 + i, 90), *([(150 - i, 220)] if i % 2 else [])) for i in range(20)]
    prediction = with_rectangles.predict(write_video(tmp_path / "two.mp4", frames, fps=10, crf=5), frames=20)
    people = {who: [face for face in prediction.faces if face.face == who] for who in (0, 1)}
    assert [len(faces) for faces in people.values()] == [20, 10]
    means = [np.mean([face.probability_fake for face in faces]) for faces in people.values()]
    assert means[1] > means[0]
    assert prediction.probability_fake == pytest.approx(means[1])
    assert prediction.verdict == ("fake" if means[1] >= 0.5 else "real")
    assert "10 frames" in prediction.reason
    assert "face 2 of 2" in prediction.reason
    assert [face.frame for face in people[1]] == list(range(1, 20, 2))
    assert [face.time for face in people[1]] == pytest.approx(np.arange(1, 20, 2) / 10)


def test_what_shows_in_a_few_frames_only_does_not_decide(with_rectangles, tmp_path):
    frames = [scene((20, 90), *([(150, 220)] if i == 7 else [])) for i in range(20)]
    prediction = with_rectangles.predict(write_video(tmp_path / "blink.mp4", frames, crf=5), frames=20)
    assert {face.face for face in prediction.faces} == {0}
    assert prediction.verdict == "real"


def test_the_threshold_stored_with_the_weights_decides(tmp_path):
    detector = BrightnessDetector()
    path = photo(tmp_path / "a.png")
    verdicts = []
    for threshold in (0.0, 1.0):
        detector.decision = Decision(threshold)
        verdicts.append(Predictor(detector, "cpu").predict(path).verdict)
    assert verdicts == ["fake", "real"]


def test_a_face_unlike_those_of_training_gets_no_verdict_and_one_line_why(tmp_path):
    detector = BrightnessDetector()
    detector.decision = Decision(ranges={"brightness": (60.0, 200.0)})
    dark = photo(tmp_path / "dark.png", (ASTRONAUT * 0.2).astype(np.uint8))
    prediction = Predictor(detector, "cpu").predict(dark)
    assert prediction.verdict == "cannot tell" and prediction.probability_fake is None
    assert "too dark (brightness" in prediction.reason and "\n" not in prediction.reason
    assert [face.cannot_tell.startswith("too dark") for face in prediction.faces] == [True]
    usual = Predictor(detector, "cpu").predict(photo(tmp_path / "usual.png"))
    assert usual.verdict != "cannot tell" and usual.faces[0].cannot_tell == ""


def test_frames_unlike_those_of_training_are_left_out_of_the_mean(with_rectangles, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", [scene((20, 84 if i < 5 else 96)) for i in range(10)], crf=5)
    scores = [face.probability_fake for face in with_rectangles.predict(clip, frames=10).faces]
    between = 255 * (np.mean(scores[:5]) + np.mean(scores[5:])) / 2
    with_rectangles.detector.decision = Decision(ranges={"brightness": (between, None), "face": (20.0, None)})
    prediction = with_rectangles.predict(clip, frames=10)
    assert prediction.probability_fake == pytest.approx(np.mean(scores[5:]), abs=1e-6)
    assert [bool(face.cannot_tell) for face in prediction.faces] == [True] * 5 + [False] * 5
    assert "on average over 5 frames" in prediction.reason and "(5 crops unlike" in prediction.reason
    with_rectangles.detector.decision = Decision(ranges={"face": (1000.0, None)})
    nothing = with_rectangles.predict(clip, frames=10)
    assert nothing.verdict == "cannot tell" and "too small (face 39" in nothing.reason


def one_face_a_frame(*presence):
    """Detections of people who stand 100 px apart, each present in the frames given as 1."""
    found = []
    for present in zip(*presence, strict=True):
        boxes = [[100 * who, 0, 100 * who + 50, 50] for who, here in enumerate(present) if here]
        count = len(boxes)
        found.append(
            Detections(np.array(boxes, np.float32).reshape(-1, 4), np.ones(count), np.zeros((count, 5, 2), np.float32))
        )
    return found


def test_everyone_is_followed_and_nobody_twice():
    detections = one_face_a_frame([1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 1, 1], [0, 0, 0, 1, 0, 0])
    tracks = follow_all(detections)
    assert [sum(index is not None for index in track) for track in tracks] == [6, 4]  # one of six is below a quarter
    used = [(frame, index) for track in tracks for frame, index in enumerate(track) if index is not None]
    assert len(used) == len(set(used))
    for track in tracks:
        lefts = {detections[frame].boxes[index][0] for frame, index in enumerate(track) if index is not None}
        assert len(lefts) == 1


def test_nobody_to_follow():
    assert follow_all(one_face_a_frame([0, 0, 0])) == []
    assert follow_all([]) == []


def bad_files(folder):
    photo(folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:2000])
    (folder / "text.mp4").write_text("this is no video")
    (folder / "empty.jpg").write_bytes(b"")
    photo(folder / "wall.png", np.full((100, 100, 3), 120, np.uint8))
    write_video(folder / "wall.mp4", [np.full((100, 100, 3), 120, np.uint8)] * 5)
    return {
        "cut.png": "cannot be read",
        "text.mp4": "not a video",
        "empty.jpg": "empty",
        "wall.png": "no face found in this photo",
        "wall.mp4": "no face found in any of 5 frames",
        "absent.jpg": "no such file",
        ".": "a folder",
    }


def test_bad_files_are_told_apart_and_stop_nothing(predictor, tmp_path):
    expected = bad_files(tmp_path)
    good = photo(tmp_path / "good.png")
    predictions = list(predictor.predict_many([*(tmp_path / name for name in expected), good]))
    for prediction, reason in zip(predictions, expected.values(), strict=False):
        assert (prediction.verdict, prediction.probability_fake, prediction.faces) == ("cannot tell", None, [])
        assert reason in prediction.reason
        assert "\n" not in prediction.reason
    assert predictions[-1].verdict != "cannot tell"


def test_a_prediction_is_json_as_promised(predictor, tmp_path):
    path = photo(tmp_path / "a.png")
    value = json.loads(json.dumps(predictor.predict(path).to_json(), allow_nan=False))
    assert list(value) == ["path", "verdict", "probability_fake", "reason", "faces"]
    assert value["path"] == str(path)
    assert set(value["faces"][0]) == {"frame", "time", "box", "probability", "probability_fake", "face", "cannot_tell"}
    assert len(value["faces"][0]["box"]) == 4


def test_an_animation_is_read_like_a_video(tmp_path):
    frames = [Image.fromarray(np.full((10, 12, 3), 25 * i, np.uint8)) for i in range(10)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=50)
    indices, pictures, fps = read_any(tmp_path / "a.gif", frames=5)
    assert indices.tolist() == [1, 3, 5, 7, 9]
    assert pictures.shape == (5, 10, 12, 3)
    assert pictures[:, 0, 0, 0] == pytest.approx(25 * indices, abs=3)
    assert fps == 20


def test_pillow_knows_the_formats_by_these_names():
    Image.init()
    assert set(inference._PHOTO_FORMATS) <= set(Image.OPEN)


def test_a_photo_as_large_as_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InputError, match="far too large"):
        read_any(photo(tmp_path / "a.png"))


def test_from_run_loads_the_best_detector(tmp_path):
    torch.manual_seed(0)
    detector = Detector(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80))).eval()
    detector.decision = Decision(0.1, temperature=2.0)
    save(detector, tmp_path / "run" / "best")
    path = photo(tmp_path / "a.png")
    predictor = Predictor.from_run(tmp_path / "run", "cpu")
    prediction = predictor.predict(path)
    assert predictor.threshold == 0.1
    box = FaceDetector("cpu").detect(ASTRONAUT[None])[0].boxes[0]
    crop = torch.from_numpy(square_crop(ASTRONAUT, box)[0]).permute(2, 0, 1)[None]
    assert prediction.probability_fake == pytest.approx(float(detector.probability(crop)), abs=1e-5)
    with pytest.raises(InputError, match="torchfakes train"):
        Predictor.from_run(tmp_path / "nowhere")


def test_the_second_look_is_only_taken_when_needed(predictor, tmp_path, monkeypatch):
    class Never:
        def detect(self, frames):
            raise AssertionError("a face was there at first sight")

    monkeypatch.setattr(predictor, "face_detectors", [predictor.face_detectors[0], Never()])
    assert predictor.predict(photo(tmp_path / "a.png")).verdict != inference.CANNOT_TELL
