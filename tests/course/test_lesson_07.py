"""Lesson 07: pairs to look at, drawn regions and masks, figures, and exercises that tell wrong answers apart."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.colors import to_rgb

from torchfakes_utils.course import lesson_07, lesson_07_figures, plots
from torchfakes_utils.course.practice import State
from torchfakes_utils.crops.table import load_faces
from torchfakes_utils.explanation.regions import REGIONS, face_regions, landmarks_of
from torchfakes_utils.models.detector import DetectorConfig
from torchfakes_utils.models.preprocessing import Preprocessing

from helpers.detectors import opinionated
from helpers.exercises import assert_line, assert_teaches

matplotlib.use("Agg")

# Eyes, nose, mouth corners of an upright face in a crop of 160 px.
UPRIGHT = np.array([[60.0, 60], [100, 60], [80, 85], [63, 105], [97, 105]])


def test_pairs_show_people_and_methods_in_turn(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    shown = lesson_07.varied_pairs(faces, 4)
    assert shown["label"].tolist() == [0] * 4 + [1] * 4
    assert shown["target_id"].tolist()[:4] == shown["target_id"].tolist()[4:] and shown["target_id"].nunique() == 4
    assert shown["frame"].tolist()[:4] == shown["frame"].tolist()[4:]
    assert shown["method"].tolist()[4:] == ["Deepfakes", "FaceSwap"] * 2
    assert len(lesson_07.varied_pairs(faces, 100)) == 12


def test_only_lit_pairs_are_shown_a_method_once(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv")
    shown = lesson_07.varied_pairs(faces, 6)
    maps = [np.ones((4, 4)) for _ in range(len(shown))]
    maps[0] = maps[6 + 2] = np.zeros((4, 4))  # the first pair's real face and the third pair's fake are dark
    chosen, theirs = lesson_07.lit_pairs(shown, maps, 2)
    assert chosen["label"].tolist() == [0, 0, 1, 1] and all(heat.max() > 0 for heat in theirs)
    assert chosen["target_id"].tolist()[:2] == chosen["target_id"].tolist()[2:]
    assert sorted(chosen["method"].tolist()[2:]) == ["Deepfakes", "FaceSwap"]
    assert len(lesson_07.lit_pairs(shown, maps, 6)[1]) == 12  # dark ones fill up


def test_a_cold_place_stays_the_photo_and_a_hot_one_glows():
    photo = np.full((8, 8, 3), 60, np.uint8)
    heat = np.zeros((8, 8))
    heat[:, 4:] = 1
    glowing = lesson_07.glow(photo, heat)
    assert (glowing[:, :3] == 60).all() and glowing[:, 5:, 0].min() > 150


def test_an_outline_leaves_what_is_inside_as_it_is():
    photo = np.full((160, 160, 3), 200, np.uint8)
    mask = face_regions(UPRIGHT) == 0
    drawn = lesson_07_figures.outline(photo, mask)
    edge = (drawn == np.round(255 * np.array(to_rgb(plots.FAKE)))).all(axis=2)
    assert edge.any() and not edge[mask].any() and (drawn[mask] == 200).all() and (photo == 200).all()


def test_regions_are_named_inside_their_borders():
    regions = face_regions(UPRIGHT)
    figure = lesson_07_figures.regions_figure([np.zeros((160, 160, 3), np.uint8)], [regions], "t")
    names = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    assert set(names) == set(REGIONS)
    for name, (x, y) in names.items():
        assert regions[round(y), round(x)] == REGIONS.index(name), name


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(1)
    return opinionated(DetectorConfig(pretrained=None, preprocessing=Preprocessing(size=80)))


def test_a_heat_map_stands_between_its_crop_and_both_together(detector, tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(2)
    crop, heat, both = lesson_07_figures.heat_map_figure(detector, faces, 1, "repeat_2", "layer-cam", "real").axes
    assert crop.get_title() == "real" and heat.get_title() == "layer-cam at repeat_2"
    shown = [ax.images[0].get_array() for ax in (crop, heat, both)]
    np.testing.assert_array_equal(shown[0], plots.face(faces["file"].iloc[1]))
    assert shown[1].shape == shown[2].shape == shown[0].shape and (shown[2] != shown[0]).any()


def test_a_ratio_is_drawn_with_its_interval_and_a_dark_map_is_left_out():
    values = np.array([[1.0, 0.8, 1.2], [2.0, 1.5, 2.5], [np.nan, np.nan, np.nan]])
    series = [("real", "blue", "o", values), ("fake", "red", "X", values + 0.1)]
    figure = lesson_07_figures.ratio_figure(["a", "b", "c"], {"one": series, "two": series[:1]}, "a title")
    assert [{text.get_text().strip() for text in ax.texts} for ax in figure.axes] == [
        {"even glow", "real", "fake"},
        {"even glow", "real"},
    ]
    left = figure.axes[0]
    np.testing.assert_array_equal(left.lines[1].get_xdata(), values[:, 0])
    ends = [segment[:, 0].tolist() for segment in left.collections[0].get_segments()[:2]]
    assert ends == [[0.8, 1.2], [1.5, 2.5]] and left.lines[0].get_xdata()[0] == 1
    dark = np.full((3, 3), np.nan)
    figure = lesson_07_figures.ratio_figure(["a", "b", "c"], {"": [("dark", "blue", "o", dark)]}, "a title")
    assert [text.get_text().strip() for text in figure.axes[0].texts] == ["even glow"]


def test_heat_inside_has_a_row_a_method_and_a_marker_a_map():
    table = pd.DataFrame([
        {"map": name, "method": method, "value": value, "low": value - 0.1, "high": value + 0.1}
        for method, values in (("all", (0.5, 0.3)), ("Deepfakes", (0.4, 0.6)))
        for name, value in zip(("trained", "the blob"), values, strict=True)
    ])  # fmt: skip
    ax = lesson_07_figures.inside_figure(table, "t").axes[0]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["Deepfakes", "all"]
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0.4, 0.5], [0.6, 0.3]]
    assert [text.get_text().strip() for text in ax.texts] == ["trained", "the blob"]


def test_randomisation_has_a_curve_a_method_named_at_its_end():
    randomised = pd.DataFrame({"changed": ["nothing", "head", "block8 to head"], "rank_correlation": [1.0, 0.5, 0.1],
                               "low": [1.0, 0.4, 0.0], "high": [1.0, 0.6, 0.2]})  # fmt: skip
    ax = lesson_07_figures.randomisation_figure({"grad-cam": randomised, "layer-cam": randomised}, "t").axes[0]
    assert [line.get_ydata().tolist() for line in ax.lines[:2]] == [[1.0, 0.5, 0.1]] * 2
    assert [len(each.get_segments()) for each in ax.collections] == [3, 3]  # an interval a point, of both
    assert [text.get_text().strip() for text in ax.texts] == ["grad-cam", "layer-cam"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["nothing", "head", "block8"]


# --- ratios, differences and falls, crop by crop


def test_ratios_are_taken_crop_by_crop_and_region_by_region(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(3)
    even, dark = np.ones((160, 160)), np.zeros((160, 160))
    eyes = (face_regions(landmarks_of(faces["landmarks"].iloc[2])) == REGIONS.index("eyes")).astype(float)
    ratios = lesson_07.crop_ratios([even, dark, eyes], faces)
    assert list(ratios.columns) == list(REGIONS) and ratios.iloc[0].to_numpy() == pytest.approx(1)
    assert ratios.iloc[1].isna().all()
    assert ratios.iloc[2]["eyes"] == pytest.approx(1 / eyes.mean()) and ratios.iloc[2]["nose"] == 0
    own = lesson_07.crop_ratios([even, dark, eyes], faces, lambda heat, inside: inside.mean())
    assert own.sum(axis=1).to_numpy() == pytest.approx(1)  # the learner's function is what is called


def test_the_hottest_region_is_named(tiny_faces):
    faces = load_faces(tiny_faces / "faces.csv").head(2)
    chin = (face_regions(landmarks_of(faces["landmarks"].iloc[0])) == REGIONS.index("chin")).astype(float)
    assert lesson_07.hottest_regions([chin, np.zeros((160, 160))], faces) == ["chin", "dark"]


def people(count, crops=2):
    """A table of so many people, each with a real clip and a fake, and so many crops of each."""
    rows = [
        {"label": label, "clip_id": f"{person:03d}", "method": ("youtube", "Deepfakes")[label], "compression": "c23",
         "target_id": f"{person:03d}", "source_id": f"{person:03d}", "split": "test"}
        for label in (0, 1) for person in range(count) for _ in range(crops)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_a_region_holds_where_it_is_hotter_than_an_even_glow_and_than_the_control():
    faces, generator = people(12), np.random.default_rng(0)
    noise = pd.DataFrame(generator.normal(0, 0.05, (len(faces), len(REGIONS))), columns=list(REGIONS))
    ours, theirs = noise + 1, noise[::-1].reset_index(drop=True) + 1
    real = faces["label"] == 0
    ours.loc[real, ["chin", "mouth"]] += 2
    theirs.loc[real, "mouth"] += 2  # as hot in the control
    ours.loc[~real, "nose"] -= 0.5
    table = lesson_07.judged(ours, theirs, faces)
    assert table.loc[("real", "chin"), "verdict"] == "holds"
    assert table.loc[("real", "mouth"), "verdict"] == "hot, but not beyond the control"
    assert table.loc[("fake", "nose"), "verdict"] == "not above an even glow"
    chin = table.loc[("real", "chin")]
    assert chin["ratio"] == pytest.approx(3, abs=0.05) and chin["more"] == pytest.approx(2, abs=0.05)
    assert chin["low"] < chin["ratio"] < chin["high"] and chin["more_low"] < chin["more"] < chin["more_high"]


def test_what_pairs_the_clips_may_be_the_learners():
    faces = people(4)
    table = pd.DataFrame(1.0, index=faces.index, columns=list(REGIONS))
    judged = lesson_07.judged(table, table, faces, lambda ours, theirs, clips: dict.fromkeys(clips, 7.0))
    assert (judged["more"] == 7).all()


def test_an_answer_falls_where_what_mattered_is_taken_away(detector):
    images = torch.randn(3, 3, 80, 80, generator=torch.Generator().manual_seed(0))
    heat = np.random.default_rng(0).random((80, 80))
    targets = ["fake", "real", "fake"]
    falls = lesson_07.falls(detector, images, targets, [heat, heat, np.zeros((80, 80))])
    assert np.isnan(falls[2]) and np.isfinite(falls[:2]).all() and (falls[:2] != 0).all()
    other = lesson_07.falls(detector, images, ["real", "fake", "fake"], [heat] * 3)
    assert other[:2] == pytest.approx(-falls[:2])
    filled = lesson_07._without_the_hottest(images, [heat] * 3)
    changed = (filled != images).any(dim=1).numpy()
    assert changed.mean() == pytest.approx(0.2, abs=0.01) and heat[changed[0]].min() >= np.quantile(heat, 0.8)


# --- exercises


def looped(activation, gradient):
    total = 0
    for channel, slope in zip(activation, gradient, strict=True):
        total = total + float(slope.mean()) * channel
    return np.maximum(total.numpy(), 0)


def test_the_exercise_on_the_map_teaches():
    assert_teaches(
        lesson_07.CLASS_MAP,
        right=[
            looped,
            lambda a, g: torch.relu((g.mean(axis=(1, 2))[:, None, None] * a).sum(axis=0)),
            lambda a, g: torch.einsum("c,chw->hw", g.mean(dim=(1, 2)), a).clamp(min=0).tolist(),
            lambda a, g: np.maximum((g.numpy().mean(axis=(1, 2), keepdims=True) * a.numpy()).sum(axis=0), 0),
        ],
        wrong={
            "largest gradient": lambda a, g: (g.amax(dim=(1, 2))[:, None, None] * a).sum(0).relu(),
            "a ReLU is missing": lambda a, g: (g.mean(dim=(1, 2))[:, None, None] * a).sum(0),
            "opposite answer": lambda a, g: (-g.mean(dim=(1, 2))[:, None, None] * a).sum(0).relu(),
            "a sum grows with": lambda a, g: (g.sum(dim=(1, 2))[:, None, None] * a).sum(0).relu(),
            "one weight of a whole channel": lambda a, g: (g * a).sum(0).relu(),
            "averaged over the channels": lambda a, g: (g.mean(dim=0) * a).sum(0).relu(),
            "before the sum": lambda a, g: (g.mean(dim=(1, 2))[:, None, None] * a).relu().sum(0),
            "changed places": lambda a, g: (a.mean(dim=(1, 2))[:, None, None] * g).sum(0).relu(),
        },
    )


def test_a_map_with_numpys_axis_on_a_tensor_is_told_in_one_line():
    line = assert_line(
        lesson_07.CLASS_MAP, lambda a, g: np.mean(g.numpy(), dim=(1, 2)), 0, State.WRONG, "stopped with TypeError"
    )
    assert "dim" in line


def test_the_exercise_on_heat_per_area_teaches():
    assert_teaches(
        lesson_07.ATTENTION_RATIO,
        right=[
            lambda heat, inside: heat[inside].mean() / heat.mean() if heat.any() else np.nan,
            lambda heat, inside: torch.tensor((heat * inside).sum() / heat.sum() / (inside.sum() / inside.size)),
        ],
        wrong={
            "That is the share of the heat": lambda heat, inside: heat[inside].sum() / heat.sum(),
            "with the rest of the crop": lambda heat, inside: heat[inside].mean() / heat[~inside].mean(),
            "Turned round": lambda heat, inside: inside.mean() * heat.sum() / heat[inside].sum(),
            "mean heat inside": lambda heat, inside: heat[inside].mean(),
            "avoids this region": lambda heat, inside: heat[inside].mean() / heat.mean() if heat.any() else 0,
            "A place that is 0": lambda heat, inside: np.nan if heat.all() == 0 else heat[inside].mean() / heat.mean(),
        },
    )
    assert_line(
        lesson_07.ATTENTION_RATIO,
        lambda heat, inside: np.nan if heat.min() == 0 else heat[inside].mean() / heat.mean(),
        0,
        State.WRONG,
        "A place that is 0",
    )


def pandas_paired(ours, theirs, clips):
    return pd.Series(ours - theirs).groupby(clips).mean().dropna()


def looped_paired(ours, theirs, clips):
    found = {}
    for clip in set(clips.tolist()):
        gaps = [a - b for a, b, of in zip(ours, theirs, clips, strict=True) if of == clip and a == a and b == b]
        if gaps:
            found[clip] = sum(gaps) / len(gaps)
    return found


def test_the_exercise_on_pairs_teaches():
    def apart(ours, theirs, clips):
        return {
            clip: np.nanmean(ours[clips == clip]) - np.nanmean(theirs[clips == clip])
            for clip in np.unique(clips)
            if not np.isnan(ours[clips == clip]).all()
        }

    assert_teaches(
        lesson_07.PAIRED,
        right=[pandas_paired, looped_paired],
        wrong={
            "dark for one network goes for both": apart,
            "ours minus theirs": lambda ours, theirs, clips: looped_paired(theirs, ours, clips),
            "a single number": lambda ours, theirs, clips: np.nanmean(ours - theirs),
            "a value for each crop": lambda ours, theirs, clips: ours - theirs,
            "drop the sign": lambda ours, theirs, clips: pd.Series(abs(ours - theirs)).groupby(clips).mean().dropna(),
            "one NaN spoils": lambda ours, theirs, clips: {
                clip: (ours - theirs)[clips == clip].mean() for clip in np.unique(clips)
            },
        },
    )


def test_the_exercise_on_pointing_teaches():
    def at_maximum(heat, mask):
        return mask[np.unravel_index(heat.argmax(), heat.shape)]

    assert_teaches(
        lesson_07.POINTING,
        right=[
            lambda heat, mask: at_maximum(heat, mask) if heat.any() else float("nan"),
            lambda heat, mask: float(bool(heat[mask].max() == heat.max())) if heat.max() > 0 else np.nan,
        ],
        wrong={
            "points nowhere": at_maximum,
            "Turned round": lambda heat, mask: 1 - at_maximum(heat, mask) if heat.any() else np.nan,
            "share of the heat inside": lambda heat, mask: heat[mask].sum() / heat.sum(),
            "changed over": lambda heat, mask: at_maximum(heat, mask.T) if heat.any() else np.nan,
            "by the width": lambda heat, mask: mask[divmod(heat.argmax(), heat.shape[0])] if heat.any() else np.nan,
            "A place that is 0": lambda heat, mask: np.nan if heat.all() == 0 else float(at_maximum(heat, mask)),
            "not argmin": lambda heat, mask: at_maximum(-heat, mask) if heat.any() else np.nan,
            "whether there is more": lambda heat, mask: heat[mask].sum() > heat.sum() / 2 if heat.any() else np.nan,
        },
    )
    on_average = lambda heat, mask: heat[mask].mean() > heat[~mask].mean()  # noqa: E731
    assert_line(lesson_07.POINTING, on_average, 0, State.WRONG, "Only the hottest place counts. And a dark map")
