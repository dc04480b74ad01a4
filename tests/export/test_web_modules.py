"""The web page's modules, in node, beside what they follow in Python."""

import functools

import numpy as np
import pytest

from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.faces.steadying import steadied
from torchfakes_utils.models.decision import Decision

from helpers.pixels import PIXELS, check_measures, check_pixels, encoded
from helpers.web import in_node


@pytest.mark.slow
def test_pixels_are_opencvs_and_torchvisions(modules, portraits):
    check_pixels(functools.partial(in_node, modules), portraits)


def test_light_and_sharpness_are_ours(modules, portraits):
    check_measures(functools.partial(in_node, modules), portraits)


def test_pictures_with_a_fourth_channel_are_cut_alike(modules, portraits):
    """A canvas gives red, green, blue and opacity."""
    picture = portraits[0]
    opaque = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    jobs = [
        {"name": name, "image": encoded(one), "args": args}
        for name, args in (("squareCrop", [[40, 40, 120, 130], 1.3, 160]), ("resizeArea", [77, 60]), ("light", []))
        for one in (picture, opaque)
    ]
    results = in_node(modules, PIXELS, jobs)
    assert results[0::2] == results[1::2]


def test_overlaps_and_pyramids_are_the_cascades(modules):
    rng = np.random.default_rng(0)
    corner, edges = rng.uniform(0, 60, (120, 2)), rng.uniform(5, 40, (120, 2))
    boxes = np.concatenate([corner, corner + edges], axis=1).astype(np.float32)
    scores = rng.choice(np.linspace(0.6, 1, 30), 120).astype(np.float32)  # ties among them
    code = """async ({ boxes, scores, sizes }) => {
      const { distinct, pyramid } = await load("cascade.js");
      const all = boxes.map((box, place) => ({ box, probability: scores[place], place }));
      const places = [[0.5, false], [0.7, false], [0.7, true]].map(([most, smaller]) =>
        distinct(all, Math.fround(most), smaller).map((one) => one.place));
      return { places, levels: sizes.map((size) => pyramid(...size)) };
    }"""
    sizes = [(240, 320, 36.0), (720, 960, 36.0), (20, 500, 5.0), (11, 11, 12.0), (333, 250, 17.3)]
    found = in_node(modules, code, {"boxes": boxes.tolist(), "scores": scores.tolist(), "sizes": sizes})
    for places, (most, smaller) in zip(found["places"], [(0.5, False), (0.7, False), (0.7, True)], strict=True):
        assert places == mtcnn_numpy.distinct(boxes, scores, most, smaller).tolist()
        assert len(places) < len(boxes)
    for levels, size in zip(found["levels"], sizes, strict=True):
        assert [(one["scale"], one["height"], one["width"]) for one in levels] == mtcnn_numpy.pyramid(*size)


def test_boxes_are_steadied_as_ours(modules, portraits):
    """With a last network that is arithmetic in both, which moves ends by what the middle of a view shows."""
    picture = np.ascontiguousarray(portraits[0])

    def offsets(views):
        shown = ((views.astype(np.float32) - 127.5) * 0.0078125)[:, 24, 24]  # (N, 3)
        return np.concatenate([shown, shown[:, :1]], axis=1) * 0.2

    boxes = [[40.3, 30.2, 120.9, 131.4], [-20.0, 10.0, 60.0, 95.0], [100.0, 90.0, 122.0, 111.0]]
    code = """async ({ image, boxes }) => {
      const { steadied } = await load("steadying.js");
      const onet = async (input, count) => {
        const data = [];
        for (let view = 0; view < count; view++)
          for (const plane of [0, 1, 2, 0]) data.push(0.2 * input[(view * 3 + plane) * 2304 + 24 * 48 + 24]);
        return { offsets: { data } };
      };
      const data = Uint8Array.from(atob(image.data), (character) => character.charCodeAt(0));
      const found = [];
      for (const box of boxes) found.push(Array.from(await steadied({ ...image, data }, box, onet)));
      return found;
    }"""
    found = in_node(modules, code, {"image": encoded(picture), "boxes": boxes})
    ours = steadied(picture, np.array(boxes), offsets)
    assert np.abs(ours - np.array(boxes, np.float32)).max() > 1, "they are moved"
    assert np.allclose(found, ours, atol=1e-3)


def test_verdicts_are_ours(modules):
    """What lies outside of the ranges, in the same words; and P(fake) of a logit."""
    ranges = {
        "face": (92.5, None), "brightness": (63.5, 177.4), "contrast": (35.77, None), "sharpness": (21.5, 1861.6),
        "distance": (None, 2.5),
    }  # fmt: skip
    decision = Decision(0.39, 1.4, ranges)
    rng = np.random.default_rng(0)
    crops = [
        {"face": face, "brightness": bright, "contrast": contrast, "sharpness": sharp, "distance": far}
        for face, bright, contrast, sharp, far in rng.uniform(
            [60, 40, 20, 0, 1], [300, 200, 90, 2500, 3], (300, 5)
        ).tolist()
    ] + [
        {"outside": 34.6, "face": 200.0},
        {"outside": 3.0, "face": 90.0},
        {"face": 50.5, "brightness": 100.0, "contrast": 50.0, "sharpness": 100.0},
        {"face": 200.0},
        {"face": 200.0, "brightness": 100.0, "contrast": 50.0, "sharpness": 21.0},
    ]
    logits = rng.normal(0, 4, 50).tolist()
    code = """async ({ ranges, crops, logits }) => {
      const { outside, probability } = await load("verdict.js");
      return { why: crops.map((one) => outside(ranges, one)), fake: logits.map((one) => probability(one, 1.4)) };
    }"""
    found = in_node(modules, code, {"ranges": decision.ranges, "crops": crops, "logits": logits})
    expected = [decision.outside(one) for one in crops]
    assert found["why"] == expected and len({why.split(" (")[0] for why in expected}) >= 9
    np.testing.assert_allclose(found["fake"], decision.probability(logits), rtol=1e-12)


LIVE = """async ({ frames, threshold }) => {
  const { Live } = await load("live.js");
  const band = { fake_from: Array(32).fill(threshold), real_to: threshold - 1e-9 };
  const live = new Live({ photo: band, film: band, fewest_frames: 4, scope: {} });
  return frames.map(({ time, faces }) => live.add(
    faces.map(({ box, fake, why }, face) => ({
      face, frames: [{ frame: 0, time: 0, box, face_probability: 1, probability_fake: fake, cannot_tell: why ?? "" }],
    })), time,
  ).map(({ face, verdict, probability_fake, frames }) => ({ face, verdict, probability_fake, count: frames.length })));
}"""


def test_two_people_before_the_camera_keep_their_numbers(modules):
    """Whichever of them the face detector names first, and though one looks away for a moment."""
    left, right = [10, 10, 60, 60], [200, 10, 260, 70]
    fakes = [0.1, 0.2, 0.3]
    frames = [
        {"time": 0.0, "faces": [{"box": left, "fake": 0.1}, {"box": right, "fake": 0.9}]},
        {"time": 0.2, "faces": [{"box": [205, 12, 262, 70], "fake": 0.7}, {"box": [14, 12, 66, 62], "fake": 0.2}]},
        {"time": 0.4, "faces": [{"box": [18, 14, 70, 66], "fake": 0.3}]},
        {"time": 0.6, "faces": [{"box": [22, 14, 74, 66], "fake": 0, "why": "dark (…)"}, {"box": right, "fake": 0.8}]},
    ]  # fmt: skip
    first, second, third, fourth = in_node(modules, LIVE, {"frames": frames, "threshold": 0.5})
    assert [one["face"] for one in first] == [0, 1] and [one["verdict"] for one in first] == ["real", "fake"]
    assert second[1]["probability_fake"] == pytest.approx(0.8)
    assert [one["face"] for one in third] == [0]
    assert third[0]["probability_fake"] == pytest.approx(np.mean(fakes))
    assert [one["count"] for one in fourth] == [4, 3]
    assert fourth[0]["probability_fake"] == pytest.approx(np.mean(fakes)), "a blurred frame counted"
    assert fourth[1]["probability_fake"] == pytest.approx(0.8)


def test_somebody_who_comes_later_is_somebody_else(modules):
    box = [10, 10, 60, 60]
    frames = [{"time": time, "faces": [{"box": box, "fake": fake}]} for time, fake in ((0, 0.9), (1, 0.9), (4, 0.1))]
    frames.append({"time": 4.2, "faces": [{"box": [150, 10, 200, 60], "fake": 0.4}]})
    found = in_node(modules, LIVE, {"frames": frames, "threshold": 0.5})
    assert [one[0]["count"] for one in found] == [1, 2, 1, 1]
    assert found[2][0]["probability_fake"] == 0.1 and found[3][0]["face"] == 1


def test_only_the_last_frames_count(modules):
    frames = [{"time": at / 5, "faces": [{"box": [0, 0, 50, 50], "fake": float(at < 20)}]} for at in range(40)]
    found = in_node(modules, LIVE, {"frames": frames, "threshold": 0.5})
    assert found[19][0]["probability_fake"] == 1 and found[27][0]["probability_fake"] == 0.5
    assert found[39][0]["probability_fake"] == 0 and found[39][0]["count"] == 16
