"""Mini-FF++: a small data set in FaceForensics++'s own layout, made here, so that nobody waits for access to learn.

Every identity is filmed once and forged four times; a pair of identities forges each other, so that both directions
exist, as in FF++. Whatever happens to a clip apart from the forgery (blur, a second person, the head leaving the
picture) happens to the original and to its fakes alike, so that it is no clue. `docs/data_card.md` says what the
forgeries have in common with the real families and what not.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm.auto import tqdm

from torchfakes_utils.datasets.dealing import SPLITS
from torchfakes_utils.datasets.mini import fakes, render
from torchfakes_utils.datasets.mini.config import MINI_FILE, MiniConfig
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.folders import Stamp, claim
from torchfakes_utils.io.machine import end_with_parent
from torchfakes_utils.io.video import write_video

FPS = 25
CRF = {"c23": 23, "c40": 40}
VERSION = 3  # of the recipe: raised whenever the same configuration would give other videos

# How far a forged face's detail lies from its original's, either way: natural logarithm of the ratio of energies.
SPREAD = (0.3, 0.6)

# What our films are called.
_PARTS = dict.fromkeys(("original_sequences", "manipulated_sequences"), re.compile(r"[0-9]{3}(_[0-9]{3})?\.mp4"))

# Four pairs in a row hold a swap within each portrait and two across, so that "glasses with fair hair" gives nothing
# away, and every portrait is as often real as fake in every split.
PAIR_PATTERN = [("astronaut", "astronaut"), ("astronaut", "hopper"), ("hopper", "hopper"), ("hopper", "astronaut")]
BLUR_PATTERN = ["", "defocus", "", "", "", "motion", "", ""]  # by identity within the four pairs


@dataclass(frozen=True)
class Person:
    """One line of the plan: who is filmed, and what befalls the clip."""

    id: str
    partner: str
    split: str
    portrait: str
    frames: int
    blur: str = ""  # "", "defocus" or "motion"
    second_face: bool = False
    leaves: bool = False


def plan(config: MiniConfig) -> list[Person]:
    """Who is paired with whom, in which split, under which conditions. Pure: no file is touched."""
    rng = np.random.default_rng([config.seed, 0])
    pairs = config.identities // 2
    held_out = max(1, pairs // 4)
    splits = ["test"] * held_out + ["val"] * held_out + ["train"] * (pairs - 2 * held_out)
    ids = [f"{number:03d}" for number in rng.permutation(config.identities)]
    people = []
    for pair, split in enumerate(splits):
        for side in (0, 1):
            number = 2 * pair + side
            person = Person(
                id=ids[number],
                partner=ids[2 * pair + 1 - side],
                split=split,
                portrait=PAIR_PATTERN[pair % 4][side],
                frames=round(FPS * config.seconds * rng.uniform(0.88, 1.12)),
                blur=BLUR_PATTERN[number % 8],
                # Both in the training split, of people who are otherwise sharp.
                second_face=number == config.identities - 2,
                leaves=number == config.identities - 4,
            )
            people.append(person)
    return sorted(people, key=lambda person: person.id)


def splits(people: list[Person]) -> dict[str, list[list[str]]]:
    """The split files' contents in FF++'s official form: a list of pairs for each of train, val, test."""
    return {split: [[p.id, p.partner] for p in people if p.split == split and p.id < p.partner] for split in SPLITS}


def build_mini(
    out: Path | str,
    config: MiniConfig = MiniConfig(),
    workers: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Make Mini-FF++ in the folder `out`; what is already there is kept, so that a second call resumes.

    Args:
        out: the folder, which is returned; made where it is missing.
        config: what to make.
        workers: processes; as many as there are cores when None.
        progress: show a progress bar on a terminal.
        overwrite: where the folder holds another configuration of Mini-FF++, remove its films and begin anew.

    Raises:
        InputError: the folder holds something else, or another configuration of Mini-FF++, or cannot be written to.
    """
    out, people = Path(out), plan(config)
    notes = {"people": [asdict(person) for person in people]}
    stamp = Stamp("Mini-FF++", "torchfakes mini", VERSION, MINI_FILE, asdict(config), notes=notes, parts=_PARTS)
    claim(out, stamp, overwrite)
    missing = [person for person in people if not all((out / path).is_file() for path in clip_paths(person))]
    hidden = None if progress else True  # None: only where there is no terminal
    with tqdm(total=len(missing), desc="Mini-FF++", unit="person", disable=hidden) as bar:
        for _ in _film_all(out, config, missing, workers or os.cpu_count() or 1):
            bar.update()
    for name, pairs in splits(people).items():
        write_record(out / "splits" / f"{name}.json", pairs)
    # As in FaceForensics++, from id to film and the cut from it; here nobody is filmed twice.
    write_record(out / "splits" / "conversion_dict.json", {person.id: f"mini-{person.id} 0" for person in people})
    return out


def film(
    out: Path | str,
    config: MiniConfig,
    forged: Mapping[str, Sequence[str]],
    workers: int | None = None,
    progress: bool = True,
) -> None:
    """Film everybody of a plan, and forge each clip by some methods only: films alone, without splits or a stamp.

    Args:
        out: the folder; what is there is kept.
        config: of the plan.
        forged: by a person's id, the names of methods.
        workers, progress: as for `build_mini`.
    """
    people, hidden = plan(config), None if progress else True
    with tqdm(total=len(people), desc="Mini-FF++", unit="person", disable=hidden) as bar:
        for _ in _film_all(Path(out), config, people, workers or os.cpu_count() or 1, forged):
            bar.update()


def clip_paths(person: Person) -> Iterator[str]:
    """Every file that a person's clip leads to, relative to the data set's folder: original, fakes and masks."""
    for compression in CRF:
        yield f"original_sequences/youtube/{compression}/videos/{person.id}.mp4"
    for method in fakes.MANIPULATIONS:
        for compression in CRF:
            yield f"manipulated_sequences/{method}/{compression}/videos/{person.id}_{person.partner}.mp4"
        yield f"manipulated_sequences/{method}/masks/videos/{person.id}_{person.partner}.mp4"


def _film_all(
    out: Path,
    config: MiniConfig,
    people: list[Person],
    workers: int,
    forged: Mapping[str, Sequence[str]] | None = None,
) -> Iterator[str]:
    by_id = {person.id: person for person in plan(config)}
    tasks = [
        (out, config, person, by_id[person.partner], tuple(forged[person.id] if forged else fakes.MANIPULATIONS))
        for person in people
    ]
    yield from spread_out(_film_and_forge, tasks, workers)


def spread_out(work: Callable[..., str], tasks: Sequence[tuple[Any, ...]], workers: int) -> Iterator[str]:
    """What `work` gives for each task's arguments, as they end, by so many processes."""
    if workers == 1 or len(tasks) < 2:
        yield from (work(*task) for task in tasks)
        return
    # spawn: a forked process would inherit the locks of OpenCV's threads, and may wait for them for ever.
    with ProcessPoolExecutor(workers, get_context("spawn"), _begin) as pool:
        futures = [pool.submit(work, *task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _begin() -> None:
    end_with_parent()
    cv2.setNumThreads(1)  # one process a core already: threads beyond that only get in each other's way


def _film_and_forge(out: Path, config: MiniConfig, person: Person, partner: Person, methods: Sequence[str]) -> str:
    """Film one person, forge the clip by each method, write everything; return the person's id."""
    target, shot = _cast(config, person)
    source, driver = _cast(config, partner, frames=person.frames)
    fields = render.expression_fields(target.landmarks)
    filmed, sensor = [], render.Grain(stream(config, person, 2))
    bystander = _bystander(config, person) if person.second_face else None
    for index in range(person.frames):
        mapping = render.frame_map(shot.pose[index], *fields, shot.mouth[index], shot.brow[index])
        frame = render.render(target, mapping)
        if bystander is not None:
            frame = render.blend(frame, *bystander)
        filmed.append(sensor.add(render.light_up(frame, shot.light[index]), shot.grain))
    _write_clip(out / "original_sequences/youtube", f"{person.id}.mp4", _finish(config, person, shot, filmed, 24))
    name = f"{person.id}_{person.partner}.mp4"
    for number, (method, make) in enumerate(fakes.MANIPULATIONS.items()):
        if method not in methods:
            continue
        forgery = make(source, target, stream(config, person, 10 + number))
        moments = [fakes.Moment(frame, index, shot, driver, fields) for index, frame in enumerate(filmed)]
        grain = render.Grain(stream(config, person, 30 + number), sensor.sheets)
        edited = list(fakes.forge(forgery, moments, _factor(config, person, number), grain))
        folder = out / "manipulated_sequences" / method
        _write_clip(folder, name, _finish(config, person, shot, [frame for frame, _ in edited], 25 + number))
        _write_mask(folder / "masks/videos" / name, [mask for _, mask in edited], config.size)
    return person.id


def _factor(config: MiniConfig, person: Person, method: int) -> float:
    """How much of its original's detail a fake has: of a pair's two fakes, one has more and the other less."""
    first = min(int(person.id), int(person.partner))
    more = bool(np.random.default_rng([config.seed, 1 + first, 40 + method]).integers(2)) == (int(person.id) == first)
    distance = stream(config, person, 50 + method).uniform(*SPREAD)
    return float(np.exp(distance if more else -distance))


def stream(config: MiniConfig, person: Person, purpose: int) -> np.random.Generator:
    """A random stream for one purpose of one person: what is made first does not change what is made after."""
    return np.random.default_rng([config.seed, 1 + int(person.id), purpose])


def _cast(config: MiniConfig, person: Person, frames: int | None = None) -> tuple[render.Identity, render.Shot]:
    identity = render.make_identity(person.portrait, stream(config, person, 0))
    shot = render.make_shot(stream(config, person, 1), frames or person.frames, bool(person.blur), person.leaves)
    return identity, shot


def _bystander(config: MiniConfig, person: Person) -> tuple[np.ndarray, np.ndarray]:
    """A second, smaller person at the edge of the picture, who stands still: image and alpha of a whole frame."""
    other = "hopper" if person.portrait == "astronaut" else "astronaut"
    identity = render.make_identity(other, stream(config, person, 3))
    canon = render.CANON
    matrix = np.array([[0.52, 0, -40.0], [0, 0.52, canon * 0.48]])
    image = cv2.warpAffine(identity.image, matrix, (canon, canon), flags=cv2.INTER_AREA)
    return image, cv2.warpAffine(identity.alpha, matrix, (canon, canon))


def _finish(
    config: MiniConfig, person: Person, shot: render.Shot, frames: list[np.ndarray], purpose: int
) -> list[np.ndarray]:
    """What comes after the forger: the lens, the second camera's grain, the frame size. The same for real and fake."""
    sensor = render.Grain(stream(config, person, purpose))
    strength = 0.4 if person.blur else 0.45 * shot.grain
    blurred = map(render.blur_frame, frames, [person.blur] * len(frames), shot.blur_amount)
    return [to_size(sensor.add(frame, strength), config.size) for frame in blurred]


def to_size(frame: np.ndarray, size: int) -> np.ndarray:
    """A square frame (H, H, 3) or (H, H) with another edge, pixels."""
    if frame.shape[0] == size:
        return frame
    how = cv2.INTER_AREA if size < frame.shape[0] else cv2.INTER_CUBIC
    return cv2.resize(frame, (size, size), interpolation=how)


def _write_clip(folder: Path, name: str, frames: list[np.ndarray]) -> None:
    for compression, crf in CRF.items():
        path = folder / compression / "videos" / name
        if not path.is_file():
            write_video(path, frames, fps=FPS, crf=crf, preset="superfast")


def _write_mask(path: Path, masks: list[np.ndarray], size: int) -> None:
    if not path.is_file():
        frames = (to_size((mask * 255).astype(np.uint8), size) for mask in masks)
        write_video(path, frames, fps=FPS, crf=23, preset="ultrafast")
