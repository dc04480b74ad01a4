"""What lesson 03 has beside the package: which clip changes, who falls below a threshold, one face in two codecs."""

import json

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from torchfakes_utils.course import lesson_03, lesson_03_figures, plots
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.quality import variance_of_laplacian

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> pd.DataFrame:
    """Two people, six frames each, a real clip and two fakes: 007 goes from sharp to blurred, 001 hardly changes."""
    picture = tmp_path_factory.mktemp("crops") / "a.png"
    Image.new("RGB", (16, 16), (0, 200, 0)).save(picture)
    rows = []
    for person, other, steps in (("001", "007", [50, 51, 52, 53, 54, 55]), ("007", "001", [40, 10, 160, 80, 20, 320])):
        for method, clip, factor in (("youtube", person, 1.0), ("B", f"{person}_{other}", 0.5), ("A", "x", 0.25)):
            for frame, sharpness in enumerate(steps):
                clip_id = f"{person}_{other}" if clip == "x" else clip
                file = picture.with_name(f"{method}-{clip_id}-{frame}.png")
                file.write_bytes(picture.read_bytes())
                rows.append((clip_id, method, int(method != "youtube"), person, frame, sharpness * factor, str(file)))
    columns = ["clip_id", "method", "label", "target_id", "frame", "sharpness", "file"]
    return pd.DataFrame(rows, columns=columns).assign(compression="c23", split="train")


def titles(figure) -> list[str]:
    return [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center") if ax.get_title(loc)]


def test_the_clip_that_changes_most_beside_its_fake_in_the_order_of_time(faces):
    real, fake = lesson_03.changing_clip(faces)
    assert real["clip_id"].tolist() == ["007"] * 2
    assert real["sharpness"].tolist() == [10, 320] and real["frame"].tolist() == [1, 5]
    assert real["frame"].tolist() == fake["frame"].tolist()
    assert set(fake["method"]) == {"A"} and set(fake["target_id"]) == {"007"}


def test_a_series_turns_at_its_peak_and_at_the_lows_beside_it():
    assert lesson_03.turns(np.array([5, 3, 4, 9, 8, 2, 6, 7])) == [1, 3, 5, 7]
    assert lesson_03.turns(np.array([9, 5, 1])) == [0, 2] and lesson_03.turns(np.array([4.0])) == [0]


def test_close_up_counts_the_crops_near_the_threshold():
    figure = lesson_03_figures.close_up(pd.Series([23, 25, 31, 35, 37, 100]), pd.Series(list("ababab")), 30)
    ax = figure.axes[0]
    assert (ax.get_title("left") or ax.get_title()).startswith("3 crops lie within a fifth of 30")
    assert {text.get_text() for text in ax.get_legend().get_texts()} == {"a", "b"}


def test_neighbours_are_the_nearest_on_either_side_one_a_clip(faces):
    nearest, two = lesson_03.neighbours(faces, 30, 1), lesson_03.neighbours(faces, 30, 2)
    assert [crop.sharpness for crop in nearest] == [27.5, 40]
    assert len({(crop.method, crop.clip_id) for crop in two[:2]}) == len({crop.clip_id for crop in two[2:]}) == 2
    assert all(crop.sharpness < 30 for crop in two[:2]) and all(crop.sharpness >= 30 for crop in two[2:])
    assert lesson_03.neighbours(faces, 0, 1)[0] is None and lesson_03.neighbours(faces, 1e9, 2)[2:] == [None] * 2


def test_a_crop_at_the_threshold_stays(faces):
    crop = next(faces[faces["sharpness"] == 40].itertuples())
    assert lesson_03.verdict(crop, 40) == f"stays: 40.0, {plots.NAMES[crop.label]}"
    assert lesson_03.verdict(crop, 40.1).startswith("goes")


def test_edges_of_a_step_are_where_the_step_is():
    face = np.zeros((20, 20, 3), np.uint8)
    face[:, 10:] = 100
    figure = lesson_03_figures.edges_figure({"step": face, "flat": face * 0}, 5)
    grey, second = (figure.axes[column].lines[0].get_ydata() for column in (1, 2))
    assert grey[9] == 0 and grey[10] == 100
    assert np.flatnonzero(second).tolist() == [8, 9] and second[8] == 100 == -second[9]
    assert figure.axes[2].get_ylim() == figure.axes[5].get_ylim(), "one scale, or nothing can be compared"
    assert not figure.axes[5].lines[0].get_ydata().any()


@pytest.fixture(scope="module")
def people(faces) -> pd.Series:
    """Of each crop whose photograph it is: 001's and 007's."""
    return faces["target_id"].map({"001": "one", "007": "seven"})


def test_thrown_away_counts_by_photograph_and_by_class(faces, people):
    figure = lesson_03_figures.thrown_away(faces, people, 30)
    assert figure._suptitle.get_text() == "A threshold of 30 drops 67 % of one's crops, 50 % of seven's"
    hills, bars = figure.axes[:2]
    assert [line.get_xdata()[0] for line in hills.lines] == [pytest.approx(np.log10(30))]
    assert [text.get_text() for text in hills.texts] == ["one", "seven"]
    # 007's 10 and 20 are gone of twelve real crops; A is a quarter as sharp, B half.
    expected = [100 * 12 / 18, 100 * 9 / 18, 100 * 2 / 12, 100 * 19 / 24]
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(expected)
    assert [tick.get_text() for tick in bars.get_yticklabels()] == ["one", "seven", "real", "fake"]
    assert [to_hex(bar.get_facecolor()).upper() for bar in bars.patches[2:]] == [plots.REAL, plots.FAKE]


def test_thrown_away_shows_the_last_that_goes_and_the_first_that_stays_of_each_photograph(faces, people):
    shown = titles(lesson_03_figures.thrown_away(faces, people, 30))
    assert [title.split(",")[0] for title in shown] == ["goes: 27.5", "stays: 50.0", "goes: 20.0", "stays: 40.0"]
    assert all(title.startswith("stays") for title in titles(lesson_03_figures.thrown_away(faces, people, 0)))
    nobody_knows = lesson_03_figures.thrown_away(faces, people.map(lambda _: "all"), 30)
    assert [title.split(":")[0] for title in titles(nobody_knows)] == ["goes", "goes", "stays", "stays"]


def test_a_valley_is_where_the_fewest_lie():
    values = 10 ** np.r_[np.full(50, 1.2), np.linspace(1, 2.4, 20), np.full(50, 2.8)]
    assert 10 ** (2.4) < lesson_03.valley(values, 10, 1000) < 10**2.8


def test_the_softer_the_more_fake(faces):
    auc, low, high = lesson_03.softness_auc(faces, np.where(faces["label"] == 1, 1.0, 100.0))
    assert auc == low == high == 1
    assert lesson_03.softness_auc(faces, np.where(faces["label"] == 1, 100.0, 1.0))[0] == 0


def test_only_fakes_are_blurred(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (160, 160, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    crops = pd.DataFrame({"file": [tmp_path / "a.png"] * 2, "label": [0, 1], "sharpness": variance_of_laplacian(noise)})
    real, fake = lesson_03.sharpness_after(crops, 1.0)
    assert real == crops["sharpness"][0] and fake < real / 10
    assert lesson_03.sharpness_after(crops, 0).tolist() == crops["sharpness"].tolist()


def test_noise_figure_has_a_line_a_picture_and_the_threshold():
    figure = lesson_03_figures.noise_figure([0, 5, 10], {"one": [3, 30, 90], "two": [9, 40, 95]}, 30)
    ax = figure.axes[0]
    assert [line.get_ydata()[0] for line in ax.lines] == [3, 9, 30]
    assert {"threshold 30", " one", " two"} == {text.get_text() for text in ax.texts}
    assert ax.get_yscale() == "log"


@pytest.fixture(scope="module")
def recompressed(tiny_ffpp, tiny_faces):
    """The tiny data set's crops and clips, the originals of which are listed once more as if they were c40."""
    from torchfakes_utils.crops.table import load_faces
    from torchfakes_utils.io.tables import CLIP_COLUMNS, read_table

    clips = read_table(tiny_ffpp / "clips.csv", CLIP_COLUMNS)
    return load_faces(tiny_faces / "faces.csv"), pd.concat([clips, clips.assign(compression="c40")])


def test_a_crop_cut_again_is_the_crop(recompressed, tiny_ffpp):
    faces, clips = recompressed
    row = faces.iloc[0]
    again = lesson_03.cut_again(row, clips, tiny_ffpp, "c23")
    larger = lesson_03.cut_again(row, clips, tiny_ffpp, "c23", size=200)
    assert again.shape == (160, 160, 3) and larger.shape == (200, 200, 3)
    stored = np.asarray(Image.fromarray(plots.face(row["file"])).resize((160, 160)), float)
    assert np.abs(stored - again).mean() < 6, "the same place of the same frame"
    with pytest.raises(InputError, match="not there in raw; download"):
        lesson_03.cut_again(row, clips, tiny_ffpp, "raw")


def test_sharpness_in_both_codecs_stands_row_by_row(recompressed, tiny_ffpp):
    faces, clips = recompressed
    both = lesson_03.in_both(faces.head(8), clips, tiny_ffpp, per_clip=1)
    assert len(both) == 2 and (both["c23"] == both["sharpness"]).all()
    cut = lesson_03.cut_again(both.iloc[1], clips, tiny_ffpp, "c40")
    assert both["c40"].iloc[1] == variance_of_laplacian(cut)


def test_codec_figure_has_a_dot_a_crop():
    both = pd.DataFrame({"c23": [20, 60, 200], "c40": [10, 80, 90], "label": [0, 1, 1]})
    ax = lesson_03_figures.codec_figure(both).axes[0]
    real, fake = (dots.get_offsets().tolist() for dots in ax.collections)
    assert real == [[20, 10]] and fake == [[60, 80], [200, 90]]
    assert ax.get_xlim() == ax.get_ylim() and ax.get_xlim()[1] > 200


def test_portraits_are_those_of_mini_and_of_no_other_data_set(tmp_path):
    assert lesson_03.portraits(tmp_path) == {}
    people = [{"id": "000", "portrait": "astronaut"}, {"id": "001", "portrait": "hopper"}]
    (tmp_path / "mini.json").write_text(json.dumps({"people": people}))
    assert lesson_03.portraits(tmp_path) == {"000": "Collins", "001": "Hopper"}
