"""What lesson 04 has beside the package: a small network that learns what is there and no more, held-out people."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats
from sklearn.linear_model import RidgeClassifier

from torchfakes_utils.course import lesson_04, lesson_04_figures
from torchfakes_utils.crops.table import load_faces

from helpers.crops import make_faces

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def crops() -> torch.Tensor:
    return torch.randint(0, 256, (3, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def laplacian(crops: torch.Tensor) -> np.ndarray:
    """The sum of the four neighbours less four times the pixel, of the mean of the channels; one pixel lost a side."""
    grey = crops.numpy().astype(float).mean(axis=1)
    middle = grey[:, 1:-1, 1:-1]
    return grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * middle


def test_crops_are_read_in_the_order_of_the_table(tmp_path):
    for name, value in (("a", 7), ("b", 9)):
        Image.new("RGB", (8, 8), (value, 0, 1)).save(tmp_path / f"{name}.png")
    crops = lesson_04.read_crops(pd.DataFrame({"file": [tmp_path / "b.png", tmp_path / "a.png"]}))
    assert crops.shape == (2, 3, 8, 8) and crops.dtype == torch.uint8
    assert crops[:, :, 0, 0].tolist() == [[9, 0, 1], [7, 0, 1]]


def test_thumbnails_are_smaller_pictures_in_the_range_of_the_network(crops):
    same = lesson_04.thumbnails(crops, 48).numpy()
    np.testing.assert_allclose(same, (crops.numpy() - 127.5) / 128, atol=1e-6)
    halves = torch.zeros(1, 3, 48, 48, dtype=torch.uint8)
    halves[..., 24:] = 255
    small = lesson_04.thumbnails(halves, 16)
    assert small.shape == (1, 3, 16, 16)
    assert small[0, 0, 8, 2] == pytest.approx(-127.5 / 128) and small[0, 0, 8, 13] == pytest.approx(127.5 / 128)


def test_edges_are_the_laplacian_of_the_middle(crops):
    expected = np.clip(laplacian(crops)[:, 7:39, 7:39] / 128, -1, 1)
    edges = lesson_04.edges(crops, 32)
    assert edges.shape == (3, 1, 32, 32)
    np.testing.assert_allclose(edges[:, 0].numpy(), expected, atol=1e-5)
    assert lesson_04.edges(torch.full_like(crops, 90), 32).abs().max() < 1e-5, "no edge, no answer"


def test_regions_are_the_logarithm_of_the_variance_in_each_part():
    crops = torch.randint(0, 256, (70, 3, 14, 14), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    parts = laplacian(crops).reshape(70, 3, 4, 3, 4).transpose(0, 1, 3, 2, 4).reshape(70, 9, 16)
    np.testing.assert_allclose(lesson_04.regions(crops, 3), np.log1p(parts.var(axis=2)), rtol=1e-4)


def pictures(labels: np.ndarray) -> torch.Tensor:
    """Noise, a little brighter in the middle where the label is 1."""
    images = torch.randn(len(labels), 1, 32, 32, generator=torch.Generator().manual_seed(0))
    images[:, :, 8:24, 8:24] += torch.from_numpy(np.asarray(labels, np.float32))[:, None, None, None]
    return images


@pytest.fixture(scope="module")
def toy():
    labels = np.arange(160) % 4 == 0  # one of the class for three of the other
    return pictures(labels), labels.astype(int), np.arange(120), np.arange(120, 160)


def test_learns_what_is_there_and_says_so_after_every_epoch(toy):
    history = lesson_04.learn(*toy, epochs=6)
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert history["auc"].iloc[-1] > 0.98 and history["balanced_accuracy"].iloc[-1] > 0.9
    last = lesson_04.learn(*toy, epochs=6, curve=False)
    pd.testing.assert_frame_equal(last, history.tail(1).reset_index(drop=True))


def test_learns_the_same_from_the_same_seed_whatever_was_drawn_before(toy):
    threads = torch.get_num_threads()
    first = lesson_04.learn(*toy, seed=1, epochs=2)
    torch.rand(7)
    pd.testing.assert_frame_equal(first, lesson_04.learn(*toy, seed=1, epochs=2))
    assert not first.equals(lesson_04.learn(*toy, seed=2, epochs=2))
    assert torch.get_num_threads() == threads, "what it sets for itself it takes back"


@pytest.mark.slow
def test_random_labels_are_remembered_by_frame_and_unknown_by_person():
    draw, person = np.random.default_rng(0), np.repeat(np.arange(16), 8)
    looks = draw.normal(size=(16, 1, 32, 32))[person] + 0.3 * draw.normal(size=(128, 1, 32, 32))
    images, aucs = torch.from_numpy(looks.astype(np.float32)), {"frame": [], "person": []}
    for seed in range(4):
        heads = np.random.default_rng(seed).permutation(16) % 2
        away = [*np.flatnonzero(heads == 0)[:2], *np.flatnonzero(heads == 1)[:2]]
        for split, out in {"frame": np.arange(128) % 4 == 0, "person": np.isin(person, away)}.items():
            rows = np.flatnonzero(~out), np.flatnonzero(out)
            aucs[split].append(lesson_04.learn(images, heads[person], *rows, seed, epochs=6)["auc"].iloc[-1])
    assert np.mean(aucs["frame"]) > 0.9
    assert 0.2 < np.mean(aucs["person"]) < 0.8


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_is_students(level):
    values = [0.4, 0.5, 0.55, 0.7]
    expected = stats.t.interval(level, df=3, loc=np.mean(values), scale=stats.sem(values))
    assert lesson_04.interval(values, level) == pytest.approx(expected)


def test_table_keeps_the_order_and_counts_the_runs():
    runs = pd.DataFrame({"split": ["z", "a", "z", "a", "z"], "AUC": [0.5, 0.9, 0.7, 0.9, 0.6]})
    table = lesson_04.table(runs, "AUC")
    assert table.index.tolist() == ["z", "a"]
    assert table["AUC"].tolist() == ["0.60", "0.90"] and table["runs"].tolist() == [3, 2]
    assert table["95 % interval"].tolist() == ["0.35 to 0.85", "0.90 to 0.90"]


def test_no_interval_of_a_score_ends_above_one():
    runs = pd.DataFrame({"split": ["a"] * 4, "AUC": [1.0, 1.0, 1.0, 0.96]})
    assert lesson_04.interval(runs["AUC"])[1] > 1
    assert lesson_04.table(runs, "AUC")["95 % interval"].tolist() == ["0.96 to 1.00"]


def test_a_gap_is_taken_seed_by_seed():
    runs = pd.DataFrame({"split": ["a", "b"] * 3, "seed": [0, 0, 1, 1, 2, 2], "AUC": [0.5, 0.4, 0.9, 0.8, 0.3, 0.2]})
    assert lesson_04.gap(runs, "AUC", "a", "b") == pytest.approx((0.1, 0.1, 0.1))
    assert lesson_04.gap(runs, "AUC", "b", "a")[0] == pytest.approx(-0.1)


def test_code_that_is_shown_is_the_code_that_runs_without_its_docstring():
    shown = lesson_04.code_of(lesson_04.small_network, lesson_04.one_pass)
    assert len(shown.splitlines()) <= 16 and '"""' not in shown and "Tensor" not in shown
    names: dict = {"nn": torch.nn}
    exec(shown.split("\n\n")[0].replace(": list[nn.Module]", ""), names)
    assert str(names["small_network"](3)) == str(lesson_04.small_network(3))


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """Twelve people, a real clip and a fake of each, four frames a clip."""
    rows = [
        (f"{person:02d}", method, label, frame)
        for person in range(12)
        for label, method in enumerate(("youtube", "Deepfakes"))
        for frame in range(4)
    ]
    columns = ["clip_id", "method", "label", "frame"]
    return pd.DataFrame(rows, columns=columns).assign(compression="c23")


def test_amounts_count_what_was_trained_on(people):
    groups = people["clip_id"].to_numpy()
    runs = lesson_04.amounts(people[["label"]].to_numpy(), people, groups, [(2, 1), (3, 4)], repeats=2)
    assert runs[["repeat", "groups", "frames"]].to_numpy().tolist() == [[0, 2, 1], [0, 3, 4], [1, 2, 1], [1, 3, 4]]
    assert runs["clips"].tolist() == [4, 6] * 2 and runs["crops"].tolist() == [4, 24] * 2
    assert (runs["auc"] == 1).all(), "the label itself is all that is needed"


def test_amounts_never_train_on_the_people_they_test(people):
    # Each person's own feature tells real from fake, half of them the other way round: no use with strangers.
    person, sign = people["clip_id"].astype(int).to_numpy(), 2 * people["label"].to_numpy() - 1
    features = np.eye(12)[person] * (sign * (-1) ** person)[:, None]
    assert RidgeClassifier().fit(features, sign).score(features, sign) == 1
    runs = lesson_04.amounts(features, people, people["clip_id"].to_numpy(), [(8, 4)], repeats=20)
    assert 0.3 < runs["auc"].mean() < 0.7


def test_amounts_test_each_plan_of_a_repeat_on_the_same_people_and_each_repeat_on_others(people, monkeypatch):
    groups, asked = people["clip_id"].to_numpy(), []
    monkeypatch.setattr(lesson_04, "roc_auc_score", lambda truth, scores: asked.append(scores) or 0.5)
    monkeypatch.setattr(RidgeClassifier, "decision_function", lambda self, x: x[:, 0])
    monkeypatch.setattr(lesson_04, "StandardScaler", lambda: "passthrough")
    lesson_04.amounts(people[["clip_id"]].astype(float).to_numpy(), people, groups, [(1, 1), (8, 4)], repeats=3)
    tested = [sorted(set(scores)) for scores in asked]
    assert tested[0] == tested[1] and tested[2] == tested[3] and all(len(names) == 4 for names in tested)
    assert tested[0] != tested[2] or tested[0] != tested[4]


def test_curves_have_a_thin_line_a_run_and_a_thick_one_for_their_mean():
    runs = [pd.DataFrame({"epoch": [1, 2], "balanced_accuracy": [0.5, end]}) for end in (0.8, 1.0)]
    ax = lesson_04_figures.curves_figure({"by frame": runs, "by person": runs[:1]}, "t").axes[0]
    thick = [line.get_ydata().tolist() for line in ax.lines if line.get_linewidth() == 3]
    assert thick == [[0.5, pytest.approx(0.9)], [0.5, 0.8]] and len(ax.lines) == 1 + 3 + 2
    assert {text.get_text() for text in ax.texts} == {" by frame", " by person", "a coin"}


def test_dots_figure_shows_every_run_its_mean_and_interval_and_names_every_split():
    runs = pd.DataFrame({"split": ["a", "a", "b"], "AUC": [0.2, 0.4, 0.9]})
    figure = lesson_04_figures.dots_figure({"one": runs, "two": runs}, "AUC", "t", "AUC, held out")
    assert len(figure.axes) == 2 and figure.get_figwidth() <= 7
    ax = figure.axes[0]
    assert [list(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"] == [[0.2, 0.4], [0.9]]
    assert [text.get_text() for text in ax.texts] == [" a coin", "0.30", "0.90"]
    flat = [line for line in ax.lines if len(set(line.get_ydata())) == 1 and line.get_marker() == "None"]
    assert [list(line.get_xdata()) for line in flat] == [pytest.approx(list(lesson_04.interval([0.2, 0.4])))]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"] and ax.get_xlabel() == "AUC, held out"
    low, high = ax.get_xlim()
    assert low < 0 and high > 1, "no score falls off the edge"


def test_amounts_figure_has_a_point_a_plan_at_its_number_of_crops(people):
    features, groups = people[["label"]].to_numpy(), people["clip_id"].to_numpy()
    frames = lesson_04.amounts(features, people, groups, [(1, 1), (1, 4)], repeats=2)
    clips = lesson_04.amounts(features, people, groups, [(1, 1), (2, 1), (8, 1)], repeats=2)
    ax = lesson_04_figures.amounts_figure(frames, clips).axes[0]
    assert [list(line.get_xdata()) for line in ax.lines] == [[2, 4, 16], [2, 8]]
    assert [text.get_text() for text in ax.texts] == ["more clips", "more frames"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "4", "16"]


# --- previews


@pytest.mark.parametrize("name", [*lesson_04_figures.CHANGES, *lesson_04_figures.AUGMENTATIONS])
def test_nothing_is_changed_at_no_strength_and_something_at_full(name):
    crop = torch.arange(3 * 64 * 64).reshape(3, 64, 64).remainder(251).to(torch.uint8)
    recipe = lesson_04_figures.CHANGES.get(name) or lesson_04_figures.AUGMENTATIONS[name]
    views = {
        strength: lesson_04_figures.augment(
            crop.expand(8, -1, -1, -1),
            lesson_04_figures.draw(lesson_04_figures.weaker(recipe, strength), 8, torch.Generator().manual_seed(0)),
        )
        for strength in (0.0, 1.0)
    }
    assert (views[0.0] == crop).all() or name in ("mirror", "first-project", "modern")  # half a mirror still mirrors
    assert (views[1.0] == crop).all() == (name == "none")
    assert lesson_04_figures.weaker(recipe, 1.0) == recipe


def test_half_the_strength_is_half_the_range():
    half = lesson_04_figures.weaker(lesson_04_figures.AUGMENTATIONS["modern"], 0.5)
    assert half.rotation == 2.5 and half.rescale == 1.5 and half.jpeg == 75 and half.share == 0.3


def test_new_clips_lead_from_where_they_stay_ahead():
    def plans(column, auc):
        other = {"groups": "frames", "frames": "groups"}[column]
        counts = [1, 2, 4, 8]
        return pd.DataFrame({column: counts, other: 1, "crops": [10 * n for n in counts], "auc": auc})

    frames = plans("frames", [0.5, 0.52, 0.52, 0.52])
    led = [lesson_04_figures.clips_lead(frames, plans("groups", auc)) for auc in
           ([0.5, 0.51, 0.53, 0.54], [0.5, 0.53, 0.53, 0.54], [0.5, 0.53, 0.54, 0.52])]  # fmt: skip
    assert led[0] == "From 40 crops on, new clips teach more than new frames"
    assert led[1].startswith("From 20 crops on") and led[2] == "New clips teach no more than new frames"


def test_previews_draw(tmp_path):
    crop = torch.full((3, 64, 64), 90, dtype=torch.uint8)
    assert lesson_04_figures.preview(crop, "noise", 0.5)._suptitle.get_text() == "noise, up to 50 % of its range"
    faces = load_faces(make_faces(tmp_path, {"train": 3}))
    figure = lesson_04_figures.batch(faces, "paired", count=6)
    assert figure._suptitle.get_text() == "paired: 3 real and 3 fake"
    titles = [ax.get_title() for ax in figure.axes]
    people = [title.split(" of ")[1] for title in titles]
    assert people[:3] == people[3:]  # one above the other


def test_each_change_is_shown_once_beside_the_crop():
    crop = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    figure = lesson_04_figures.one_change_each(crop)
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert [title.split(":")[0] for title in titles] == ["as stored", *lesson_04_figures.CHANGES]
    pictures = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert all((picture != pictures[0]).any() for picture in pictures[1:])


def test_the_most_changed_fake_is_the_one_farthest_from_its_original(tmp_path):
    rows = []
    for person, change in (("000", 10), ("001", 90), ("002", 40)):
        for method, value in (("youtube", 100), ("FaceSwap", 100 + change), ("Deepfakes", 255)):
            file = tmp_path / f"{method}{person}.png"
            Image.new("RGB", (8, 8), (value,) * 3).save(file)
            rows.append((person, method, int(method != "youtube"), person, str(file), 200.0))
    faces = pd.DataFrame(rows, columns=["clip_id", "method", "label", "target_id", "file", "sharpness"])
    faces = faces.assign(compression="c23", frame=3)
    assert lesson_04.most_changed(faces, "FaceSwap").unique().tolist() == [190]
    assert lesson_04.most_changed(faces.assign(sharpness=20.0), "FaceSwap").unique().tolist() == [190]
    assert lesson_04.most_changed(faces[faces["target_id"] != "001"], "FaceSwap").unique().tolist() == [140]
