"""What a detector of films begins with: given weights, and the directions in which faces of training clips move."""

from pathlib import Path

import numpy as np
import torch

from torchfakes_utils.temporal.config import VideoConfig
from torchfakes_utils.temporal.data import Clips
from torchfakes_utils.temporal.detector import DIRECTIONS, VideoDetector, VideoDetectorConfig
from torchfakes_utils.temporal.encoder import pretrained_encoder
from torchfakes_utils.temporal.networks import ClipNetwork, fill_clip_network

# Frames whose features say in which directions a head looks, and windows of training clips that a likeness is of.
_DIRECTED, _LIKENED = 20_000, 400
_LEAST_VARIANCE = 1e-8


def new_detector(config: VideoConfig) -> VideoDetector:
    """A detector to be trained: ImageNet's encoder and a head by chance, or a network of frames.

    Raises:
        InputError: weights cannot be used.
    """
    heads = config.view.faces
    came_from = "imagenet" if heads else None if config.weights is None else Path(config.weights).name
    directions = DIRECTIONS if heads else 0
    detector = VideoDetector(VideoDetectorConfig(config.architecture, config.view, directions, came_from))
    if heads:
        detector.encoder = pretrained_encoder()
    if config.weights is not None and isinstance(detector.network, ClipNetwork):
        fill_clip_network(detector.network, Path(config.weights))
    return detector


def direct(detector: VideoDetector, clips: Clips) -> None:
    """Find the directions in which the features of training clips move most, each brought to variance 1.

    They are principal components of what is left when the mean of its clip is taken from each frame: who it is, the
    light and the wall differ between clips, and nothing of them is kept. Labels are not looked at.
    """
    every = max(1, sum(len(one.values) for one in clips.described) // _DIRECTED)
    width = len(detector.centre)
    spread, centre, count = np.zeros((width, width)), np.zeros(width), 0
    for one in clips.described:  # clip by clip: all together would not fit into memory
        values = np.asarray(one.values, np.float32)
        mean = values.mean(axis=0)
        moves = (values - mean)[::every]
        spread += moves.T @ moves
        centre += mean / len(clips.described)
        count += len(moves)
    variances, axes = np.linalg.eigh(spread / count)
    kept = slice(-1, -1 - detector.config.directions, -1)
    scaled = axes[:, kept] / np.sqrt(np.maximum(variances[kept], _LEAST_VARIANCE))
    detector.axes.copy_(torch.from_numpy(scaled.astype(np.float32)))
    detector.centre.copy_(torch.from_numpy(centre.astype(np.float32)))


@torch.inference_mode()
def textures(detector: VideoDetector, clips: Clips) -> np.ndarray:
    """What a likeness is of, (N, D): of windows of training clips, as many of each."""
    each = max(1, _LIKENED // len(clips.described))
    found = []
    for one, starts in zip(clips.described, clips.starts, strict=True):
        for start in starts[np.unique(np.linspace(0, len(starts) - 1, each).round().astype(int))].tolist():
            window = torch.from_numpy(np.array(one.values[start : start + detector.view.ticks]))
            found.append(detector.texture(window[None]).cpu())
    return torch.cat(found).numpy()
