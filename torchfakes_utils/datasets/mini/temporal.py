"""Mini-FF++'s family that only time betrays: real clips of people who speak, and two ways to forge them.

The people are Mini-FF++'s own, in the same splits; the films are others. In a real clip mouth and brows follow the
head (`motion`). `Temporal` takes them from the partner's clip, and draws every frame by the same renderer, with the
same camera and the same encoder: nothing is blended, and the law of a single frame is that of a real one.
`TemporalPart` does so for two of ten seconds.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from torchfakes_utils.datasets.mini import build, motion, render
from torchfakes_utils.datasets.mini.build import Person
from torchfakes_utils.datasets.mini.config import MINI_FILE, TemporalConfig
from torchfakes_utils.io.files import write_record
from torchfakes_utils.io.folders import Stamp, claim
from torchfakes_utils.io.tables import SEGMENT_COLUMNS, SEGMENTS_FILE, write_table
from torchfakes_utils.io.video import write_video

WHOLE, PART = "Temporal", "TemporalPart"
FPS = 12.5  # every second one of FF++'s 25: what the networks of `temporal/` look at; more takes as much longer
COMPRESSION, CRF = "c23", 23
VERSION = 1  # of the recipe: raised whenever the same configuration would give other videos

_FADE = 0.24  # seconds in which a partial fake goes over
_PARTS = dict.fromkeys(("original_sequences", "manipulated_sequences"), re.compile(r"[0-9]{3}(_[0-9]{3})?\.mp4"))


def build_temporal(
    out: Path | str,
    config: TemporalConfig = TemporalConfig(),
    workers: int | None = None,
    progress: bool = True,
    overwrite: bool = False,
) -> Path:
    """Make the family in the folder `out`; what is already there is kept, so that a second call resumes.

    The arguments are those of `build.build_mini`. `segments.csv` says which seconds of which clip are forged.

    Raises:
        InputError: the folder holds something else, or the family with another configuration, or cannot be written to.
    """
    out, people = Path(out), build.plan(config)
    notes = {"people": [asdict(person) for person in people]}
    stamp = Stamp(
        "Mini-FF++'s temporal family", "torchfakes mini-temporal", VERSION, MINI_FILE, asdict(config), notes=notes,
        parts=_PARTS,
    )  # fmt: skip
    claim(out, stamp, overwrite)
    missing = [person for person in people if not all((out / path).is_file() for path in clip_paths(person))]
    by_id = {person.id: person for person in people}
    tasks = [(out, config, person, by_id[person.partner]) for person in missing]
    with tqdm(total=len(tasks), desc="Mini-FF++, temporal", unit="person", disable=None if progress else True) as bar:
        for _ in _all(tasks, workers or os.cpu_count() or 1):
            bar.update()
    for name, pairs in build.splits(people).items():
        write_record(out / "splits" / f"{name}.json", pairs)
    write_record(out / "splits" / "conversion_dict.json", {person.id: f"mini-{person.id} 0" for person in people})
    write_table(segments(config), out / SEGMENTS_FILE, SEGMENT_COLUMNS)
    return out


def segments(config: TemporalConfig) -> pd.DataFrame:
    """Which seconds of which fakes are forged, a row each: `SEGMENT_COLUMNS`. Pure: no file is touched."""
    rows = []
    for person in build.plan(config):
        name, end = f"{person.id}_{person.partner}", frames_of(person) / FPS
        rows.append((WHOLE, COMPRESSION, name, 0.0, round(end, 3)))
        rows.append((PART, COMPRESSION, name, *forged_span(config, person)))
    return pd.DataFrame(rows, columns=SEGMENT_COLUMNS).sort_values(SEGMENT_COLUMNS[:3], ignore_index=True)


def frames_of(person: Person) -> int:
    """How many frames a person's clip has: `build.plan` counts in Mini-FF++'s rate."""
    return round(person.frames * FPS / build.FPS)


def forged_span(config: TemporalConfig, person: Person) -> tuple[float, float]:
    """First and last second that a partial fake of somebody's clip forges; never at the clip's ends."""
    end = frames_of(person) / FPS
    start = _rng(config, person, 2).uniform(2 * _FADE, end - config.forged_seconds - 2 * _FADE)
    return round(float(start), 3), round(float(start) + config.forged_seconds, 3)


def clip_paths(person: Person) -> Iterator[str]:
    """Every film of a person, relative to the data set's folder: the original first."""
    yield f"original_sequences/youtube/{COMPRESSION}/videos/{person.id}.mp4"
    for method in (WHOLE, PART):
        yield f"manipulated_sequences/{method}/{COMPRESSION}/videos/{person.id}_{person.partner}.mp4"


def _all(tasks: list[tuple[Path, TemporalConfig, Person, Person]], workers: int) -> Iterator[str]:
    yield from build.spread_out(film, tasks, workers)


def film(out: Path, config: TemporalConfig, person: Person, partner: Person) -> str:
    """Film one person, forge the clip in both ways, write all three; return the person's id."""
    camera = _Camera.of(config, person)
    own, other = (_speech(config, one, camera.frames) for one in (person, partner))
    share = motion.ramp(np.arange(camera.frames) / FPS, *forged_span(config, person), _FADE)
    mouth, brow = (
        motion.limited(motion.mixed(*courses, share)) for courses in ((own.mouth, other.mouth), (own.brow, other.brow))
    )
    real = list(camera.filmed(own.shot, own.shot.mouth, own.shot.brow, 10))
    whole = camera.filmed(own.shot, other.shot.mouth, other.shot.brow, 11)
    forged = camera.filmed(own.shot, mouth, brow, 12, share > 0)
    part = (next(forged) if changed else frame for frame, changed in zip(real, (share > 0).tolist(), strict=True))
    for path, frames in zip(clip_paths(person), (real, whole, part), strict=True):
        if not (out / path).is_file():
            write_video(out / path, frames, fps=FPS, crf=CRF, preset="superfast")
    return person.id


@dataclass(frozen=True)
class _Camera:
    """Films one person, in frames of the size that is wanted: nothing is drawn large and shrunk."""

    config: TemporalConfig
    person: Person
    identity: render.Identity
    fields: tuple[np.ndarray, np.ndarray]
    background: np.ndarray  # (S, S, 3) uint8
    sensor: render.Grain
    frames: int

    @staticmethod
    def of(config: TemporalConfig, person: Person) -> "_Camera":
        """The camera that a person is filmed by, and who that is: the one of Mini-FF++ of the same seed."""
        identity = render.make_identity(person.portrait, build.stream(config, person, 0))
        fields = render.expression_fields(identity.landmarks)
        background = build.to_size(identity.background, config.size)
        sensor = render.Grain(_rng(config, person, 3), edge=config.size)
        return _Camera(config, person, identity, fields, background, sensor, frames_of(person))

    def filmed(
        self, shot: render.Shot, mouth: np.ndarray, brow: np.ndarray, purpose: int, wanted: np.ndarray | None = None
    ) -> Iterator[np.ndarray]:
        """The frames of a shot, all or those that are wanted, with some courses of mouth and brows."""
        sensor = render.Grain(_rng(self.config, self.person, purpose), self.sensor.sheets)
        size = self.config.size
        for at in range(self.frames) if wanted is None else np.flatnonzero(wanted).tolist():
            mapping = render.frame_map(shot.pose[at], *self.fields, mouth[at], brow[at], size)
            frame = render.render(self.identity, mapping, self.background)
            yield sensor.add(render.light_up(frame, shot.light[at]), shot.grain)


def _speech(config: TemporalConfig, person: Person, frames: int) -> motion.Speech:
    return motion.speak(_rng(config, person, 1), frames, FPS)


def _rng(config: TemporalConfig, person: Person, purpose: int) -> np.random.Generator:
    """A random stream for one purpose of one person, none of those of Mini-FF++."""
    return build.stream(config, person, 100 + purpose)
