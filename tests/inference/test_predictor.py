"""Inference: photos of every kind and video to a verdict; several people; what cannot be judged says why."""

import dataclasses
import json
import weakref

import numpy as np
import pytest
import torch
from matplotlib import cbook
from PIL import Image
from skimage import data

from torchfakes_utils.crops.table import read_crop
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig
from torchfakes_utils.faces.detection import Detections, FaceDetector, square_crop
from torchfakes_utils.faces.extraction import extract_faces
from torchfakes_utils.faces.steadying import steadied
from torchfakes_utils.inference.predictor import Predictor
from torchfakes_utils.io.tables import CLIP_COLUMNS, CLIP_KEY, FACE_COLUMNS, read_table
from torchfakes_utils.io.video import write_video
from torchfakes_utils.models.detector import DetectorConfig, save
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.decisions import Answering, answering
from helpers.detectors import opinionated

ASTRONAUT = data.astronaut()[:256, 96:352]  # (256, 256, 3): one face
FACE = (85, 66, 169, 173)  # its box, roughly


class BrightnessDetector(Answering, torch.nn.Module):
    """Takes bright crops for fakes, so that a photo's score can be chosen."""

    preprocessing = Preprocessing(size=64, mean=0.0, std=255.0, crop_size=64)

    def __init__(self):
        super().__init__()
        self.decision = answering(0.5)

    def forward(self, images):
        assert images.dtype == torch.float32
        assert images.shape[1:] == (3, 64, 64)
        return images.mean(dim=(1, 2, 3)).logit()


class GreenDetector:
    """Finds the even rectangles of the colours given, instead of faces."""

    def __init__(self, greens):
        self.greens = greens
        self.sure = dict.fromkeys(greens, 1.0)

    def detect(self, frames, finer=1.0):
        found = []
        for frame in frames:
            places = [np.argwhere(abs(frame[:, :, 1].astype(int) - green) < 8) for green in self.greens]
            boxes = [[*p.min(0)[::-1], *p.max(0)[::-1]] for p in places if len(p) > 20]
            sure = [self.sure[green] for green, p in zip(self.greens, places, strict=True) if len(p) > 20]
            found.append(
                Detections(
                    np.array(boxes, np.float32).reshape(-1, 4), np.array(sure, np.float32), np.zeros((len(boxes), 5, 2))
                )
            )
        return found

    def offsets(self, views):
        return np.full((len(views), 4), np.nan)  # boxes stay as they are


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
    shared = max(0, right - left) * max(0, bottom - top)
    return shared / (sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)) - shared)


def test_a_photo_goes_the_way_of_the_training_crops(predictor, tmp_path):
    prediction = predictor.predict(photo(tmp_path / "a.png"))
    assert prediction.verdict in ("fake", "real")
    (face,) = prediction.faces
    (frame,) = face.frames
    assert overlap(frame.box, FACE) > 0.7
    assert (frame.frame, frame.time, face.face) == (0, 0, 0)
    assert frame.face_probability > 0.9
    assert (face.verdict, face.probability_fake) == (prediction.verdict, frame.probability_fake)
    assert face.interval is None and prediction.kind == "photo"  # one frame tells nothing of others
    # The same crop as extraction would cut, from the steadied box.
    finder = FaceDetector("cpu")
    (box,) = steadied(ASTRONAUT, finder.detect(ASTRONAUT[None])[0].boxes, finder.offsets)
    crop, _ = square_crop(ASTRONAUT, box, 1.3, 64)
    assert prediction.probability_fake == pytest.approx(crop.mean() / 255, abs=1e-5)


def exif_photo(path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    return photo(path, np.rot90(ASTRONAUT), exif=exif, quality=95)


def heic_photo(path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(ASTRONAUT)).save(path, quality=90)
    return path


def transparent_photo(path):
    alpha = np.full((*ASTRONAUT.shape[:2], 1), 255, np.uint8)
    alpha[-40:] = 0
    return photo(path, np.concatenate([ASTRONAUT, alpha], axis=2))


@pytest.mark.slow
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
        ("new.avif", lambda path: photo(path, quality=90)),
        ("phone.heic", heic_photo),
        ("float.tiff", lambda path: photo(path, Image.fromarray(ASTRONAUT.mean(axis=2).astype(np.float32)))),
    ],
)
def test_photos_of_every_kind_show_the_same_face(predictor, tmp_path, name, make):
    prediction = predictor.predict(make(tmp_path / name))
    assert prediction.verdict != "cannot tell", prediction.reason
    assert overlap(prediction.faces[0].frames[0].box, FACE) > 0.6
    crop, _ = square_crop(ASTRONAUT, FACE, 1.3, 64)
    assert prediction.probability_fake == pytest.approx(crop.mean() / 255, abs=0.06)


def test_a_far_away_face_is_found_at_the_second_look(predictor, tmp_path):
    wide = np.full((720, 1080, 3), 90, np.uint8)
    small = np.asarray(Image.fromarray(ASTRONAUT).resize((128, 128)))
    wide[300:428, 500:628] = small
    prediction = predictor.predict(photo(tmp_path / "far.png", wide))
    assert prediction.verdict != "cannot tell", prediction.reason
    assert overlap(prediction.faces[0].frames[0].box, np.array(FACE) / 2 + [500, 300, 500, 300]) > 0.5


def test_two_people_in_a_photo_are_both_judged(predictor, tmp_path):
    with Image.open(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        hopper = np.asarray(image.convert("RGB").crop((90, 60, 450, 420)).resize((256, 256)))
    prediction = predictor.predict(photo(tmp_path / "two.png", np.hstack([ASTRONAUT, hopper])))
    assert {face.face for face in prediction.faces} == {0, 1}
    assert prediction.probability_fake == max(face.probability_fake for face in prediction.faces)
    assert "of 2" in prediction.reason


def test_the_verdict_of_a_video_is_that_of_its_most_fake_looking_person(with_rectangles, tmp_path):
    # The bright one shows in half of the frames only.
    frames = [scene((20 + i, 90), *([(150 - i, 220)] if i % 2 else [])) for i in range(20)]
    prediction = with_rectangles.predict(write_video(tmp_path / "two.mp4", frames, fps=10, crf=5), frames=20)
    first, second = prediction.faces
    assert [len(face.frames) for face in prediction.faces] == [20, 10]
    means = [np.mean([frame.probability_fake for frame in face.frames]) for face in prediction.faces]
    assert means[1] > means[0]
    assert [face.probability_fake for face in prediction.faces] == pytest.approx(means)
    assert prediction.probability_fake == pytest.approx(means[1])
    assert prediction.verdict == second.verdict == ("fake" if means[1] >= 0.5 else "real")
    assert first.verdict == "real"
    assert "10 frames" in prediction.reason
    assert "face 2 of 2" in prediction.reason
    assert [frame.frame for frame in second.frames] == list(range(1, 20, 2))
    assert [frame.time for frame in second.frames] == pytest.approx(np.arange(1, 20, 2) / 10, abs=1e-3)
    assert prediction.interval == second.interval
    assert second.interval[0] <= means[1] <= second.interval[1]
    assert prediction.kind == "video"


@pytest.mark.slow
@pytest.mark.parametrize(("sure", "times", "people"), [(0.97, 1, 1), (0.97, 2, 2), (1.0, 1, 2)])
def test_what_shows_once_is_nobody_unless_it_is_surely_a_face(with_rectangles, tmp_path, sure, times, people):
    with_rectangles.face_detectors[0].sure[220] = sure
    frames = [scene((20, 90), *([(150, 220)] if 7 <= i < 7 + times else []), size=(240, 480)) for i in range(20)]
    prediction = with_rectangles.predict(write_video(tmp_path / "blink.mp4", frames, crf=5), frames=20)
    assert len(prediction.faces) == people
    assert prediction.verdict == ("real" if people == 1 else "fake")


def test_the_threshold_stored_with_the_weights_decides(tmp_path):
    detector = BrightnessDetector()
    path = photo(tmp_path / "a.png")
    verdicts = []
    for threshold in (0.001, 1.0):
        detector.decision = answering(threshold)
        verdicts.append(Predictor(detector, "cpu").predict(path).verdict)
    assert verdicts == ["fake", "real"]


def test_what_speaks_against_a_detector_is_said_with_every_verdict(tmp_path, caplog):
    doubtful = BrightnessDetector()
    doubtful.decision = answering(0.001, caution="on validation it is not known to do better than a coin")
    predictor = Predictor(doubtful, "cpu")
    assert caplog.messages == ["caution: on validation it is not known to do better than a coin"]
    prediction = predictor.predict(photo(tmp_path / "a.png"))
    assert prediction.verdict == "fake" and prediction.to_json()["notes"] == (caplog.messages[0],)


def test_a_face_unlike_those_of_training_gets_no_verdict_and_one_line_why(tmp_path):
    detector = BrightnessDetector()
    detector.decision = answering(ranges={"brightness": (60.0, 200.0)})
    dark = photo(tmp_path / "dark.png", (ASTRONAUT * 0.2).astype(np.uint8))
    prediction = Predictor(detector, "cpu").predict(dark)
    assert prediction.verdict == "cannot tell" and prediction.probability_fake is None
    assert "too dark (brightness" in prediction.reason and "\n" not in prediction.reason
    (face,) = prediction.faces
    assert face.verdict == "cannot tell" and face.reason == prediction.reason
    assert [frame.cannot_tell.startswith("too dark") for frame in face.frames] == [True]
    usual = Predictor(detector, "cpu").predict(photo(tmp_path / "usual.png"))
    assert usual.verdict != "cannot tell" and usual.faces[0].frames[0].cannot_tell == ""


def test_frames_unlike_those_of_training_are_left_out_of_the_mean(with_rectangles, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", [scene((20, 84 if i < 5 else 96)) for i in range(10)], crf=5)
    scores = [frame.probability_fake for frame in with_rectangles.predict(clip, frames=10).faces[0].frames]
    between = 255 * (np.mean(scores[:5]) + np.mean(scores[5:])) / 2
    with_rectangles.detector.decision = answering(ranges={"brightness": (between, None), "face": (20.0, None)})
    prediction = with_rectangles.predict(clip, frames=10)
    assert prediction.probability_fake == pytest.approx(np.mean(scores[5:]), abs=1e-6)
    assert [bool(frame.cannot_tell) for frame in prediction.faces[0].frames] == [True] * 5 + [False] * 5
    assert "on average over 5 frames" in prediction.reason and "(5 crops unlike" in prediction.reason
    with_rectangles.detector.decision = answering(ranges={"face": (1000.0, None)})
    nothing = with_rectangles.predict(clip, frames=10)
    assert nothing.verdict == "cannot tell" and "too small (face 39" in nothing.reason


def bad_files(folder):
    photo(folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:2000])
    (folder / "text.mp4").write_text("this is no video")
    (folder / "empty.jpg").write_bytes(b"")
    photo(folder / "wall.png", np.full((100, 100, 3), 120, np.uint8))
    write_video(folder / "wall.mp4", [np.full((100, 100, 3), 120, np.uint8)] * 5)
    write_video(folder / "still.mp4", [np.full((100, 100, 3), 120, np.uint8)])
    return {
        "cut.png": "cannot be read",
        "text.mp4": "neither a photo nor a video",
        "empty.jpg": "empty",
        "wall.png": "no face found in this photo",
        "wall.mp4": "no face found in any of 5 frames",
        "still.mp4": "no face found in this video",
        "absent.jpg": "no such file",
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
    assert "a folder" in predictor.predict(tmp_path).reason


def test_a_prediction_is_json_as_promised(predictor, tmp_path):
    path = photo(tmp_path / "a.png")
    value = json.loads(json.dumps(predictor.predict(path).to_json(), allow_nan=False))
    assert list(value) == ["path", "verdict", "probability_fake", "reason", "faces", "interval", "kind", "notes",
                           "limits", "rate", "scope", "meaning"]  # fmt: skip
    assert value["path"] == str(path)
    (face,) = value["faces"]
    assert face["face"] == 1  # as in the reasons, in pictures and in the app
    assert set(face) == {"face", "verdict", "probability_fake", "interval", "reason", "frames", "seen"}
    assert set(face["frames"][0]) == {"frame", "time", "box", "face_probability", "probability_fake", "cannot_tell",
                                      "distance"}  # fmt: skip
    assert len(face["frames"][0]["box"]) == 4
    json.dumps(predictor.predict(tmp_path / "no\udce9such.png").to_json(), ensure_ascii=False).encode()


def test_bytes_are_judged_as_the_file_is(predictor, tmp_path):
    path = photo(tmp_path / "a.png")
    clip = write_video(tmp_path / "a.mp4", [ASTRONAUT] * 4, fps=8)
    for file in (path, clip):
        by_name, by_content = predictor.predict(file), predictor.predict(file.read_bytes())
        assert by_content.path == "these bytes"
        assert dataclasses.replace(by_content, path=by_name.path) == by_name
    assert "neither a photo nor" in predictor.predict(b"a few words").reason
    assert "empty" in predictor.predict(b"").reason


def test_a_folder_is_judged_file_by_file_and_links_out_of_it_are_not_followed(predictor, tmp_path):
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    photo(folder / "b.png")
    photo(folder / "below" / "a.png")
    photo(tmp_path / "private.png")
    (folder / "inside.png").symlink_to(folder / "b.png")
    (folder / "out.png").symlink_to(tmp_path / "private.png")
    (folder / "nowhere.png").symlink_to("nothing")
    (folder / "loop").symlink_to(folder)
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("some words")
    found = {prediction.path: prediction for prediction in predictor.predict_many([folder])}
    names = {path.removeprefix(f"{folder}/"): one.verdict == "cannot tell" for path, one in found.items()}
    assert names == {"b.png": False, "inside.png": False, "nowhere.png": True, "notes.txt": True, "out.png": True,
                     "loop": True, "below/a.png": False}  # fmt: skip
    assert "leads out of this folder" in found[str(folder / "out.png")].reason
    assert "a link to a folder" in found[str(folder / "loop")].reason
    assert predictor.predict(tmp_path / "folder" / "out.png").verdict != "cannot tell"  # named, so meant


@pytest.mark.slow
def test_files_together_are_judged_as_each_alone(predictor, tmp_path):
    files = [photo(tmp_path / f"{shade}.png", (ASTRONAUT * (0.5 + shade / 10)).astype(np.uint8)) for shade in range(5)]
    files.insert(2, tmp_path / "absent.png")
    files.insert(4, write_video(tmp_path / "clip.mp4", [ASTRONAUT] * 6, fps=8))
    together = list(predictor.predict_many(files, 4))
    assert [one.path for one in together] == [str(file) for file in files]
    for one, file in zip(together, files, strict=True):
        assert one == predictor.predict(file, 4)


def test_pictures_of_one_large_file_are_held_at_a_time(predictor, tmp_path, monkeypatch):
    """While the next one is read, those of the last are gone, also where its verdict is not given yet."""
    monkeypatch.setattr("torchfakes_utils.inference.predictor._MOST_BESIDE", 0)
    held, opened = [], predictor.reader.open_media

    def watched(*words):
        assert all(one() is None for one in held)
        media = opened(*words)
        held.extend(map(weakref.ref, media.pictures))
        return media

    monkeypatch.setattr(predictor.reader, "open_media", watched)
    for number in range(4):
        Image.fromarray(ASTRONAUT).save(tmp_path / f"{number}.png")
    assert [len(one.faces) for one in predictor.predict_many([tmp_path])] == [1] * 4
    assert len(held) == 4


def test_a_network_may_compute_instead_of_the_detector(tmp_path):
    detector = BrightnessDetector()
    detector.decision = answering(0.5, temperature=2.0)
    asked = []

    def network(crops):
        asked.append(crops)
        return torch.tensor([[3.0, 0.0]] * len(crops))

    prediction = Predictor(detector, "cpu", network=network).predict(photo(tmp_path / "a.png"))
    assert prediction.probability_fake == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert asked[0].shape == (1, 3, 64, 64) and asked[0].dtype == torch.uint8


@pytest.mark.slow
def test_a_clip_of_the_training_set_gives_the_very_crops_that_extraction_stored(tiny_ffpp, tiny_faces):
    """One preprocessing with training: the same pixels, of real clips and of fakes that were looked at themselves."""
    detector = BrightnessDetector()  # its crops have 64 px, as tiny_faces
    predictor = Predictor(detector, "cpu")
    faces = read_table(tiny_faces / "faces.csv", FACE_COLUMNS)
    clips = read_table(tiny_ffpp / "clips.csv", CLIP_COLUMNS).set_index(CLIP_KEY)["path"]
    compared = 0
    for key, rows in faces[faces["label"] == 0].groupby(CLIP_KEY):
        seen = predictor.examine(tiny_ffpp / clips[key], frames=4)
        assert [frame.frame for frame in seen.prediction.faces[0].frames] == rows["frame"].tolist()
        for row in rows.itertuples():
            stored = read_crop(tiny_faces / row.path).permute(1, 2, 0).numpy()
            assert np.array_equal(seen.crops[0, row.frame], stored), row.path
            compared += 1
    assert compared >= 20


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_faces")  # which lists the clips
def test_a_fake_looked_at_for_itself_is_cut_in_extraction_as_in_prediction(tiny_ffpp, tmp_path):
    extract_faces(tiny_ffpp, tmp_path, ExtractionConfig(frames=2, size=64, reuse=False), progress=False)
    faces = read_table(tmp_path / "faces.csv", FACE_COLUMNS)
    row = faces[faces["label"] == 1].iloc[0]
    clips = read_table(tiny_ffpp / "clips.csv", CLIP_COLUMNS).set_index(CLIP_KEY)["path"]
    seen = Predictor(BrightnessDetector(), "cpu").examine(tiny_ffpp / clips[tuple(row[CLIP_KEY])], frames=2)
    stored = read_crop(tmp_path / row["path"]).permute(1, 2, 0).numpy()
    assert np.array_equal(seen.crops[0, row["frame"]], stored)


@pytest.mark.slow
def test_an_examination_keeps_pictures_crops_and_heat_maps(tmp_path):
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))
    predictor = Predictor(detector, "cpu")
    clip = write_video(tmp_path / "a.mp4", [np.roll(ASTRONAUT, i, axis=1) for i in range(6)], fps=8, crf=5)
    seen = predictor.examine(clip, frames=3)
    (face,) = seen.prediction.faces
    assert set(seen.crops) == {(0, frame.frame) for frame in face.frames}
    assert np.abs(seen.picture(3).astype(int) - np.roll(ASTRONAUT, 3, axis=1)).mean() < 6
    heat = predictor.heat_map(seen.crops[0, 1], "repeat_1", "layer-cam")
    assert heat.shape == (80, 80) and heat.min() >= 0 and heat.max() <= 1
    with pytest.raises(InputError, match="no layer"):
        predictor.heat_map(seen.crops[0, 1], "nothing")
    with pytest.raises(InputError, match="no such file"):
        predictor.examine(tmp_path / "absent.png")


@pytest.mark.slow
def test_from_run_loads_the_best_detector(tmp_path):
    torch.manual_seed(0)
    detector = opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))
    detector.decision = answering(0.1, temperature=2.0)
    save(detector, tmp_path / "run" / "best")
    path = photo(tmp_path / "a.png")
    predictor = Predictor.from_run(tmp_path / "run", "cpu")
    prediction = predictor.predict(path)
    assert predictor.detector.decision == detector.decision and prediction.limits[1] == 0.1
    finder = FaceDetector("cpu")
    (box,) = steadied(ASTRONAUT, finder.detect(ASTRONAUT[None])[0].boxes, finder.offsets)
    crop = torch.from_numpy(square_crop(ASTRONAUT, box)[0]).permute(2, 0, 1)[None]
    assert prediction.probability_fake == pytest.approx(float(detector.probability(crop)), abs=1e-5)
    with pytest.raises(InputError, match="torchfakes train"):
        Predictor.from_run(tmp_path / "nowhere")
