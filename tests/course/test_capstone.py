"""The capstone's clips give nothing away, and a hand-in gets the grade that it is worth."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from torchfakes_utils.cli.main import main
from torchfakes_utils.course import capstone
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.video import read_frames


@pytest.fixture(scope="module")
def answers():
    return capstone._drawn(7).drop(columns="path")


@pytest.fixture
def quick(monkeypatch):
    """Clips that are no films, so that nothing is rendered."""

    def render(place, seed, table, progress):
        for path in table["path"]:
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(b"film")

    monkeypatch.setattr(capstone, "_render", render)


def hand_in(answers, **columns):
    table = pd.DataFrame({"clip_id": answers["clip_id"], "probability_fake": answers["label"] * 0.8 + 0.1})
    return table.assign(**columns)


def test_everybody_is_seen_once_real_and_once_fake_by_methods_that_are_alike_often(answers):
    real, fake = answers[answers["label"] == 0], answers[answers["label"] == 1]
    assert len(real) == len(fake) == capstone.PEOPLE
    assert set(real["target_id"]) == set(fake["target_id"])
    assert set(fake["method"].value_counts()) == {capstone.PEOPLE // 4}
    assert (fake["target_id"] != fake["source_id"]).all() and (real["source_id"] == "").all()


def test_half_of_the_pairs_are_heavily_compressed_whatever_the_label(answers):
    counts = answers.groupby("label")["compression"].value_counts()
    assert set(counts) == {capstone.PEOPLE // 2}
    fakes = answers[answers["label"] == 1].set_index("target_id")["compression"]
    partners = answers[answers["label"] == 1].set_index("source_id")["compression"]
    assert fakes.sort_index().equals(partners.sort_index().rename_axis("target_id"))


def test_neither_name_nor_place_in_the_list_tells_the_label():
    drawn = [capstone._drawn(seed)["label"].to_numpy() for seed in range(200)]
    assert np.abs(np.mean(drawn, axis=0) - 0.5).max() < 0.15  # four standard deviations of 200 fair draws
    assert not np.array_equal(drawn[0], drawn[1])
    assert capstone._drawn(3).equals(capstone._drawn(3))


def test_a_perfect_hand_in_costs_nothing(answers):
    grade = capstone.grade(hand_in(answers, probability_fake=answers["label"].astype(float)), answers)
    assert (grade.auc, grade.ece, grade.balanced_accuracy, grade.cost, grade.answered) == (1, 0, 1, 0, 1)
    assert grade.without == pytest.approx(50)  # ten fakes that are believed, at five points


@pytest.mark.parametrize(
    ("verdicts", "points"),  # on reals and on fakes; ten of a hundred are fake, a missed one costs 5, a false alarm 50
    [(("fake", "fake"), 90 * 50), (("real", "real"), 10 * 5), (("cannot tell", "cannot tell"), 100),
     (("real", "cannot tell"), 10), (("cannot tell", "fake"), 90)],
)  # fmt: skip
def test_the_cost_is_what_the_newsroom_pays(answers, verdicts, points):
    grade = capstone.grade(hand_in(answers, verdict=answers["label"].map(dict(enumerate(verdicts)))), answers)
    assert grade.cost == pytest.approx(points)


def test_verdicts_are_those_of_the_table_or_by_half(answers):
    by_half = capstone.grade(hand_in(answers), answers)
    assert by_half.answered == 1 and by_half.false_alarms == by_half.misses == 0
    open_ones = capstone.grade(hand_in(answers, verdict=" Cannot tell"), answers)
    assert open_ones.open == len(answers) and open_ones.balanced_accuracy is None
    all_fake = capstone.grade(hand_in(answers, verdict="FAKE"), answers)
    assert all_fake.false_alarms == capstone.PEOPLE and all_fake.balanced_accuracy == 0.5
    assert any("24 false alarms, 0 missed fakes" in line for line in all_fake.lines())


def test_the_order_of_rows_and_a_suffix_change_nothing(answers):
    table = hand_in(answers).sample(frac=1, random_state=1)
    table["clip_id"] += ".mp4"
    assert capstone.grade(table, answers) == capstone.grade(hand_in(answers), answers)


@pytest.mark.parametrize(
    ("spoil", "part"),
    [
        (lambda table: table.iloc[1:], "clip_01 missing; every clip needs a score"),
        (lambda table: table.iloc[3:], "clip_01 and 2 more missing"),
        (lambda table: table.assign(clip_id="x\x1b"), "no such clip; clips are called as their files"),
        (lambda table: pd.concat([table, table.tail(1)]), "clip_48 there twice; a row is a clip"),
        (lambda table: table.assign(probability_fake=table["probability_fake"] + 1), "clip_01 has no probability"),
        (lambda table: table.assign(probability_fake=np.nan), "clip_01 has no probability"),
        (lambda table: table.assign(probability_fake="much"), "clip_01 has no probability"),
        (lambda table: table.assign(verdict="maybe"), "the verdict on clip_01 is none of fake, real, cannot tell"),
        (lambda table: table.drop(columns="probability_fake"), "the column probability_fake is missing"),
    ],
)  # fmt: skip
def test_what_is_no_hand_in_is_refused_in_one_line(answers, spoil, part):
    with pytest.raises(InputError) as caught:
        capstone.grade(spoil(hand_in(answers)), answers)
    assert part in str(caught.value) and "\n" not in str(caught.value) and "\x1b" not in str(caught.value)


def test_a_board_lists_every_hand_in_by_cost_then_auc(quick, tmp_path, answers):
    folder = capstone.make(tmp_path / "clips", seed=7)
    answers = capstone.answers_of(folder)
    good, bad = hand_in(answers), hand_in(answers, verdict="fake")
    assert capstone.hand_in(folder, bad, "Ada")[1] == 1
    assert capstone.hand_in(folder, good, " Grace\n Hopper ")[1] == 1
    assert capstone.hand_in(folder, bad, "Ada")[1] == 2  # the same table again is the same hand-in
    _, place, board = capstone.hand_in(folder, hand_in(answers, verdict="fake", probability_fake=0.5), "Ada")
    assert place == 3
    assert board[["name", "hand_in"]].values.tolist() == [["Grace Hopper", 1], ["Ada", 1], ["Ada", 2]]
    assert pd.read_csv(folder / capstone.BOARD)["name"].tolist() == ["Grace Hopper", "Ada", "Ada"]
    with pytest.raises(InputError, match="needs a name"):
        capstone.hand_in(folder, good, "  ")
    assert len(pd.read_csv(folder / capstone.BOARD)) == 3


def test_the_answers_lie_sealed_and_open_as_they_were_drawn(quick, tmp_path, answers):
    folder = capstone.make(tmp_path / "clips", seed=7)
    assert capstone.answers_of(folder).equals(answers)
    text = (folder / capstone.STAMP_FILE).read_text()
    assert "youtube" not in text and "label" not in text
    assert sorted(path.name for path in (folder / "clips").iterdir()) == sorted(answers["clip_id"] + ".mp4")
    assert sorted(path.name for path in folder.iterdir()) == ["capstone.json", "clips"]


def test_made_again_it_is_left_alone(quick, tmp_path):
    folder = capstone.make(tmp_path / "clips")
    before = (folder / capstone.STAMP_FILE).read_text()
    assert capstone.make(folder) == folder
    for given in ({"seed": 1}, {"key": tmp_path / "key.json"}):
        with pytest.raises(InputError, match="its clips are there already"):
            capstone.make(folder, **given)
    assert (folder / capstone.STAMP_FILE).read_text() == before
    other = capstone.make(tmp_path / "other")
    assert not capstone.answers_of(folder).equals(capstone.answers_of(other))  # two seeds that nobody chose


def test_a_teachers_key_stays_with_the_teacher(quick, tmp_path, answers):
    folder, key = capstone.make(tmp_path / "clips", 7, tmp_path / "key.json"), tmp_path / "key.json"
    assert "sealed" not in json.loads((folder / capstone.STAMP_FILE).read_text())
    with pytest.raises(InputError, match="answers are with whoever made it"):
        capstone.answers_of(folder)
    assert capstone.answers_of(folder, key).equals(answers)


def test_a_name_is_text_and_no_formula(quick, tmp_path):
    folder = capstone.make(tmp_path / "clips")
    answers = capstone.answers_of(folder)
    for number in range(3):
        table = hand_in(answers, probability_fake=answers["label"] * 0.5 + 0.1 * number)
        board = capstone.hand_in(folder, table, "007")[2]
    capstone.hand_in(folder, hand_in(answers), "=1+1")
    board = capstone._board(folder / capstone.BOARD)
    assert sorted(board[board["name"] == "007"]["hand_in"]) == [1, 2, 3] and "1+1" in set(board["name"])


def hands_in(words):
    folder, number = words
    answers = capstone.answers_of(folder)
    return capstone.hand_in(folder, hand_in(answers), f"learner {number}")[1]


@pytest.mark.slow
def test_hand_ins_at_the_same_time_all_count(quick, tmp_path):
    folder = capstone.make(tmp_path / "clips")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(hands_in, [(folder, number) for number in range(8)]))
    assert len(capstone._board(folder / capstone.BOARD)) == 8


@pytest.mark.parametrize(
    ("line", "part"),
    [("Bob,1,50.0,0.", "line 3 is damaged"), ("Bob,1,abc,.9,.8,1,.1,,1,0123456789ab", "line 3 is damaged"),
     (",1,50.0,.9,.8,1,.1,,1,0123456789ab", "line 3 is damaged"),
     ("Bob,1,1e999,.9,.8,1,.1,,1,0123456789ab", "line 3 is damaged")],
)  # fmt: skip
def test_a_damaged_board_is_told_and_left_as_it_is(quick, tmp_path, line, part):
    folder = capstone.make(tmp_path / "clips")
    answers, board = capstone.answers_of(folder), folder / capstone.BOARD
    capstone.hand_in(folder, hand_in(answers), "Ada")
    board.write_text(board.read_text() + line + "\n")
    before = board.read_text()
    with pytest.raises(InputError, match=part):
        capstone.hand_in(folder, hand_in(answers), "Grace")
    assert board.read_text() == before


def test_a_key_belongs_to_its_clips_and_lies_outside_of_them(quick, tmp_path):
    folder, key = capstone.make(tmp_path / "clips", 7, tmp_path / "key.json"), tmp_path / "key.json"
    other = capstone.make(tmp_path / "other", 7)
    with pytest.raises(InputError, match="answers of another capstone"):
        capstone.answers_of(other, key)
    for place, part in ((key, "is there, perhaps"), (tmp_path / "third" / "key.json", "among the clips")):
        with pytest.raises(InputError, match=part):
            capstone.make(tmp_path / "third", key=place)
    with pytest.raises(InputError, match="give the file that --key wrote"):
        capstone.answers_of(folder, tmp_path / "none.json")
    assert not (tmp_path / "third").exists()


@pytest.mark.parametrize(
    "spoil",
    [lambda answers: answers | {"label": [0] * 48}, lambda answers: answers | {"target_id": [None] * 48},
     lambda answers: answers | {"clip_id": ["x"] * 48}, lambda answers: answers | {"label": [7] * 48},
     lambda answers: answers | {"method": [3] * 48}, lambda answers: [], lambda answers: None],
)  # fmt: skip
def test_a_damaged_key_is_told(quick, tmp_path, spoil):
    folder, key = capstone.make(tmp_path / "clips", 7, tmp_path / "key.json"), tmp_path / "key.json"
    record = json.loads(key.read_text())
    key.write_text(json.dumps(record | {"answers": spoil(record["answers"])}))
    with pytest.raises(InputError, match="the answers are damaged"):
        capstone.answers_of(folder, key)


@pytest.mark.parametrize("given", [["clip_01"], {"clip_01": 0.5}, None, 7])
def test_what_is_no_table_is_refused(answers, given):
    with pytest.raises(InputError, match="a hand-in is a table"):
        capstone.grade(given, answers)


def test_clips_and_columns_may_be_written_as_people_write_them(answers, tmp_path):
    table = hand_in(answers, verdict="real")
    told = capstone.grade(table, answers)
    table["clip_id"] = "clips/" + table["clip_id"].str.upper() + ".mp4 "
    renamed = table.set_axis([" Clip_ID", "Probability_Fake", "Verdict"], axis=1)
    assert capstone.grade(renamed, answers) == told
    emptied = pd.concat([table, pd.DataFrame({"clip_id": [""]})])
    emptied["verdict"] = emptied["verdict"].fillna("")
    emptied.to_csv(tmp_path / "scores.csv", index=False)
    assert capstone.grade(tmp_path / "scores.csv", answers) == told
    with pytest.raises(InputError, match="decision holds verdicts; call one column verdict"):
        capstone.grade(table.rename(columns={"verdict": "decision"}), answers)


def test_errors_come_worst_first(quick, tmp_path):
    folder = capstone.make(tmp_path / "clips")
    answers = capstone.answers_of(folder)
    table = hand_in(answers)
    table.loc[5, "probability_fake"] = 1.0 - answers["label"][5]
    worst = capstone.errors(folder, table).iloc[0]
    assert worst["clip_id"] == "clip_06" and worst["distance"] == 1


def test_what_is_damaged_or_not_there_is_told(quick, tmp_path):
    with pytest.raises(InputError, match="no capstone there; `torchfakes capstone"):
        capstone.answers_of(tmp_path / "none")
    folder = capstone.make(tmp_path / "clips")
    stamp = json.loads((folder / capstone.STAMP_FILE).read_text())
    (folder / capstone.STAMP_FILE).write_text(json.dumps(stamp | {"sealed": "x" * 20}))
    with pytest.raises(InputError, match="the answers are damaged"):
        capstone.answers_of(folder)


def test_an_interrupted_rendering_leaves_nothing(tmp_path, monkeypatch):
    def breaks(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(capstone, "_render", breaks)
    with pytest.raises(KeyboardInterrupt):
        capstone.make(tmp_path / "clips", key=tmp_path / "key.json")
    assert not list(tmp_path.iterdir())


def test_the_command_makes_clips_and_grades(quick, tmp_path, capsys):
    folder, table = tmp_path / "clips", tmp_path / "scores.csv"
    assert main(["capstone", str(folder)]) == 0
    assert "48 clips are in" in capsys.readouterr().out
    hand_in(capstone.answers_of(folder)).to_csv(table, index=False)
    assert main(["capstone", str(folder), "--hand-in", str(table), "--name", "Ada", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["auc"] == 1 and said["place"] == said["of"] == 1
    assert main(["capstone", str(folder), "--hand-in", str(table)]) == 2
    assert main(["capstone", str(folder), "--name", "Ada"]) == 2
    assert main(["capstone", str(folder), "--hand-in", str(tmp_path / "none.csv"), "--name", "Ada"]) == 2
    assert "no such file; a hand-in is a CSV table" in capsys.readouterr().err


@pytest.mark.slow
def test_the_clips_are_films_of_these_people(tmp_path, monkeypatch):
    monkeypatch.setattr(capstone, "PEOPLE", 6)
    folder = capstone.make(tmp_path / "clips", seed=1, progress=False)
    films = sorted((folder / "clips").glob("*.mp4"))
    assert len(films) == 12
    assert all(read_frames(film, [0])[1].shape == (1, 320, 320, 3) for film in films)
    assert len({film.read_bytes() for film in films}) == 12
