"""What learners write in lesson 01: read a file's name, find who is connected with whom, count who leaks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from torchfakes_utils.course import comparison
from torchfakes_utils.course.practice import Exercise

Clip = tuple[str, str]  # target and source; "" for the source of a real clip


def read_name(stem: str) -> Clip:
    """Target and source of a video, by its file's name without ending; the source of a real clip is "".

    Args:
        stem: such as "000", "000_003" or, of DeepFakeDetection, "01_02__walking_outside__YVGY8LOK".
    """
    people = stem.split("__")[0]
    target, _, source = people.partition("_")
    return target, source


def _names(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    first, second = (f"{number:03d}" for number in generator.choice(100, 2, replace=False))  # begin with a zero
    actor, other = (f"{number:02d}" for number in generator.choice(28, 2, replace=False) + 1)
    scene = generator.choice(["walking_outside", "kitchen_pan", "talking"])
    stems = [
        first,
        f"{first}_{second}",
        f"{second}_{first}",
        f"{actor}__{scene}",
        f"{actor}_{other}__{scene}__YVGY8LOK",
    ]
    return [(stem,) for stem in stems]


READ_NAME = Exercise(
    "read_name",
    "Who is in this file?",
    minutes=5,
    difficulty=1,
    reference=read_name,
    cases=_names,
    wrong={
        "It is the other way round: the target, whose film was changed, comes first.": lambda stem: read_name(stem)[
            ::-1
        ],
        "Ids are texts: as a number, 003 loses its zeros and finds no file.": lambda stem: tuple(
            int(name) if name else "" for name in read_name(stem)
        ),
        "A real clip has no source; say so by an empty text, not by None.": lambda stem: tuple(
            name or None for name in read_name(stem)
        ),
        "Behind two underscores DFD names the scene, which is nobody: cut the name there first.": lambda stem: (
            stem.partition("_")[::2]
        ),
    },
    afterwards="`faceforensics.index` reads all names of a folder in this way.",
)


def islands(edges: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """Who is connected with whom, directly or through others: groups of ids that share nobody.

    Everybody starts alone, and each edge joins two groups.

    Args:
        edges: pairs of ids.
    """
    group = {person: {person} for edge in edges for person in edge}
    for first, second in edges:
        if group[first] is not group[second]:
            joined = group[first] | group[second]
            group.update(dict.fromkeys(joined, joined))
    return sorted({tuple(sorted(members)) for members in group.values()})


def _graphs(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    cases: list[tuple[Any, ...]] = [([("a", "b"), ("c", "d"), ("b", "c"), ("e", "f")],)]  # that of the lesson
    for sizes in ((2, 2, 2), (2, 3, 4), (6, 2), (5, 4, 3, 2)):
        names = [f"{number:03d}" for number in generator.permutation(100)]
        edges, back = [], []
        for size in sizes:
            members, names = names[:size], names[size:]
            chain = [tuple(generator.permutation(members[place : place + 2]).tolist()) for place in range(size - 1)]
            edges += [*chain[::2], *chain[1::2]]  # ends before middles: groups grow apart, and are joined late
            back.append(chain[0][::-1])  # the lesson's arrows come both ways: this one joins a group with itself
        cases.append(([*edges, *back],))
    return cases


def _directly(edges: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    return sorted(tuple(sorted(edge)) for edge in edges)


def _first_found(edges: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    groups: list[set[str]] = []
    for edge in edges:
        home = next((group for group in groups if group & set(edge)), None)
        if home is None:
            groups.append(set(edge))
        else:
            home |= set(edge)
    return sorted(tuple(sorted(group)) for group in groups)


def _neighbours(edges: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    people = {person for edge in edges for person in edge}
    return sorted(tuple(sorted({p for edge in edges if person in edge for p in edge})) for person in people)


def _removing_both(edges: Sequence[Sequence[str]]) -> list[set[str]]:
    groups = [{person} for person in sorted({person for edge in edges for person in edge})]
    for first, second in edges:
        one, other = (next(group for group in groups if person in group) for person in (first, second))
        groups.remove(one)
        groups.remove(other)
        groups.append(one | other)
    return groups


def _losing_both(edges: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    lost = {person for place, edge in enumerate(edges) if edge[::-1] in edges[:place] for person in edge}
    return [group for group in islands(edges) if not lost & set(group)]


def difference_of_islands(expected: list[tuple[str, ...]], found: Any) -> str:
    """As `comparison.difference`, for groups in any order and of any kind: lists, tuples or sets of ids.

    Where somebody is in two groups of what is expected, as in what a mistake gives, it does not matter how often each
    group is there.
    """
    if isinstance(found, Mapping | str):
        return f"yours is {comparison.describe(found)}, and a list of groups of ids is expected"
    try:
        found = [list(group) if not isinstance(group, str) else group for group in found]
        if any(isinstance(group, str) for group in found):
            return "yours holds texts, and groups of ids are expected, such as ('003', '007')"
        if not all(found):
            return "one of your islands is empty"
        if again := [person for group in found for person in group if group.count(person) > 1]:
            person = comparison.describe(again[0])
            return f"{person} is twice on one of your islands; both ends of an edge may be in one group already"
        groups, wanted = (sorted(tuple(sorted(group)) for group in given) for given in (found, expected))
        twice = _in_two(groups)
        if groups == wanted or (_in_two(wanted) and set(groups) == set(wanted)):
            return ""
    except TypeError:
        return f"yours is {comparison.describe(found)}, and a list of groups of ids is expected"
    if twice and all(isinstance(person, str) for person in twice):
        return f"{twice[0]!r} is on two of your islands"
    if len(groups) != len(expected):
        return f"yours has {comparison.counted(len(groups), 'island')}, and {len(expected)} are expected"
    return comparison.difference([list(group) for group in wanted], [list(group) for group in groups])


def _in_two(groups: Sequence[Sequence[str]]) -> list[str]:
    """Who is in several of the groups."""
    people = [person for group in groups for person in group]
    return sorted({person for person in people if people.count(person) > 1})


ISLANDS = Exercise(
    "islands",
    "Islands by hand",
    minutes=10,
    difficulty=3,
    reference=islands,
    cases=_graphs,
    wrong={
        "You give the pairs as they are. Two pairs that share a person are one island.": _directly,
        "An edge may join two groups that are there already: then both have to become one.": _first_found,
        "You give everybody's direct neighbours. Neighbours of neighbours are on the island, too.": _neighbours,
        "Both ends may be in one group already: then there is nothing to join.": _removing_both,
        "You lose an island. Both ends may be in one group already: then there is nothing to join.": _losing_both,
    },
    difference=difference_of_islands,
    afterwards="Computer science calls them connected components.",
)


def leaks(train: Sequence[Clip], test: Sequence[Clip]) -> float:
    """The share of the test fakes that show somebody whom the training clips show.

    Args:
        train: (target, source) of each clip; "" for the source of a real one.
        test: likewise; its real clips are not counted.
    """
    known = {person for clip in train for person in clip} - {""}
    fakes = [clip for clip in test if clip[1]]
    return sum(target in known or source in known for target, source in fakes) / len(fakes)


def _splits(generator: np.random.Generator) -> list[tuple[Any, ...]]:
    cases: list[tuple[Any, ...]] = [
        ([("a", ""), ("b", "c")], [("d", "c"), ("d", "e"), ("b", "")]),  # that of the lesson
        # `a` is known from a real clip alone, once a target and once a source; `e` is not known.
        ([("a", ""), ("b", "c")], [("d", "a"), ("a", "e"), ("d", "c"), ("d", "e"), ("b", "")]),
    ]
    for people in (20, 30, 40):
        names = [f"{number:03d}" for number in generator.permutation(100)[:people]]
        loans = [tuple(generator.choice(names, 2, replace=False).tolist()) for _ in range(people)]
        half = people // 3
        train = [(name, "") for name in names[: half // 2]] + loans[:half]
        test = [(name, "") for name in names[half // 2 : half]] + loans[half:]
        cases.append((train, test))
    return cases


def _counted(train: Sequence[Clip], test: Sequence[Clip], holds: Any, known: set[str] | None = None) -> float:
    known = {person for clip in train for person in clip} - {""} if known is None else known
    fakes = [clip for clip in test if clip[1]]
    return float(np.mean([holds(clip[0] in known, clip[1] in known) for clip in fakes]))


LEAKS = Exercise(
    "leaks",
    "Count the leaks",
    minutes=8,
    difficulty=2,
    reference=leaks,
    cases=_splits,
    wrong={
        "A fake shows two people: ask for its source, too.": lambda train, test: _counted(
            train, test, lambda target, source: target
        ),
        "Whoever lent a face in training is known from there, too, not only its targets.": lambda train, test: _counted(
            train, test, lambda target, source: target or source, {clip[0] for clip in train}
        ),
        "A real clip shows somebody, too: whoever is in one of training is known.": lambda train, test: leaks(
            [clip for clip in train if clip[1]], test
        ),
        "You count real test clips, too. The share is asked of the fakes.": lambda train, test: float(
            np.mean([bool(set(clip) & ({person for each in train for person in each} - {""})) for clip in test])
        ),
        "One known person is enough for a leak: `or`, not `and`.": lambda train, test: _counted(
            train, test, lambda target, source: target and source
        ),
        "That is how many fakes leak; divide by the number of test fakes.": lambda train, test: (
            leaks(train, test) * len([clip for clip in test if clip[1]])
        ),
        "You divide by all test clips; the share is asked of the fakes.": lambda train, test: (
            leaks(train, test) * len([clip for clip in test if clip[1]]) / len(test)
        ),
        "The empty text of a real clip is nobody, and known to nobody: leave it out.": lambda train, test: float(
            np.mean([bool(set(clip) & {person for each in train for person in each}) for clip in test])
        ),
    },
    afterwards="`splits.leaks` counts the same for any table, films included.",
)
