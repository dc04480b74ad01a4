"""What the app shows, against known answers: boxes and labels on pictures, sentences, the curve, peaks, the HTML."""

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from torchfakes_utils import language
from torchfakes_utils.app import pictures as app_pictures
from torchfakes_utils.app import views
from torchfakes_utils.app.config import AppLimits
from torchfakes_utils.app.pictures import COLOURS, Box, boxed
from torchfakes_utils.evaluation.results import Confusion
from torchfakes_utils.inference.predictor import Examination
from torchfakes_utils.inference.verdict import FaceVerdict, FrameVerdict, Prediction, _unlike_training
from torchfakes_utils.io.media import Media
from torchfakes_utils.metrics.band import Band, Rate
from torchfakes_utils.models.decision import CANNOT_TELL, FAKE, OF_BEFORE, REAL, Decision
from torchfakes_utils.models.scope import Scope

from helpers.report import made_up_report

REAL_TO, FAKE_FROM = 0.25, 0.75
BAND = Band((FAKE_FROM, 0.8125, 0.875), REAL_TO)
DECISION = Decision(photo=BAND, film=BAND, scope=Scope("Some data", ("Deepfakes",), ("c23",)))
DARK = "too dark (brightness 20; 63 or more wanted)"
OF = {name: np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) for name, colour in COLOURS.items()}


def face(number, scores, verdict=None, interval=None, left_out=(), step=10, fps=10):
    """A person with a score in every tenth frame; their box moves to the right with their number."""
    frames = [
        FrameVerdict(at * step, at * step / fps, (20.0 + 60 * number, 30.0, 60.0 + 60 * number, 80.0), 0.99, score,
                     DARK if at in left_out else "")
        for at, score in enumerate(scores)
    ]  # fmt: skip
    usable = [frame.probability_fake for frame in frames if not frame.cannot_tell]
    mean = float(np.mean(usable)) if usable else None
    verdict = verdict or (CANNOT_TELL if mean is None or REAL_TO < mean < FAKE_FROM else FAKE if mean > 0.5 else REAL)
    reason = (
        "between" if usable else f"a face was found, but it is {DARK}: unlike those that the detector was trained on"
    )
    return FaceVerdict(number, verdict, mean, interval, reason, frames)


def examination(*faces, kind="video", notes=(), limits=(REAL_TO, FAKE_FROM), rate=""):
    """A file in which these people were found; its pictures are even, each a little lighter than the one before."""
    worst = max(faces, key=lambda one: -1 if one.probability_fake is None else one.probability_fake, default=None)
    reason = worst.reason if worst else "no face found in this photo; one is needed that is upright"
    words = (worst.verdict, worst.probability_fake, reason) if worst else (CANNOT_TELL, None, reason)
    interval = worst.interval if worst else None
    count = max([len(one.frames) for one in faces] or [1])
    indices = np.array([10 * at for at in range(count)])
    pictures = [np.full((120, 200, 3), 100 + at, np.uint8) for at in range(count)]
    media = Media("x", kind, indices, indices / 10, pictures, float(indices[-1] / 10))
    crops = {(one.face, frame.frame): np.zeros((32, 32, 3), np.uint8) for one in faces for frame in one.frames}
    made = Prediction("x", *words, list(faces), interval, kind, tuple(notes), limits, rate, DECISION.scope.line,
                      DECISION.meaning)  # fmt: skip
    return Examination(made, media, crops)


class Tags(HTMLParser):
    """The tags with their attributes, and the text, of a page that is well formed."""

    EMPTY = {"img", "line", "circle", "path", "polyline", "rect"}

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(html)
        assert not self.open, f"left open: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.text += " " * (tag in ("td", "th"))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def shown(html):
    tags = Tags(html)
    tags.text = " ".join(tags.text.split())
    return tags


def picture_in(url):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))).convert("RGB"))


# Pictures


@pytest.mark.parametrize("verdict", [FAKE, REAL, CANNOT_TELL])
def test_a_box_is_drawn_where_the_face_is(verdict):
    picture = np.full((200, 300, 3), 128, np.uint8)
    drawn = boxed(picture, [Box(1, (100, 80, 180, 160), verdict)])
    own = (drawn == OF[verdict]).all(axis=2)
    assert own[80:83, 100:180].any() and own[158:161, 100:180].any()
    assert own[80:160, 100:103].any() and own[80:160, 178:181].any()
    changed = (drawn != picture).any(axis=2)
    assert not changed[90:150, 110:170].any(), "the face itself stays as it is"
    assert not changed[:, 190:].any() and not changed[170:].any()
    assert (picture == 128).all(), "the picture that was given is not drawn on"


def test_real_is_solid_and_fake_and_cannot_tell_are_broken_lines():
    """For whoever sees no colours."""
    share = {}
    for verdict in (REAL, FAKE, CANNOT_TELL):
        drawn = boxed(np.full((200, 300, 3), 128, np.uint8), [Box(1, (100, 80, 200, 160), verdict)])
        share[verdict] = (drawn[80, 101:200] == OF[verdict]).all(axis=1).mean()
    assert share[REAL] == 1
    assert 0.4 < share[FAKE] < 0.8
    assert 0.3 < share[CANNOT_TELL] < 0.7 and share[CANNOT_TELL] != pytest.approx(share[FAKE], abs=0.05)


@pytest.mark.parametrize(
    ("corners", "rows"),
    [
        ((100, 80, 180, 160), slice(40, 80)),  # above
        ((100, 4, 180, 90), slice(90, 130)),  # no room above: below
        ((100, 2, 180, 198), slice(0, 40)),  # no room at all: inside
    ],
)
def test_a_label_is_where_the_picture_has_room(corners, rows):
    bare = boxed(np.full((200, 300, 3), 128, np.uint8), [])
    drawn = boxed(bare, [Box(7, corners, FAKE)])
    plate = (drawn[rows] == OF[FAKE]).all(axis=2)
    assert plate.any(axis=1).sum() > 12 and plate.any(axis=0).sum() > 30, "a plate of some size"
    assert (drawn[rows] > 240).all(axis=2).sum() > 20, "with white letters on it"


def test_every_face_has_its_own_label():
    """The numbers differ, and so do the words."""
    plain = np.full((200, 300, 3), 128, np.uint8)
    tags = [boxed(plain, [Box(number, (100, 80, 180, 160), verdict)])[50:79, 95:220]
            for number, verdict in ((1, FAKE), (2, FAKE), (1, REAL))]  # fmt: skip
    white = [(tag > 240).all(axis=2) for tag in tags]
    assert (white[0] != white[1]).any() and (white[0] != white[2]).any()


def test_large_pictures_are_scaled_down_and_their_boxes_with_them():
    drawn = boxed(np.full((2000, 3000, 3), 128, np.uint8), [Box(1, (1000, 800, 1800, 1600), REAL)], 600)
    assert drawn.shape == (400, 600, 3)
    own = (drawn == OF[REAL]).all(axis=2)
    assert own[160:164, 210:350].mean() > 0.4 and own[316:322, 210:350].mean() > 0.2
    assert boxed(np.zeros((1, 5000, 3), np.uint8), []).shape[0] == 1, "never of no height"


def test_boxes_that_leave_the_picture_do_no_harm():
    boxes = [Box(1, (-20, -20, 90, 90), FAKE), Box(2, (59, 59, 60, 60), REAL)]
    drawn = boxed(np.full((60, 60, 3), 128, np.uint8), boxes)
    assert drawn.shape == (60, 60, 3)


def test_pictures_travel_inside_the_page():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert (picture_in(app_pictures.data_url(picture, "png")) == picture).all()
    assert picture_in(app_pictures.data_url(picture)).shape == picture.shape


def test_the_tab_has_a_picture(tmp_path):
    icon = np.asarray(Image.open(app_pictures.favicon(tmp_path)))
    colours = {tuple(colour) for colour in icon[icon[:, :, 3] > 0][:, :3]}
    assert tuple(OF[REAL]) in colours and tuple(OF[FAKE]) in colours


# Sentences


def test_a_verdict_comes_with_its_uncertainty_and_both_limits():
    prediction = examination(face(0, [0.8, 0.86, 0.83], interval=(0.71, 0.92))).prediction
    assert views.sentence(prediction) == (
        "P(fake) 0.83, 95 % interval over frames 0.71 to 0.92; called fake from 0.75 on, real up to 0.25"
    )
    assert views.sentence(examination(face(0, [0.8], left_out=[0])).prediction) == ""


@pytest.mark.parametrize(
    ("score", "limits", "said"),
    [
        (0.8, (None, 0.9), "P(fake) 0.80; called fake from 0.90 on, real never"),
        (0.8, (0.3, None), "P(fake) 0.80; called fake never, real up to 0.30"),
        (0.8, (None, None), "P(fake) is 0.8, and no verdict is given: why not"),
        (0.8996, (0.3, 0.9), "P(fake) 0.8996; called fake from 0.9000 on, real up to 0.3000"),
        (0.7, (0.007, 0.9985), "P(fake) 0.700; called fake from 0.999 on, real up to 0.007"),
        (0.9999, (0.007, 0.9985), "P(fake) above 0.999; called fake from 0.999 on, real up to 0.007"),
        (0.0001, (0.007, 0.9985), "P(fake) below 0.001; called fake from 0.999 on, real up to 0.007"),
    ],
)
def test_no_limit_reads_as_certainty_and_every_score_lies_on_its_side(score, limits, said):
    one = Prediction("x", FAKE, score, "P(fake) is 0.8, and no verdict is given: why not", limits=limits)
    assert views.sentence(one) == said


def test_a_face_is_told_by_its_own_limits():
    assert views.face_sentence(face(0, [0.8]), DECISION) == "P(fake) 0.80; called fake from 0.75 on, real up to 0.25"
    assert views.face_sentence(face(0, [0.8], left_out=[0]), DECISION).startswith(
        "a face was found, but it is too dark"
    )
    assert views.face_sentence(face(0, [0.8]), Decision()) == "between", "of a decision without a band, its reason"


@pytest.mark.parametrize(
    ("score", "limits", "zones"),
    [
        (0.5, (0.25, 0.75), (25, 25)),
        (0.5, (0.0001, 0.9999), (2, 2)),
        (0.5, (None, 0.9), (0, 10)),
        (1, (None, None), (0, 0)),
    ],
)
def test_the_scale_has_a_zone_for_every_answer(score, limits, zones):
    found = views.scale(Prediction("x", FAKE, score, "", interval=(0.4, 0.9), limits=limits))
    assert (found["real"], found["fake"]) == pytest.approx(zones) and found["point"] == 100 * score
    assert found["interval"] == (40, 50)


def test_of_several_faces_it_is_said_why_the_limit_is_higher():
    two = examination(face(0, [0.8]), face(1, [0.1]), face(2, [0.9], left_out=[0]), limits=(REAL_TO, 0.8125))
    said = views.why_higher(two.prediction, DECISION)
    assert said.startswith(
        "The file is called fake from 0.81 on, where one face alone is from 0.75 on: each of 2 faces"
    )
    assert views.why_higher(examination(face(0, [0.8])).prediction, DECISION) == ""
    assert views.why_higher(examination(face(0, [0.8]), face(1, [0.1])).prediction, DECISION) == "", "it is not higher"
    assert views.why_higher(examination(face(0, [0.8]), face(1, [0.1]), limits=(None, None)).prediction, DECISION) == ""


def test_no_score_is_certainty():
    assert [views.score(value) for value in (1.0, 0.997, 0.994, 0.5, 0.006, 0.001)] == [
        "above 0.99", "above 0.99", "0.99", "0.50", "0.01", "below 0.01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("score", "interval", "close"),
    [
        (0.8, (0.7, 0.9), True), (0.8, (0.75, 0.9), False), (0.8, None, False), (0.2, (0.1, 0.3), True),
        (0.2, (0.1, 0.25), False),
    ],
)  # fmt: skip
def test_a_close_call_is_said_to_be_one(score, interval, close):
    prediction = examination(face(0, [score] * 3, interval=interval)).prediction
    assert ("close call" in views.doubt(prediction)) == close


def test_between_the_limits_it_is_said_what_that_means():
    assert views.doubt(examination(face(0, [0.5], interval=(0.1, 0.9))).prediction) == views.BETWEEN
    assert views.doubt(examination(face(0, [0.5]), limits=(None, None)).prediction) == "", "then the reason says why"


@pytest.mark.parametrize(
    ("practice", "words"), [(False, "seen no such face in training"), (True, "practice data that shows no real person")]
)
def test_what_is_unlike_training_comes_with_what_that_means(practice, words):
    """In the words of a verdict on such a face."""
    decision = Decision(ranges={"distance": (None, 1.5)}, scope=Scope("x", practice=practice))
    frame = FrameVerdict(0, 0.0, (0.0, 0.0, 9.0, 9.0), 1.0, 0.9, decision.outside({"distance": 2.0}), 2.0)
    reason = _unlike_training([frame], decision)
    assert "unlike the faces of its training (distance 2.0; 1.5 or less wanted)" in reason
    assert words in views.doubt(Prediction("x", CANNOT_TELL, None, reason))


@pytest.mark.parametrize("lack", ["too small", "too dark", "too bright", "too little contrast", "too much contrast",
                                  "too blurred", "too noisy", "cut off"])  # fmt: skip
def test_what_cannot_be_told_comes_with_help(lack):
    """For everything that a decision may say."""
    name = {"small": "face", "dark": "brightness", "bright": "brightness", "contrast": "contrast", "off": "outside"}
    name = name.get(lack.split()[-1], "sharpness")
    less = lack in ("too small", "too dark", "too little contrast", "too blurred")
    outside = Decision(ranges={name: (50.0, None) if less else (None, 50.0)}).outside({name: 10.0 if less else 90.0})
    assert outside.startswith(lack)
    prediction = Prediction("x", CANNOT_TELL, None, f"a face was found, but it is {outside}: unlike those")
    assert views.doubt(prediction).startswith("Use a ")


# The curve, the peaks


def test_the_curve_has_a_point_for_every_frame_at_its_time_and_score():
    two = examination(face(0, [0.0, 0.5, 1.0], FAKE), face(1, [1.0, 0.25], left_out=[0])).prediction
    drawn = views.curve(two, 2.0)
    first, second = drawn["lines"]
    (x0, y0, _), (x1, y1, _), (x2, y2, _) = first["dots"]
    assert (x0, x2) == (drawn["left"], drawn["right"]) and x1 == pytest.approx((x0 + x2) / 2)
    assert y0 == drawn["bottom"] and y1 == pytest.approx((y0 + y2) / 2, abs=0.1) and y2 < y1
    fake, real = drawn["limits"]
    for limit, value, text in (
        (fake, FAKE_FROM, "called fake from 0.75 on"),
        (real, REAL_TO, "called real up to 0.25"),
    ):
        assert limit["y"] == pytest.approx(y0 + (y2 - y0) * value, abs=0.1) and limit["text"] == text
    assert (fake["top"], real["top"] + real["height"]) == pytest.approx((y2, y0)), "zones reach the ends"
    assert y2 < fake["text_y"] < fake["y"] and real["y"] < real["text_y"] < y0, "the words stand in them"
    assert [counts for *_, counts in second["dots"]] == [False, True]
    assert second["path"] == "{},{}".format(*second["dots"][1][:2]), "what is left out is no part of the line"
    assert (first["number"], first["colour"], second["colour"]) == (1, COLOURS[FAKE], COLOURS[REAL])
    assert [text for _, text in drawn["levels"]] == ["0", "0.5", "1"]


@pytest.mark.parametrize(
    ("seconds", "step"), [(0.08, 0.02), (2, 0.5), (6.5, 1), (61, 10), (3000, 500), (90_000, 20_000)]
)
def test_the_axis_has_few_round_numbers(seconds, step):
    prediction = examination(face(0, [0.1, 0.2], fps=1000)).prediction
    ticks = views.curve(prediction, seconds)["ticks"]
    assert [float(text) for _, text in ticks][:2] == [0, step] and 3 <= len(ticks) <= 8
    assert [x for x, _ in ticks] == sorted(x for x, _ in ticks)


def test_one_frame_is_no_curve():
    assert views.curve(examination(face(0, [0.3]), face(1, [0.4])).prediction, 0.0) is None
    assert views.curve(examination().prediction, 0.0) is None


@pytest.mark.parametrize("limits", [(0.01, 0.99), (0.45, 0.55), (0.9, 0.95), (0.02, 0.06), (None, 0.5), (0.5, None)])
def test_the_words_of_both_limits_are_in_the_picture_and_apart(limits):
    prediction = examination(face(0, [0.1, 0.2]), limits=limits).prediction
    drawn = views.curve(prediction, 1.0)
    for limit in drawn["limits"]:
        assert 11 <= limit["text_y"] <= drawn["bottom"] - 2
    if None not in limits:
        one, other = drawn["limits"]
        assert one["anchor"] != other["anchor"] or abs(one["text_y"] - other["text_y"]) >= 12
    else:
        assert len(drawn["limits"]) == 1


def test_peaks_are_the_extremes_of_what_counts():
    prediction = examination(face(0, [0.5, 0.9, 0.1, 0.7], left_out=[2]), face(1, [0.2])).prediction
    peaks = views.peaks(prediction)
    assert peaks == [
        (10, "Face 1 at its highest: P(fake) 0.90 at 1.00 s (frame 10)"),
        (0, "Face 1 at its lowest: P(fake) 0.50 at 0.00 s (frame 0)"),
    ]


def test_the_frame_that_is_shown_says_most():
    assert views.shown_frame(examination(face(0, [0.1, 0.2, 0.95], left_out=[2]), face(1, [0.3, 0.6])).prediction) == 10
    assert views.shown_frame(examination(face(0, [0.1, 0.5, 0.95], left_out=[2]), face(1, [0.2])).prediction) == 10
    assert views.shown_frame(examination(face(0, [0.1, 0.9], left_out=[0, 1])).prediction) == 10
    assert views.shown_frame(examination().prediction) is None


# The page's parts


def test_a_photo_s_result():
    tags = shown(
        views.result(
            examination(face(0, [0.83]), kind="photo", rate="of 9 real clips 1 was called fake"),
            DECISION,
            "me & you <b>.jpg",
        )
    )
    assert "Probably fake" in tags.text and "me & you <b>.jpg" in tags.text and not tags.all("b")
    assert "P(fake) 0.83; called fake from 0.75 on, real up to 0.25." in tags.text
    assert "Of 9 real clips 1 was called fake." in tags.text, "how often that is wrong"
    assert "Trained on Some data: Deepfakes at c23; it says nothing of wholly generated faces" in tags.text
    assert DECISION.meaning in tags.text
    widths = [tag["style"] for tag in tags.all("span") if "tf-zone" in tag.get("class", "")]
    assert widths == ["width:25.0%", "width:25.0%"]
    assert "One picture gives no interval" in tags.text and "Too few frames" not in tags.text
    (picture,) = tags.all("img")
    assert picture["alt"] == "me & you <b>.jpg: face 1 fake"
    drawn = picture_in(picture["src"]).astype(int)
    assert np.abs(drawn[30:80, 21] - OF[FAKE]).sum(axis=1).min() < 60, "the box is in the picture"
    assert not tags.all("svg") and not tags.all("table") and "Every face" not in tags.text


def test_every_face_has_its_own_line():
    faces = face(0, [0.2]), face(1, [0.9]), face(2, [0.5], left_out=[0]), face(3, [0.5])
    tags = shown(views.result(examination(*faces, kind="photo", limits=(REAL_TO, 0.875)), DECISION, "x.jpg"))
    for line in ("Face 1: probably real. P(fake) 0.20", "Face 2: probably fake. P(fake) 0.90",
                 "Face 4: cannot tell. P(fake) 0.50; called fake from 0.75 on", "each of 3 faces is another chance",
                 "P(fake) 0.90; called fake from 0.88 on",
                 f"Face 3: cannot tell. A face was found, but it is {DARK}"):  # fmt: skip
        assert line in tags.text
    assert "Of 4 faces, this is the most fake-looking one." in tags.text
    assert tags.all("img")[0]["alt"] == "x.jpg: face 1 real, face 2 fake, face 3 cannot tell, face 4 cannot tell"
    real = shown(views.result(examination(face(0, [0.2]), face(1, [0.1]), kind="photo"), DECISION, "x.jpg"))
    assert "All faces that were judged are called real." in real.text


def test_a_video_s_result():
    html = views.result(examination(face(0, [0.7, 0.95, 0.9], interval=(0.7, 0.96))), DECISION, "clip.mp4")
    tags = shown(html)
    assert "A close call" in tags.text and "Too few" not in tags.text and "called fake from 0.75 on" in tags.text
    assert "Frame 10, at 1.00 s of 2.00 s." in tags.text
    assert [picture["alt"] for picture in tags.all("img")] == [
        "clip.mp4: frame 10, at 1.00 s; face 1 fake",
        "Face 1 at its highest: P(fake) 0.95 at 1.00 s (frame 10)",
        "Face 1 at its lowest: P(fake) 0.70 at 0.00 s (frame 0)",
    ]
    (svg,) = tags.all("svg")
    assert svg["role"] == "img" and "Face 1, fake: 3 frames" in svg["aria-label"]
    assert "Called fake from 0.75 on. Called real up to 0.25." in svg["aria-label"]
    assert [line["stroke"] for line in tags.all("line") if line.get("class") == "threshold"] == [
        COLOURS[FAKE],
        COLOURS[REAL],
    ]
    assert len(tags.all("rect")) == 2
    assert len(re.findall(r"<path d=", html)) == 3 and len(tags.all("polyline")) == 1
    assert len(tags.all("tr")) == 1 + 3 and len(tags.all("th")) == 5


def test_a_close_call_is_not_said_of_nobody():
    tags = shown(views.result(examination(kind="photo"), DECISION, "x.jpg"))
    assert "Cannot tell" in tags.text and "No face found in this photo; one is needed that is upright." in tags.text
    assert "takes up a good part of the frame" in tags.text
    assert tags.all("img")[0]["alt"] == "x.jpg: no face found"


def test_notes_are_shown():
    html = views.result(
        examination(face(0, [0.9]), kind="photo", notes=["3 of 16 frames do not decode"]), DECISION, "x"
    )
    assert "3 of 16 frames do not decode." in shown(html).text


def test_a_refusal_stands_where_the_verdict_would():
    tags = shown(views.refusal("neither a photo nor a video; is it <cut> off?", "a.mp4"))
    assert "Cannot tell" in tags.text and "Neither a photo nor a video; is it <cut> off?" in tags.text
    assert not tags.all("img")


def test_a_heat_map_is_shown_beside_its_crop():
    crop = np.full((40, 40, 3), 90, np.uint8)
    heat = np.zeros((20, 20), np.float32)
    heat[10:, 10:] = 1
    tags = shown(views.heat_map(crop, heat, 2, "repeat_2", "grad-cam"))
    plain, warm = (picture_in(picture["src"]) for picture in tags.all("img"))
    assert np.abs(plain.astype(int) - 90).max() < 4
    assert warm[30:, 30:].mean() > 100 > warm[:8, :8].mean()
    assert "grad-cam at repeat_2" in tags.text and "face 2" in tags.all("img")[1]["alt"]
    assert "nothing at this layer" not in tags.text
    assert "nothing at this layer" in shown(views.heat_map(crop, 0 * heat, 1, "a", "b")).text


def report():
    clip = {"auc": 0.9609, "auc_interval": (0.875, 1.0), "balanced_accuracy": 0.906, "balanced_accuracy_interval":
            (0.766, 1.0), "n_real": 8, "n_fake": 32, "confusion": Confusion(fp=1, fn=2, tp=30, tn=7)}  # fmt: skip
    return made_up_report(clip=clip, decision=Decision(photo=Band((0.55,), 0.25)))


def test_what_was_measured_is_said_with_its_interval():
    tags = shown(views.about(report(), Decision(0.393, ranges={"face": (92.0, None)}), AppLimits()))
    assert "AUC 0.96 (0.88 to 1.00)" in tags.text and "8 real and 32 fake clips" in tags.text
    assert "“test” of mini" in tags.text and "200 MB" in tags.text
    assert "people who are not in its training: AUC" in tags.text and "portraits" not in tags.text
    assert "of 4 real clips 1 is called fake and 2 real; of 4 fake clips 3 are called fake and 0 real" in tags.text
    assert "unlike those it was trained on, in how much of it is in the picture, size." in tags.text


def test_whose_people_were_measured_is_said():
    practice = dataclasses.replace(report(), data=dataclasses.replace(report().data, name="Mini-FF++ (mini)"))
    text = shown(views.about(practice, DECISION, AppLimits())).text
    assert "people who are not in its training; all people there, in training too, are warps of two portraits" in text
    trained_on = dataclasses.replace(report(), split="train")
    assert "not in its training" not in shown(views.about(trained_on, DECISION, AppLimits())).text


def strangers_refused():
    """What the page claims of the course's detector, as it was measured."""
    record = Path(__file__).parents[2] / "docs/benchmarks/verdicts.json"
    measured = json.loads(record.read_text(encoding="utf-8"))
    row = measured["the course's detector, now"]["test crops, DFDC, real"]
    refused = row["not such a face"] + row["unlike training"]
    return (
        f"of {sum(row.values())} real faces of strangers the course's detector refused {refused} and "
        f"called {row['fake']} fake"
    )


def test_both_limits_and_both_rates_are_listed_and_what_refuses():
    film = Band((0.8,) * 10, 0.2, Rate(0.05, 0.001, 0.249, 1, 22, 20), Rate(0, 0, 0.168, 0, 88, 20), 0.25, 0.125)
    ranges, scope = {"distance": (None, 1.5)}, Scope("x", practice=True)
    decision = Decision(ranges=ranges, photo=BAND, film=film, scope=scope, likeness="0" * 64)
    tags = shown(views.about(None, decision, AppLimits()))
    for words in ("called fake from 0.800 0.750", "called real up to 0.200 0.250", "as one of 3 faces 0.800 0.875",
                  "real ones called fake 1 of 22 real clips: 5.0 % (0.1 to 24.9 %), 20 people or pairs not counted",
                  "fakes called real 0 of 88 fake clips: 0.0 % (0.0 to 16.8 %)", "real ones without a verdict 25.0 %",
                  "“Unlike the faces of its training” means that the network sees something", decision.meaning,
                  "of most faces that are not of them it says “cannot tell: a practice detector”",
                  strangers_refused()):  # fmt: skip
        assert words in tags.text, words
    assert "practice detector" in shown(views.head(decision)).text and len(tags.all("th")) == 2 + 8
    plain = shown(views.about(None, DECISION, AppLimits())).text
    assert "practice" not in plain and "“Unlike the faces" not in plain
    assert "Trained on Some data: Deepfakes at c23" in shown(views.head(DECISION)).text


def test_a_detector_of_before_says_what_to_do():
    old = Decision(0.4, notes=("by hand",)).cautioned(OF_BEFORE)
    assert (
        "It gives no verdict at all: Its decision was made by an older TorchFakes"
        in shown(views.about(None, old, AppLimits())).text
    )
    assert "run `torchfakes calibrate`, or train again." in shown(views.head(old)).text


def test_what_was_not_measured_is_said_too():
    tags = shown(views.about(None, Decision(), AppLimits(megabytes=7)))
    assert "Nobody has measured this detector yet" in tags.text and "AUC" not in tags.text and "7 MB" in tags.text


def test_what_speaks_against_the_detector_stands_at_the_top_and_beside_each_verdict():
    assert "Caution: no better than a coin." in shown(views.head(Decision(caution="no better than a coin"))).text
    assert "Caution" not in shown(views.head(Decision())).text


def test_the_page_says_which_way_uploads_take():
    alone, shared = (shown(views.about(None, Decision(), AppLimits(), shared)).text for shared in (False, True))
    assert "to no other" in alone and "gradio.live" not in alone
    assert "gradio.live" in shared and "to no other" not in shared


def test_the_page_fetches_nothing_from_elsewhere():
    parts = [views.style(), views.script(AppLimits()), views.head(Decision()), views.empty("photo"),
             views.about(report(), Decision(), AppLimits()),
             views.result(examination(face(0, [0.4, 0.9])), DECISION, "x")]  # fmt: skip
    for part in parts:
        assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", part)
    assert "const mostBytes = 200000000;" in parts[1]


@pytest.fixture
def spanish():
    language.use("es")
    yield
    language.use("en")


def test_the_page_speaks_another_language_and_keeps_its_numbers(spanish):
    assert "<h1>¿Real o falso?</h1>" in views.head(DECISION)
    examined = examination(face(0, [0.9, 0.8, 0.9], interval=(0.7, 0.95)), face(1, [0.1, 0.2, 0.1]))
    html = views.result(examined, DECISION, "a.mp4")
    for words in ("Probablemente falso", "intervalo del 95 % entre fotogramas 0.70 a 0.95", "fake a partir de 0.75",
                  "real hasta 0.25", "Fotograma a fotograma", "Cara 2: probablemente real.",
                  "cara 1 fake"):  # fmt: skip
        assert words in html, words
    assert "Cannot tell" not in views.about(None, DECISION, AppLimits()) and "200 MB" in views.about(
        None, DECISION, AppLimits()
    )
    script = views.script(AppLimits())
    assert 'documentElement.lang = "es"' in script and "se aceptan {most} como m" in script


def test_the_page_is_british_english_by_default():
    assert 'documentElement.lang = "en-GB"' in views.script(AppLimits())
    assert "<h1>Real or fake?</h1>" in views.head(DECISION)
