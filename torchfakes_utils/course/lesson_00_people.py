"""Who is seen in lesson 00: which faces come in the game, and how Mini-FF++ makes a person out of a portrait."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from torchfakes_utils.course import folders, plots
from torchfakes_utils.course.lesson_01 import REENACTED
from torchfakes_utils.datasets.mini import fakes, render
from torchfakes_utils.datasets.mini.build import Person, plan
from torchfakes_utils.datasets.mini.config import MINI_FILE, MiniConfig
from torchfakes_utils.errors import InputError
from torchfakes_utils.io.tables import CLIP_KEY
from torchfakes_utils.language import tr

# Of the people of a split, so many whose faces are bent least come in the game first. Those who are bent most have eyes
# or mouths that no camera films, and whoever sees them among real faces stops believing the rest.
GENTLE_SHARE = 0.65
LEAST_SHARE = 0.3  # of the faces of a game, real and fake: else there is nothing to tell apart

# The face in the canonical frame: a hill of weight over eyes, nose and mouth (pixels).
_MIDDLE, _WIDE, _HIGH = (160, 150), 40, 50


def ten_faces(
    faces: pd.DataFrame, seed: int = 0, count: int = 10, bent: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Faces for the game: nobody is in it twice, and a coin says of each whether it is real or fake.

    A face swap shows two people, whose film it is and whose face: neither comes again. The fakes take turns among the
    manipulations. Of each clip the sharpest frame is shown. Games of nearly one kind are not played (`LEAST_SHARE`).

    Args:
        faces: rows of faces.csv, from `course.faces_table("test")`.
        seed: another seed, another game.
        count: how many; fewer where there are not enough people.
        bent: how much each person's face was bent (`distortions`): the gentlest come first.

    Returns:
        The rows, in the order in which they are shown.
    """
    rng = np.random.default_rng(seed)
    sharpest = faces.sort_values("sharpness", ascending=False, kind="stable").drop_duplicates(CLIP_KEY)
    bent = bent or {}
    people = sorted(set(sharpest["target_id"]), key=lambda person: (bent.get(person, 0.0), person))
    gentle = rng.permutation(people[: max(count, round(GENTLE_SHARE * len(people)))]).tolist()
    fakes_wanted, least = int(rng.binomial(count, 0.5)), int(LEAST_SHARE * count)
    while not least <= fakes_wanted <= count - least:
        fakes_wanted = int(rng.binomial(count, 0.5))
    chosen: list[pd.Series] = []
    for label, wanted in ((0, count - fakes_wanted), (1, count)):  # of the gentlest, the reals first
        for person in [*gentle, *people[len(gentle) :]]:
            if len(chosen) < wanted and (row := _next(sharpest, chosen, person, label)) is not None:
                chosen.append(row)
    return pd.DataFrame(chosen).iloc[rng.permutation(len(chosen))].reset_index(drop=True)


def another_ten(faces: pd.DataFrame, number: int, bent: Mapping[str, float] | None = None) -> pd.DataFrame:
    """The faces of a later game; no film of the first game, or of one between, is shown again.

    Args:
        faces: rows of faces.csv; the first game is `ten_faces` of the test split among them.
        number: 1 is the game after the first.
        bent: as for `ten_faces`.

    Raises:
        InputError: the films that are left give no game of which a share of `LEAST_SHARE` is real, and as many fake.
    """
    films = pd.MultiIndex.from_frame(faces[CLIP_KEY])
    ten = ten_faces(faces[faces["split"] == "test"], bent=bent)
    count, gone = len(ten), pd.MultiIndex.from_frame(ten[CLIP_KEY])
    for seed in range(1, number + 1):
        ten = ten_faces(faces[~films.isin(gone)], seed, count, bent)
        if len(ten) < count or not LEAST_SHARE <= ten["label"].mean() <= 1 - LEAST_SHARE:
            raise InputError(f"game {seed}: too few films are left that were not shown before")
        gone = gone.append(pd.MultiIndex.from_frame(ten[CLIP_KEY]))
    return ten


def _next(faces: pd.DataFrame, chosen: list[pd.Series], person: str, label: int) -> pd.Series | None:
    """A face of a person who has not been seen; of the fakes the manipulation that came least often so far."""
    seen = {name for row in chosen for name in shown(row)}
    rows = faces[(faces["target_id"] == person) & (faces["label"] == label)]
    rows = rows[[not (shown(row) & seen) for _, row in rows.iterrows()]]
    if rows.empty:
        return None
    times = rows["method"].map([row["method"] for row in chosen].count)
    return rows.loc[times.sort_values(kind="stable").index[0]]


def shown(face: pd.Series) -> set[str]:
    """Who is seen in a face: the person who was filmed and, in a swap, the one who lent the face."""
    swapped = face["label"] == 1 and face["method"] not in REENACTED
    return {name for name in (face["target_id"], face["source_id"] if swapped else "") if name}


def distortions(people: Iterable[str], data: Path | None = None) -> dict[str, float]:
    """How unevenly Mini-FF++ bends some people's faces (`unevenness`); nobody's in another data set.

    Args:
        people: their ids.
        data: the data set's folder; the lessons' own when None.
    """
    file = (folders.paths().data if data is None else data) / MINI_FILE
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        config = MiniConfig(**{name: record[name] for name in MiniConfig.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    wanted = set(people)
    return {person.id: unevenness(bend(config, person)) for person in plan(config) if person.id in wanted}


def bend(config: MiniConfig, person: Person) -> NDArray[np.float64]:
    """The field that bends a person's portrait, (CANON, CANON, 2) px, drawn as `render.make_identity` does."""
    rng = np.random.default_rng([config.seed, 1 + int(person.id), 0])
    rng.integers(2)  # mirrored or not
    field = cv2.GaussianBlur(rng.standard_normal((render.CANON, render.CANON, 2)).astype(np.float32), (0, 0), 28)
    return np.asarray(field * (7.0 / field.std()), float)


def unevenness(field: NDArray[np.float64]) -> float:
    """How far a field is from moving, turning and scaling a face as a whole; 0 is a face that is only larger or turned.

    It is the root mean square, over the face, of what the field's derivatives depart from those of the similarity that
    fits best, relative to its scale.

    Args:
        field: (CANON, CANON, 2), by how many pixels each pixel is moved, x then y.
    """
    x, y = np.moveaxis(render.grid().astype(float) - _MIDDLE, -1, 0)
    weight = np.exp(-((x / _WIDE) ** 2) - (y / _HIGH) ** 2)
    # How far a step to the right (x) or down (y) leads, to the right and down; rows come first in NumPy.
    (right_y, right_x), (down_y, down_x) = np.gradient(field[..., 0]), np.gradient(field[..., 1])
    right_x, down_y = right_x + 1, down_y + 1
    scale = np.average((right_x + down_y) / 2, weights=weight)
    turn = np.average((down_x - right_y) / 2, weights=weight)
    departures = (right_x - scale) ** 2 + (down_y - scale) ** 2 + (down_x - turn) ** 2 + (right_y + turn) ** 2
    return float(np.sqrt(np.average(departures, weights=weight)) / np.hypot(scale, turn))


def making_figure(seed: int = 0) -> Figure:
    """From a portrait to a person of Mini-FF++ to a fake: each step, for both portraits.

    Args:
        seed: of the Mini-FF++ whose two gentlest people, of a pair from both portraits, are shown.
    """
    config = MiniConfig(seed=seed)
    cast = [_filmed(config, person) for person in _couple(config)]
    portraits = {"astronaut": "Eileen Collins", "hopper": "Grace Hopper"}  # in the order of the couple
    ways = {"FaceSwap": fakes.face_swap, "Deepfakes": fakes.deepfakes}
    figure, axes = plt.subplots(2, 4, figsize=(7.4, 4.5))
    for row, (portrait, way) in enumerate(zip(portraits, ways, strict=True)):
        (identity, shot, frame), (other, driver, _) = cast[row], cast[1 - row]
        rng = np.random.default_rng([seed, row])
        moment = fakes.Moment(frame, 0, shot, driver, render.expression_fields(identity.landmarks))
        forged, _ = next(fakes.forge(ways[way](other, identity, rng), [moment] * 5, 1.0, render.Grain(rng)))
        _step(axes[row, 0], render.canonical_portrait(portrait)[0], portraits[portrait])
        _step(axes[row, 1], identity.image, tr("bent, other tones"))
        _step(axes[row, 2], frame, tr("filmed: “real”"), 0)
        _step(axes[row, 3], forged, tr("forged: {way}", way=way), 1)
    title = tr("Everybody in Mini-FF++ is one of two portraits, bent")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    return plots.finish(figure)


def _step(ax: Axes, picture: NDArray[np.uint8], title: str, label: int | None = None) -> None:
    """A picture (CANON, CANON, 3) with a few words above; framed where it is real or fake."""
    ax.imshow(picture[30:300, 25:295])
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10, fontweight="normal", loc="center")
    for spine in ax.spines.values():
        spine.set_visible(label is not None)
        if label is not None:
            spine.set(color=plots.COLOURS[label], linewidth=2.5, linestyle=("-", "--")[label])


def _couple(config: MiniConfig) -> tuple[Person, Person]:
    """Of the pairs that join an astronaut and a Hopper, the one whose faces are bent least, the astronaut first."""
    people = {person.id: person for person in plan(config)}
    couples = [
        (person, people[person.partner])
        for person in people.values()
        if person.portrait == "astronaut" and people[person.partner].portrait == "hopper"
        if not (person.blur or people[person.partner].blur or person.second_face or person.leaves)
    ]
    return min(couples, key=lambda couple: max(unevenness(bend(config, person)) for person in couple))


def _filmed(config: MiniConfig, person: Person) -> tuple[render.Identity, render.Shot, NDArray[np.uint8]]:
    """Somebody, how they are filmed, and the first frame, (CANON, CANON, 3)."""
    identity = render.make_identity(person.portrait, np.random.default_rng([config.seed, 1 + int(person.id), 0]))
    rng = np.random.default_rng([config.seed, 1 + int(person.id), 1])
    shot = render.make_shot(rng, 5)
    fields = render.expression_fields(identity.landmarks)
    mapping = render.frame_map(shot.pose[0], *fields, shot.mouth[0], shot.brow[0])
    frame = render.light_up(render.render(identity, mapping), shot.light[0])
    return identity, shot, render.Grain(rng).add(frame, shot.grain)
