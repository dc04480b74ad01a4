"""What a training run looks at: which crops, in which order, in which batches."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from torchfakes_utils.crops.augmentation import Draw, augmentation, draw, joined, part
from torchfakes_utils.crops.samplers import Order, draw_order
from torchfakes_utils.crops.self_blending import (
    BLENDED,
    DEFAULTS,
    SELF_BLENDED,
    TARGET,
    UNTOUCHED,
    SelfBlends,
    are_faces,
    draw_blends,
)
from torchfakes_utils.crops.sizes import without_small
from torchfakes_utils.crops.store import CropStore, open_store
from torchfakes_utils.crops.table import (
    check_faces,
    extraction_of,
    first_of,
    left_out,
    load_faces,
    stored_edge,
)
from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.films import moments
from torchfakes_utils.faces.outline import outlines_of
from torchfakes_utils.faces.quality import crop_qualities, face_edges, outside_of
from torchfakes_utils.models.architectures import Architecture, architecture, check_patches
from torchfakes_utils.models.preprocessing import Preprocessing
from torchfakes_utils.training.choice import (
    check_blendable,
    choose_crops,
    crops_to_decide_on,
    epoch_size,
    originals_elsewhere,
)
from torchfakes_utils.training.config import TrainingConfig
from torchfakes_utils.training.distributed import World, gather

logger = logging.getLogger(__name__)

# Training crops whose light and sharpness say what crops look like, and those whose features do, for which the network
# is asked.
_MEASURED, _LIKENED = 2000, 800


def seed_of(*numbers: int) -> int:
    """A seed for one thing of one run; neighbouring numbers share nothing."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Inside, torch's own generators begin at `seed`; outside, they are as they were.

    For what takes no generator: the first weights of a network, and dropout. Everything else is given one.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def load_crops(faces_csv: Path, config: TrainingConfig) -> tuple[pd.DataFrame, Preprocessing]:
    """The crops of a table, and how they become the network's input.

    Of crops that `extract` has not cut, a few that are far too small are left out, and said (`without_small`).

    Raises:
        InputError: crops or classes lack, or the crops are smaller than the network's input, or than is said of them.
    """
    faces = load_faces(faces_csv)
    usual, extraction = Preprocessing(), extraction_of(faces, faces_csv)
    kind = architecture(config.architecture)
    if "size" not in extraction:
        faces = without_small(faces, faces_csv, kind.min_size)
    if config.self_blended < 1:
        check_faces(faces, faces_csv, splits=("train", "val"))
    if config.self_blended:
        check_blendable(faces, faces_csv)
    stored, wanted = extraction.get("size") or stored_edge(faces), kind.input
    fitting = fitting_size(kind, stored)
    if fitting < kind.min_size:
        raise InputError(
            f"{faces_csv}: these crops are {stored} px, and {config.architecture} needs at least {smallest_size(kind)} "
            f"px; extract larger crops (extract --size {wanted.size})"
        )
    size = config.image_size or fitting
    check_patches(config.architecture, size)
    scale = extraction.get("crop_scale", usual.crop_scale)
    if stored < size:
        raise InputError(
            f"{faces_csv}: these crops are {stored} px, and enlarging them to {size} px adds nothing; choose a smaller "
            f"image size (--image-size {fitting}), or extract larger crops (extract --size {size})"
        )
    return faces, Preprocessing(size=size, mean=wanted.mean, std=wanted.std, crop_scale=scale, crop_size=stored)


def fitting_size(kind: Architecture, stored: int) -> int:
    """The network's own input size, or the largest that crops of `stored` pixels fill, in whole patches.

    Crops are never enlarged: it costs time by the square and shows a network nothing new. A vision transformer that was
    made for more patches has its positions interpolated by timm instead.
    """
    if kind.input.size <= stored:
        return kind.input.size
    return max(stored // kind.patch(), 1) * kind.patch()


def smallest_size(kind: Architecture) -> int:
    """The smallest input that a network takes, in whole patches, pixels."""
    patch = kind.patch()
    return -(-kind.min_size // patch) * patch


def size_note(config: TrainingConfig, preprocessing: Preprocessing) -> str:
    """The input size, and why it is not the network's own where nobody has asked for another."""
    own, size = architecture(config.architecture).input.size, preprocessing.size
    if config.image_size is not None or size == own:
        return f"{size} px"
    patch = architecture(config.architecture).patch()
    whole = f" and its patches {patch} px" if size != preprocessing.crop_size else ""
    return (
        f"{size} px instead of its own {own}, for the crops are stored at {preprocessing.crop_size} px{whole} "
        f"(extract --size {own} for more)"
    )


@dataclass
class Batch:
    """Crops of a step, still as they are stored.

    Attributes:
        images: (B, 3, S, S) uint8.
        labels: (B,) float32.
        rows: (B,) their places in `TrainingData.train_faces`.
        number: of the batch in the whole run, from 0: where its random numbers come from.
        drawn: what augmentation does to them.
        skipped: crops that could not be read.
        blends: which are blended with themselves before, and how; None where none is.
    """

    images: torch.Tensor
    labels: torch.Tensor
    rows: np.ndarray
    number: int
    drawn: Draw
    skipped: int
    blends: SelfBlends | None = None


class TrainingData:
    """The crops of a table that a run trains on and is validated on.

    Attributes:
        train_faces, val_faces: what `choice.choose_crops` takes of the crops that can be read.
        deciding_faces: validation crops that thresholds are fixed on. Where the table has no fakes among them, those of
            both are real crops once more, to be blended with themselves.
        crops: drawn in an epoch.
        batches_per_epoch: batches of `batch_size` crops that makes.
    """

    def __init__(self, faces: pd.DataFrame, preprocessing: Preprocessing, config: TrainingConfig, world: World) -> None:
        """Choose the crops of a whole table, from `load_faces`; see to it that they are decoded.

        Raises:
            InputError: the crops do not make one step, or not one of a class is left.
        """
        if config.batch_size % world.size:
            raise InputError(f"a batch of {config.batch_size} cannot be shared by {world.size} processes evenly")
        self._config, self._world = config, world
        self._augmentation = augmentation(config.augmentation)
        self._preprocessing = preprocessing
        store = open_store(faces, preprocessing, config.cache) if world.first else None
        gather(world, "decoded")  # one process decodes, the others find it done
        self._store = store or open_store(faces, preprocessing, config.cache)
        self.kept_in = self._store.kept_in
        unreadable = list(self._store.unreadable)
        if unreadable and world.first:
            logger.warning("%s", left_out(list(self._store.unreadable.values())))

        readable = ~np.isin(self._store.rows(faces), unreadable)
        for line in originals_elsewhere(faces[readable], config) if world.first else ():
            logger.warning("%s", line)
        self.train_faces, self.val_faces = choose_crops(faces[readable], config)
        self.deciding_faces = crops_to_decide_on(faces[readable], config)
        self._outlines = self._blendable = None
        if config.self_blended:
            self._outlines = torch.from_numpy(outlines_of(self.train_faces).astype(np.float32))
            self._blendable = are_faces(self._outlines).numpy()
        size = epoch_size(self.train_faces, config, world.size)
        self.crops, self.batch_size, self.batches_per_epoch = size.crops, size.batch_size, size.batches
        self._moments = moments(self.train_faces)
        self._qualities: pd.DataFrame | None = None
        self._train_rows = self._store.rows(self.train_faces)
        self._labels = self.train_faces["label"].to_numpy(np.float32)
        if config.random_labels:
            generator = np.random.default_rng(seed_of(config.seed, 4))
            self._labels = generator.integers(0, 2, len(self._labels)).astype(np.float32)

    def batches(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch (from 1) from `start` on; all that is random in them depends on the seed alone."""
        size = self.batch_size
        config = self._config
        order = draw_order(
            config.sampling, self.train_faces, self.crops, self._generator(0, epoch), config.self_blended,
            self._blendable,
        )  # fmt: skip
        leaders, pairs = (self._leaders(order.rows, shared) for shared in (config.shared_draws, True))
        for number in range(start, self.batches_per_epoch):
            overall, places = (epoch - 1) * self.batches_per_epoch + number, slice(number * size, (number + 1) * size)
            drawn = self._draw(overall, leaders[places] - number * size, self._drawn_alone)
            blends = self._blends(order, overall, places, pairs[places] - number * size)
            yield self._read(order.rows[places], overall, drawn, blends)

    def _blends(self, order: Order, overall: int, places: slice, leaders: NDArray[np.int64]) -> SelfBlends | None:
        """What becomes of the real crops of a batch. A pair is of one picture, whatever else its crops do not share."""
        if self._outlines is None:
            return None
        roles = np.select([order.blended, order.partners], [BLENDED, TARGET], UNTOUCHED)[places]
        drawn = self._draw(overall, leaders, self._blends_alone)
        return SelfBlends(torch.from_numpy(roles), self._outlines[order.rows[places]], drawn)

    def _leaders(self, order: NDArray[np.int64], shared: bool) -> NDArray[np.int64]:
        """For each place in an epoch's order the one whose random change its crop goes through, (N,): mostly its own.

        The paired sampler draws a fake after its original. Were the two changed differently, how sharp or how turned a
        crop is would differ within the pair as well, and the forgery be only one of several differences.
        """
        leaders = np.arange(len(order))
        if shared and self._config.sampling == "paired":
            second, moment = leaders[1::2], self._moments[order]
            leaders[1::2] -= (moment[second] >= 0) & (moment[second] == moment[second - 1])
        return leaders

    def _draw(self, overall: int, leaders: NDArray[np.int64], alone: Callable[[int], Draw]) -> Draw:
        """What happens to the crops of a batch; `leaders` are places in it, or -1 for the last of the batch before.

        Drawn by `alone` for the whole batch by every process, so that it does not matter how many share it.
        """
        drawn = alone(overall)
        if leaders[0] < 0:  # batches of odd size cut a pair in two
            drawn, leaders = joined(part(alone(overall - 1), slice(-1, None)), drawn), leaders + 1
        return part(drawn, torch.from_numpy(leaders))

    def _drawn_alone(self, overall: int) -> Draw:
        return draw(self._augmentation, self.batch_size, self._generator(1, overall))

    def _blends_alone(self, overall: int) -> Draw:
        return draw_blends(DEFAULTS, self.batch_size, self._generator(5, overall))

    def validation(self, batch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """This process's share of the validation crops: places in `val_faces`, (B,), and crops, (B, 3, S, S) uint8."""
        mine = np.arange(self._world.rank, len(self.val_faces), self._world.size)
        return self._validated(self.val_faces, mine, batch)

    def deciding(self, batch: int) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Crops that thresholds are fixed on, as `validation` gives them: places in `deciding_faces`."""
        return self._validated(self.deciding_faces, np.arange(len(self.deciding_faces)), batch)

    @property
    def decides_on_self_blends(self) -> bool:
        """Whether validation has no other fakes than real crops that are blended with themselves."""
        return bool((self.deciding_faces["method"] == SELF_BLENDED).any())

    def _validated(
        self, faces: pd.DataFrame, places: NDArray[np.int64], batch: int
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Some crops of a table, of which those that are to be blended with themselves are, each always alike.

        Their targets are the real crops as they are, which stand beside them.
        """
        blended = (faces["method"] == SELF_BLENDED).to_numpy()
        for some, images in self._in_order(self._store.rows(faces), places, batch):
            if blended[some].any():
                alone = [draw_blends(DEFAULTS, 1, self._generator(6, place)) for place in some.tolist()]
                drawn = joined(*alone) | {"source_changed": torch.ones(len(some), dtype=torch.bool)}
                outlines = torch.from_numpy(outlines_of(faces.iloc[some]).astype(np.float32))
                roles = torch.from_numpy(np.where(blended[some], BLENDED, UNTOUCHED))
                images = SelfBlends(roles, outlines, drawn).apply(images)
            yield some, images

    def _generator(self, *numbers: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed_of(self._config.seed, *numbers))

    def likened(self, batch: int) -> Iterator[torch.Tensor]:
        """Some training crops, evenly spread, that say what faces of training are like, (B, 3, S, S) uint8."""
        some = np.unique(np.linspace(0, len(self.train_faces) - 1, _LIKENED).round().astype(int))
        return (images for _, images in self._in_order(self._train_rows, some, batch))

    def _in_order(
        self, rows: NDArray[np.int64], places: NDArray[np.int64], batch: int
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """Some of the store's `rows`, by their places among these: places (B,) and crops (B, 3, S, S) uint8."""
        for some in np.split(places, range(batch, len(places), batch)):
            images, good = self._store.read(rows[some])
            if good.any():
                yield some[good], images

    def qualities(self) -> pd.DataFrame:
        """What training crops look like: a row for each of 2000 at most, columns `faces.quality.QUALITIES`."""
        if self._qualities is None:  # the crops stay the same, whichever epoch is the best so far
            some = np.unique(np.linspace(0, len(self.train_faces) - 1, _MEASURED).round().astype(int))
            self._qualities = self._looks(self.train_faces, some)
        return self._qualities

    def deciding_qualities(self) -> pd.DataFrame:
        """What crops that thresholds are fixed on look like: by their places in `deciding_faces`, the same columns."""
        return self._looks(self.deciding_faces, np.arange(len(self.deciding_faces)))

    def _looks(self, faces: pd.DataFrame, places: NDArray[np.int64]) -> pd.DataFrame:
        """What some crops of a table look like as they were cut, not as the network's size has left them."""
        cut = dataclasses.replace(self._preprocessing, size=self._preprocessing.crop_size)
        store = self._store if cut == self._preprocessing else CropStore(self._store.files, cut, None, {})
        rows = self._store.rows(faces)
        found = []
        for some in np.array_split(places, max(1, -(-len(places) // 256))):
            images, good = store.read(rows[some])
            own = faces.iloc[some[good]]
            sharpness = pd.to_numeric(own["sharpness"], errors="coerce").to_numpy()
            edges = face_edges(own, cut.crop_scale)
            found.append(crop_qualities(images.numpy(), outside_of(own), edges, sharpness).set_index(some[good]))
        return pd.concat(found)

    def _read(self, rows: np.ndarray, number: int, drawn: Draw, blends: SelfBlends | None = None) -> Batch:
        """This process's share of a batch."""
        share = self._world.share(len(rows))
        rows = rows[share]
        images, good = self._store.read(self._train_rows[rows])
        if not good.all():
            bad = self._train_rows[rows[~good]].tolist()
            logger.warning("left out of a batch: %s", self._reasons(bad))
            if good.sum() < 2:
                raise InputError(f"{self._reasons(bad)}; nothing is left of a batch: run `torchfakes extract` again")
        kept = torch.from_numpy(good)
        drawn = part(part(drawn, share), kept)
        labels = torch.from_numpy(self._labels[rows[good]])
        if blends is not None:
            blends = blends.only(share).only(kept)
            labels = torch.where(blends.roles == BLENDED, 1.0, labels)
        if self._world.device.type == "cuda":
            images, labels = images.pin_memory(), labels.pin_memory()
        return Batch(images, labels, rows[good], number, drawn, int((~good).sum()), blends)

    def _reasons(self, rows: list[int]) -> str:
        return first_of([self._store.unreadable[row] for row in rows])
