"""The figures of lesson 01, on a data set of a few frames made up here, and what learners write in it."""

import re

import matplotlib
import numpy as np
import pytest

from torchfakes_utils.course import lesson_01, lesson_01_exercises
from torchfakes_utils.course.lesson_01 import ISLANDS, LEAKS, READ_NAME
from torchfakes_utils.course.practice import State
from torchfakes_utils.datasets import faceforensics, split_files, splits
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import write_video

from helpers.exercises import assert_line, assert_teaches

matplotlib.use("Agg")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two people, two methods, two compressions; FaceSwap has masks, FaceShifter none; a face is a square."""
    root = tmp_path_factory.mktemp("ffpp")
    names = {"original_sequences/youtube": ["000", "003"]}
    names |= {f"manipulated_sequences/{method}": ["000_003", "003_000"] for method in ("FaceSwap", "FaceShifter")}
    for number, (folder, stems) in enumerate(names.items()):
        for stem in stems:
            frame = np.full((64, 96, 3), 60, np.uint8)
            frame[20:44, 40:60] = 120 + 40 * number
            for compression in ("c23", "c40"):
                write_video(root / folder / compression / "videos" / f"{stem}.mp4", [frame] * 4)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:44, 40:60] = 255
    for stem in ("000_003", "003_000"):
        path = root / "manipulated_sequences/FaceSwap/masks/videos" / f"{stem}.mp4"
        write_video(path, [mask] * 4)
    return root, faceforensics.index(root)


def test_a_mask_becomes_a_box():
    mask = np.zeros((30, 40), np.uint8)
    assert lesson_01.masked_box(mask) is None
    mask[5:9, 10:30] = 255
    assert lesson_01.masked_box(mask) == (10, 5, 30, 9)
    assert lesson_01.masked_box(np.repeat(mask[..., None], 3, axis=2)) == (10, 5, 30, 9)


def test_change_is_in_grey_levels_and_has_no_sign():
    dark, light = np.full((2, 2, 3), 10, np.uint8), np.full((2, 2, 3), 250, np.uint8)
    assert (lesson_01.change(dark, light) == 240).all() and (lesson_01.change(light, dark) == 240).all()


def test_a_frame_beyond_the_end_is_the_last_one(data):
    root, clips = data
    assert lesson_01.frame(root, clips["path"].iloc[0], 99).shape == (64, 96, 3)
    with pytest.raises(InputError):
        lesson_01.frame(root, "nothing.mp4", 0)


def test_masks_are_known_and_reals_are_found(data):
    root, clips = data
    assert set(clips.loc[lesson_01.has_mask(root, clips), "method"]) == {"FaceSwap"}
    assert lesson_01.real_of(clips, "003", "c40")["clip_id"] == "003"
    with pytest.raises(InputError, match="999"):
        lesson_01.real_of(clips, "999", "c23")


def test_figures_of_faces_are_drawn_with_and_without_masks(data):
    root, clips = data
    family = lesson_01.family_figure(root, clips, "000", "c23", index=1)
    shown = {ax.get_title(): bool(ax.collections) for ax in family.axes if ax.get_visible()}
    assert shown == {"target 000": False, "FaceShifter": False, "FaceSwap": True, "source 003": False}  # the outline
    edges = [ax.images[0].get_array().shape[0] for ax in family.axes if ax.get_visible()]
    assert min(edges) >= 160
    for method, story in (("FaceSwap", "000 wears the face of 003"), ("FaceShifter", "000 wears the face of 003")):
        figure = lesson_01.forgery_figure(root, clips, "000", method, "c40", index=1)
        assert [ax.get_title() for ax in figure.axes[:3]] == ["target 000", "source 003", f"{method} 000_003"]
        assert figure._suptitle.get_text() == f"000_003: {story} (c40)"
        assert bool(figure.axes[3].collections) == (method == "FaceSwap")  # the mask's outline
    figure = lesson_01.compression_figure(root, clips, "000", "FaceSwap", "a message", index=1)
    assert [ax.get_title() for ax in figure.axes[1::3]] == ["FaceSwap, c23", "FaceSwap, c40"]
    assert figure._suptitle.get_text() == "a message"
    scales = {ax.images[0].get_clim() for ax in figure.axes[2::3]}
    assert len(scales) == 1  # two compressions, one scale
    with pytest.raises(InputError, match="Deepfakes"):
        lesson_01.forgery_figure(root, clips, "000", "Deepfakes", "c23")


def test_islands_leave_out_arrows_to_people_who_are_not_drawn():
    arrows = [("000", "003", "train"), ("003", "000", "test"), ("000", "777", "train")]
    figure = lesson_01.islands_figure([("000", "003")], {"one": (arrows, {"000": "train"}), "two": ([], {})})
    assert [len(ax.patches) for ax in figure.axes] == [2, 0]


def test_leaks_are_bars_with_their_share_beside_them():
    figure = lesson_01.leak_figure({"clips": 1.0, "pairs": 0.0, "targets": 0.72}, "a message")
    ax = figure.axes[0]
    assert figure._suptitle.get_text() == "a message"
    assert [text.get_text() for text in ax.texts] == ["100%", "0%", "72%"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["clips", "pairs", "targets"]


def test_the_published_names_are_five_thousand_clips_in_whole_pairs():
    table = lesson_01.published_clips()
    assert len(table) == 5000 and table["label"].sum() == 4000 and table["target_id"].nunique() == 1000
    fakes = table[table["label"] == 1]
    assert set(zip(fakes["target_id"], fakes["source_id"], strict=True)) == set(
        zip(fakes["source_id"], fakes["target_id"], strict=True)
    )
    split = splits.assign_splits(table, splits.read_splits(split_files.FOLDER))
    assert split["split"].value_counts().to_dict() == {"train": 3600, "val": 700, "test": 700}


# --- what learners write


def test_names_are_read():
    def by_hand(stem):
        people = stem.split("__")[0].split("_")
        return people[0], people[1] if len(people) == 2 else ""

    def with_an_expression(stem):
        found = re.match(r"(\d+)(?:_(\d+))?(?:__|$)", stem)
        return [found[1], found[2] or ""]

    assert_teaches(
        READ_NAME,
        right=[by_hand, with_an_expression, lambda stem: tuple([*stem.split("__")[0].split("_"), ""][:2])],
        wrong={
            "the other way round": lambda stem: tuple([*stem.split("__")[0].split("_"), ""][1::-1]),
            "as a number": lambda stem: (int(by_hand(stem)[0]), int(by_hand(stem)[1]) if by_hand(stem)[1] else ""),
            "not by None": lambda stem: (by_hand(stem)[0], by_hand(stem)[1] or None),
            "names the scene": lambda stem: tuple([*stem.split("_", 1), ""][:2]),
            "stopped with IndexError": lambda stem: (stem.split("_")[0], stem.split("_")[1]),
        },
    )


def removing_both(edges):
    groups = [{p} for p in {p for edge in edges for p in edge}]
    for a, b in edges:
        ga = next(g for g in groups if a in g)
        gb = next(g for g in groups if b in g)
        groups.remove(ga)
        groups.remove(gb)
        groups.append(ga | gb)
    return groups


def by_number(edges, join):
    groups = [[p] for p in sorted({p for edge in edges for p in edge})]
    for a, b in edges:
        i = next(n for n, group in enumerate(groups) if a in group)
        j = next(n for n, group in enumerate(groups) if b in group)
        groups = join(groups, i, j)
    return groups


def deleting(groups, i, j):
    groups[i] += groups[j]
    del groups[j]
    return groups


def doubling(groups, i, j):
    return [group for n, group in enumerate(groups) if n not in (i, j)] + [groups[i] + groups[j]]


def test_islands_are_found():
    def by_walking(edges):
        found, waiting = [], {person for edge in edges for person in edge}
        while waiting:
            island, fresh = set(), {waiting.pop()}
            while fresh:
                island |= fresh
                fresh = {p for edge in edges if set(edge) & fresh for p in edge} - island
            waiting -= island
            found.append(island)
        return found

    def by_merging(edges):
        groups = []
        for edge in edges:
            touched = [group for group in groups if group & set(edge)]
            groups = [group for group in groups if not group & set(edge)] + [set(edge).union(*touched)]
        return [list(group) for group in groups]

    assert_teaches(
        ISLANDS,
        right=[by_walking, by_merging, lambda edges: [frozenset(group) for group in by_walking(edges)]],
        wrong={
            "the pairs as they are": lambda edges: [set(edge) for edge in edges],
            "both have to become one": lesson_01_exercises._first_found,
            "direct neighbours": lambda edges: {
                tuple(sorted({p for edge in edges if person in edge for p in edge}))
                for person in {p for edge in edges for p in edge}
            },
            "Not yet: Both ends may be in one group already": removing_both,
            "You lose an island": lambda edges: by_number(edges, deleting),
            "is twice on one of your islands; both ends": lambda edges: by_number(edges, doubling),
            "for islands([('a', 'b'), ('c', 'd'), ('b', 'c'), ('e', 'f')]), yours has 1 island, and 2": lambda edges: [
                {p for edge in edges for p in edge}
            ],
            "groups of ids is expected": lambda edges: len(by_walking(edges)),
        },
    )


def test_it_does_not_matter_how_often_a_mistake_gives_a_group():
    def neighbours(edges):
        people = sorted({p for edge in edges for p in edge})
        return [{p for edge in edges if person in edge for p in edge} for person in people]

    for seed in range(5):
        assert_line(ISLANDS, neighbours, seed, State.WRONG, "direct neighbours")
        assert_line(ISLANDS, lambda edges: {frozenset(edge) for edge in edges}, seed, State.WRONG, "as they are")
    assert "on two of your islands" in ISLANDS.difference([("a", "b")], [("a", "b"), ("a", "b")])


def test_somebody_on_two_islands_is_named():
    said = lesson_01_exercises.difference_of_islands([("000", "003")], [["000", "003"], ["003"]])
    assert said == "'003' is on two of your islands"


def test_leaks_are_counted():
    def looped(train, test):
        known = set()
        for target, source in train:
            known.add(target)
            if source:
                known.add(source)
        count = total = 0
        for target, source in test:
            if source:
                total += 1
                count += target in known or source in known
        return count / total

    def of_fakes(test):
        return [clip for clip in test if clip[1]]

    def known(train):
        return {person for clip in train for person in clip if person}

    assert_teaches(
        LEAKS,
        right=[looped, lambda train, test: np.mean([bool(set(clip) & known(train)) for clip in of_fakes(test)])],
        wrong={
            "ask for its source": lambda train, test: np.mean([a in known(train) for a, _ in of_fakes(test)]),
            "not only its targets": lambda train, test: np.mean(
                [bool({a, b} & {clip[0] for clip in train}) for a, b in of_fakes(test)]
            ),
            "`or`, not `and`": lambda train, test: np.mean([{a, b} <= known(train) for a, b in of_fakes(test)]),
            "how many fakes leak": lambda train, test: sum(bool({a, b} & known(train)) for a, b in of_fakes(test)),
            "all test clips": lambda train, test: (
                sum(bool({a, b} & known(train)) for a, b in of_fakes(test)) / len(test)
            ),
            "is nobody": lambda train, test: np.mean(
                [a in {p for c in train for p in c} or b in {p for c in train for p in c} for a, b in test]
            ),
            "A real clip shows somebody": lambda train, test: looped([clip for clip in train if clip[1]], test),
            "You count real test clips": lambda train, test: np.mean([bool({a, b} & known(train)) for a, b in test]),
            "for leaks([('a', ''), ('b', 'c')], [('d', 'c'), ('d', 'e'), ('b', '')]), yours is": lambda train, test: (
                1.0
            ),
        },
    )
