"""Whether heat maps depend on what the network has learned, and whether what they call hot matters to it.

A map that stays the same when the weights are replaced by random ones shows the picture's edges, not the network's
reasons. Sources: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (randomisation); Rong et al., A
Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022 (ROAD).
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from torchfakes_utils.explanation.heat_maps import NAMES, grad_cam
from torchfakes_utils.explanation.mask_agreement import centre_prior, random_map
from torchfakes_utils.metrics.intervals import mean_by_clip
from torchfakes_utils.models.detector import Detector

SIMILARITY_COLUMNS = ["changed", "rank_correlation", "low", "high", "structural_similarity", "dark", "crops"]
REMOVAL_COLUMNS = ["map", "fall", "low", "high", "crops"]

# Pixels by which a crop is shifted.
SHIFTS = (2, 4, 8)
# The hottest share of a crop that ROAD takes away.
REMOVED = 0.2


@dataclass(frozen=True)
class Question:
    """What heat maps are asked.

    Attributes:
        images: (N, 3, S, S) float32, normalised.
        targets: "fake" or "real", one a crop.
        clips: which clip each crop is of, for intervals.
        layer, method: as for `heat_maps.grad_cam`.
        people: (N,) which people each crop's clip shows, for intervals; None draws clips.
    """

    images: torch.Tensor
    targets: Sequence[str]
    clips: Sequence[object] | np.ndarray
    layer: str | None = None
    method: str = "grad-cam"
    people: np.ndarray | None = None

    def ask(self, detector: Detector, images: torch.Tensor | None = None) -> np.ndarray:
        """The maps of a detector, (N, S, S)."""
        images = self.images if images is None else images
        return grad_cam(detector, images, self.layer, self.targets, self.method)


def untrained(detector: Detector, seed: int = 0) -> Detector:
    """A detector of the same architecture and preprocessing, with random weights; in evaluation mode.

    Its classifier, too, is random, by PyTorch's usual draw: at zero, where training begins, it has no heat map.
    """
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        fresh = Detector(detector.config).eval()
        fresh.classifier.reset_parameters()
        return fresh.to(detector.device)


def randomised(detector: Detector, stages: int, seed: int = 0) -> Detector:
    """A copy whose last `stages`, counted from the answer, have random weights and fresh averages; the rest stays."""
    changed, fresh = copy.deepcopy(detector).eval(), untrained(detector, seed)
    for name in list(changed.stages)[len(changed.stages) - stages :]:
        for module, new in zip(changed.stages[name], fresh.stages[name], strict=True):
            module.load_state_dict(new.state_dict())
    return changed


def cascading_randomisation(detector: Detector, question: Question, seed: int = 0) -> pd.DataFrame:
    """How the maps change when the weights are replaced by random ones, stage after stage from the answer down.

    Returns:
        `SIMILARITY_COLUMNS`: the first row changes nothing, the last one everything. `rank_correlation` (Spearman's,
        mean over clips, with its interval) and `structural_similarity` compare each map with that of the trained
        network; 1 is the same map. `dark` is the share of maps that are zero all over, which are left out.
    """
    names, before = list(detector.stages), question.ask(detector)
    rows = [("nothing", *similarity(before, before, question.clips, question.people))]
    for count in range(1, len(names) + 1):
        after = question.ask(randomised(detector, count, seed))
        changed = names[-1] if count == 1 else f"{names[-count]} to {names[-1]}"
        rows.append((changed, *similarity(before, after, question.clips, question.people)))
    return pd.DataFrame(rows, columns=SIMILARITY_COLUMNS)


def detector_similarity(detector: Detector, other: Detector, question: Question, name: str) -> pd.DataFrame:
    """How alike the maps of two detectors are; `SIMILARITY_COLUMNS`, one row."""
    found = similarity(question.ask(detector), question.ask(other), question.clips, question.people)
    return pd.DataFrame([(name, *found)], columns=SIMILARITY_COLUMNS)


def stability(detector: Detector, question: Question) -> pd.DataFrame:
    """Whether a map moves with its crop: crops are shifted to the right by `SHIFTS` pixels, and the maps shifted back.

    Returns:
        `SIMILARITY_COLUMNS`, a row a shift. What comes in from outside is the mirror image of what is inside; that
        strip is left out of the comparison.
    """
    before, edge, rows = question.ask(detector), question.images.shape[-1], []
    for shift in SHIFTS:
        padded = torch.nn.functional.pad(question.images, (shift, 0, 0, 0), mode="reflect")[..., :edge]
        after = question.ask(detector, padded)
        found = similarity(before[:, :, : edge - shift], after[:, :, shift:], question.clips, question.people)
        rows.append((f"{shift} px to the right", *found))
    return pd.DataFrame(rows, columns=SIMILARITY_COLUMNS)


def similarity(
    first: np.ndarray,
    second: np.ndarray,
    clips: Sequence[object] | np.ndarray,
    people: np.ndarray | None = None,
) -> tuple[float, float, float, float, float, int]:
    """How alike two sets of maps are, (N, H, W) each.

    Returns:
        Spearman's rank correlation (mean over clips, low, high), mean structural similarity, the share of pairs in
        which either map is dark, and the number of pairs that are not.
    """
    lit = (first.max((1, 2)) > 0) & (second.max((1, 2)) > 0)
    pairs = list(zip(first[lit], second[lit], strict=True))
    correlations = np.full(len(first), np.nan)
    correlations[lit] = [_rank_correlation(*pair) for pair in pairs]
    mean = float(np.mean([structural_similarity(*pair, data_range=1.0) for pair in pairs])) if pairs else np.nan
    dark = float(np.mean(~lit)) if len(lit) else np.nan
    return *mean_by_clip(correlations, clips, people), mean, dark, int(lit.sum())


def _rank_correlation(one: np.ndarray, two: np.ndarray) -> float:
    """Spearman's; NaN where a map is the same everywhere."""
    if one.min() == one.max() or two.min() == two.max():
        return np.nan
    return float(spearmanr(one, two, axis=None).statistic)


def road(detector: Detector, question: Question, share: float = REMOVED, seed: int = 0) -> pd.DataFrame:
    """How far the answer falls when the hottest places are taken away (ROAD, most relevant first, one percentile).

    What is removed is filled in from its surroundings, so that the hole itself is no signal. A random map and the
    centre prior are asked the same: a map is worth something if its places cost more than theirs.

    Args:
        detector: any.
        question: a few crops; half a second each on a CPU.
        share: of the crop that is removed, in (0, 1).
        seed: of the random maps.

    Returns:
        `REMOVAL_COLUMNS`: for each map the mean fall of the logit for the crop's own target (positive: the target
        lost), and its 95 % interval by person. Crops with a dark map are left out for all.
    """
    maps = question.ask(detector)
    lit = maps.max((1, 2)) > 0
    images, generator = question.images[torch.from_numpy(lit)], np.random.default_rng(seed)
    size = images.shape[-1]
    ways = {
        "trained": maps[lit],
        "centre prior": np.repeat(centre_prior(size)[None], int(lit.sum()), axis=0),
        "random map": np.array([random_map(size, generator) for _ in range(int(lit.sum()))]),
    }
    signs = [2 * NAMES.index(name) - 1 for name, is_lit in zip(question.targets, lit, strict=True) if is_lit]
    clips, people = np.asarray(question.clips, object)[lit], None if question.people is None else question.people[lit]
    rows = []
    for name, heat in ways.items():
        falls = _falls(detector, images, _ordered(heat, generator), signs, share) if len(images) else np.empty(0)
        rows.append((name, *mean_by_clip(falls, clips, people), len(falls)))
    return pd.DataFrame(rows, columns=REMOVAL_COLUMNS)


def _ordered(maps: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Maps with all places told apart, equally hot ones at random: a map may be dark but for a few places, and of the
    rest just as many have to go as are still missing.
    """
    flat, ties = maps.reshape(len(maps), -1), generator.random(maps.shape).reshape(len(maps), -1)
    places = np.arange(flat.shape[1], dtype=np.float32) / flat.shape[1]
    ranks = np.empty(flat.shape, np.float32)
    np.put_along_axis(ranks, np.lexsort((ties, flat)), places[None], axis=1)
    return ranks.reshape(maps.shape)


def _falls(
    detector: Detector, images: torch.Tensor, maps: np.ndarray, signs: Sequence[int], share: float
) -> np.ndarray:
    """How far each logit, times its sign, falls when the hottest places are filled in from their surroundings, (N,)."""
    from pytorch_grad_cam.metrics.road import ROADMostRelevantFirst

    targets = [lambda logit, sign=sign: sign * logit for sign in signs]
    with torch.random.fork_rng([]):
        torch.manual_seed(0)  # the library adds a little noise to what it fills in
        library = ROADMostRelevantFirst(percentile=100 * (1 - share))
        change = library(images.to(detector.device), maps, targets, detector)
    return -np.asarray(change, np.float64).reshape(-1)
