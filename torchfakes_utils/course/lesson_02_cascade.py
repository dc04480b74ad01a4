"""MTCNN's cascade, stage by stage, for lesson 02.

facenet-pytorch's `detect` gives only the end of the cascade. The steps in between are those of `export.mtcnn_numpy`,
round facenet-pytorch's own networks, so that a lesson can show what each of them lets through.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from facenet_pytorch import MTCNN
from numpy.typing import NDArray

from torchfakes_utils.export import mtcnn_numpy
from torchfakes_utils.export.mtcnn_numpy import OVERLAP, SURE, Candidates, FaceNetworks, LevelMap
from torchfakes_utils.io.machine import thread_limit

# What `ask` keeps: less sure boxes than these would also be let through by no setting that the lesson offers.
LEAST_SURE = 0.3


@dataclass(frozen=True)
class Stage:
    """Boxes that are left at some point of the cascade."""

    name: str
    boxes: np.ndarray  # (K, 4) float32, pixels of the photograph
    scores: np.ndarray  # (K,) float32


@dataclass(frozen=True)
class Opinions:
    """What all three networks say of every box that the first would ever propose; thresholds come later.

    Attributes:
        windows: P-Net's windows, before they are thinned out.
        proposed: what is left of them.
        refined: the proposed boxes with R-Net's probability; `offsets` are its corrections.
        decided: the same boxes, corrected and made square, with O-Net's probability and corrections.
    """

    windows: Candidates
    proposed: Candidates
    refined: Candidates
    decided: Candidates


def face_networks(mtcnn: MTCNN) -> FaceNetworks:
    """The three networks of facenet-pytorch's MTCNN, from arrays to arrays: probability, offsets (and landmarks)."""

    @torch.inference_mode()
    def answers(network: torch.nn.Module, pictures: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        offsets, *landmarks, probability = network(torch.from_numpy(np.asarray(pictures, np.float32)))
        return [probability[:, 1].numpy(), offsets.numpy(), *(points.numpy() for points in landmarks)]

    return FaceNetworks(*(partial(answers, network) for network in (mtcnn.pnet, mtcnn.rnet, mtcnn.onet)))


def planes(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A photograph (H, W, 3) as the cascade takes it, (3, H, W) float32 of 0 … 255."""
    return image.transpose(2, 0, 1).astype(np.float32)


def level(image: NDArray[np.uint8], scale: float) -> NDArray[np.float32]:
    """One level of the pyramid of a photograph, (3, h, w) float32 of 0 … 255."""
    height, width = (int(side * scale + 1) for side in image.shape[:2])
    return mtcnn_numpy.area_resize(planes(image), height, width)


def ask(
    networks: FaceNetworks, image: NDArray[np.uint8], maps: Sequence[LevelMap], least: float = LEAST_SURE
) -> Opinions:
    """Ask R-Net and O-Net about every box that P-Net likes a little.

    What a network says of a box depends on no threshold and on no other box. So the networks are asked once, and
    `passing` answers for any thresholds at once.

    Args:
        networks: from `face_networks`.
        image: (H, W, 3) uint8, RGB.
        maps: P-Net's answers, from `mtcnn_numpy.level_maps`.
        least: boxes of which P-Net is less sure are left out.
    """
    pixels = planes(image)
    liked = [mtcnn_numpy.windows(found, least) for found in maps]
    windows = Candidates(
        *(np.concatenate([getattr(one, name) for one in liked]) for name in ("boxes", "probability", "offsets"))
    )
    proposed = mtcnn_numpy.propose(maps, least)
    refined = _asked(pixels, proposed.boxes, networks.rnet, 24)
    squares = mtcnn_numpy.squared(mtcnn_numpy.moved(refined.boxes, refined.offsets))
    return Opinions(windows, proposed, refined, _asked(pixels, squares, networks.onet, 48))


def _asked(pixels: np.ndarray, boxes: np.ndarray, network: Callable[..., Any], size: int) -> Candidates:
    """A network's opinion of each box; one that lies outside of the picture gets probability 0."""
    probability, offsets = np.zeros(len(boxes), np.float32), np.zeros((len(boxes), 4), np.float32)
    whole = np.trunc(boxes)
    inside = (np.maximum(whole[:, :2], 1) - 1 < np.minimum(whole[:, 2:], pixels.shape[:0:-1])).all(axis=1)
    if inside.any():
        _, patches = mtcnn_numpy.patches_of(pixels, boxes, size)
        probability[inside], offsets[inside] = network(patches)[:2]
    return Candidates(boxes, probability, offsets)


def passing(opinions: Opinions, sure: Sequence[float] = SURE) -> list[Stage]:
    """What is left after each stage of the cascade, with any thresholds of P-, R- and O-Net.

    Boxes are suppressed in the order of their probability. So it is the same to leave out the unsure ones before or
    after that, and P-Net's boxes need not be suppressed anew.
    """
    windows = opinions.windows[opinions.windows.probability >= np.float32(sure[0])]
    left = np.flatnonzero(opinions.proposed.probability >= np.float32(sure[0]))
    stages = [
        Stage("P-Net", windows.boxes, windows.probability),
        Stage("after suppression", opinions.proposed.boxes[left], opinions.proposed.probability[left]),
    ]
    left = left[opinions.refined.probability[left] > np.float32(sure[1])]
    some = opinions.refined[left]
    left = left[mtcnn_numpy.distinct(some.boxes, some.probability, OVERLAP)]
    stages.append(Stage("R-Net", opinions.decided.boxes[left], opinions.refined.probability[left]))
    left = left[opinions.decided.probability[left] > np.float32(sure[2])]
    some = opinions.decided[left]
    boxes = mtcnn_numpy.moved(some.boxes, some.offsets)
    kept = mtcnn_numpy.distinct(boxes, some.probability, OVERLAP, smaller=True)
    return [*stages, Stage("O-Net", boxes[kept], some.probability[kept])]


def core_seconds(tasks: Mapping[str, Callable[[], Any]], turns: int = 3) -> dict[str, float]:
    """Seconds of one processor core that each task takes, the best of some turns.

    Processor time, not time on the clock: what other programs take does not count. The tasks take turns, so that
    none of them has the quiet minute for itself.
    """
    best = dict.fromkeys(tasks, np.inf)
    with thread_limit(1):
        for _ in range(turns):
            for name, task in tasks.items():
                start = time.process_time()
                task()
                best[name] = min(best[name], time.process_time() - start)
    return best
