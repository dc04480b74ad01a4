"""Which features, and which distance, tell strange faces from those like training? AUROC of unlike against like.

    python tests/benchmarks/likeness.py RUN FACES.CSV OTHERS [--most 400]

The likeness of each way is fitted on training crops of FACES.CSV, its limit fixed on validation crops as
`models.decision` fixes it, and it is asked about test crops (like) and about those of OTHERS (unlike): a folder of
faces with `labels.csv` (path; label), such as crops of the Deepfake Detection Challenge, of which the real ones are
taken.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from torch import nn

from torchfakes_utils.crops.table import load_faces, try_crop
from torchfakes_utils.metrics.band import upper_limit
from torchfakes_utils.metrics.people import units
from torchfakes_utils.models.decision import REFUSED
from torchfakes_utils.models.detector import Detector, load_detector
from torchfakes_utils.models.likeness import fit_likeness, pooled

# Features (N, D) to distances (N,).
Distance = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Measure every way on every layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("others", type=Path)
    parser.add_argument("--most", type=int, default=400)
    args = parser.parse_args()
    detector = load_detector(args.run)
    labels = pd.read_csv(args.others / "labels.csv")
    others = labels.loc[labels["label"] == 0, "path"].map(lambda path: str(args.others / path))
    tables = {split: some(load_faces(args.faces, split), args.most) for split in ("train", "val", "test")}
    files = {name: table["file"].tolist() for name, table in tables.items()} | {
        "others": some(others, args.most).tolist()
    }
    found = {name: layer_outputs(detector, paths) for name, paths in files.items()}
    people = units(tables["val"])
    print(f"{'layer':>12} {'features':>9} {'distance':>22}  AUROC  like refused  unlike refused")
    for layer in found["train"]:
        sets = {name: outputs[layer] for name, outputs in found.items()}
        for way, fit in WAYS.items():
            print(
                f"{layer:>12} {sets['train'].shape[1]:9d} {way:>22}  {line(fit(sets['train']), sets, people)}",
                flush=True,
            )


def some(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Rows, evenly spread."""
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, most).round().astype(int))]


def line(distance: Distance, sets: dict[str, np.ndarray], people: np.ndarray) -> str:
    """AUROC, and the shares that lie beyond the limit."""
    val, like, unlike = (np.log(np.maximum(distance(sets[name]), 1e-9)) for name in ("val", "test", "others"))
    limit = upper_limit(val, people, np.array([REFUSED]))[0]
    auroc = roc_auc_score(np.r_[np.zeros(len(like)), np.ones(len(unlike))], np.r_[like, unlike])
    return f"{auroc:.3f} {np.mean(like > limit):13.1%} {np.mean(unlike > limit):15.1%}"


def layer_outputs(detector: Detector, files: list[str]) -> dict[str, np.ndarray]:
    """Pooled features of the texture layer, of those that heat maps are made of, and what the classifier is given."""
    kept: dict[str, list[torch.Tensor]] = {}

    def keep(name: str, given: torch.Tensor) -> None:
        kept.setdefault(name, []).append(given)

    layers: dict[str, nn.Module] = {"texture": detector.ends.texture, **detector.feature_layers}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: keep(name, pooled(out, out.ndim)))
        for name, layer in layers.items()
    ]
    hooks.append(detector.classifier.register_forward_pre_hook(lambda _, given: keep("last", given[0].flatten(1))))
    with torch.inference_mode():
        for start in range(0, len(files), 20):
            images = torch.stack([detector.preprocessing.resize(try_crop(file)) for file in files[start : start + 20]])
            detector(detector.preprocessing.normalise(images))
    for hook in hooks:
        hook.remove()
    return {name: torch.cat(parts).numpy() for name, parts in kept.items()}


def low_rank(known: np.ndarray) -> Distance:
    """The one that is used."""
    likeness = fit_likeness(known)
    return lambda values: likeness.distance(torch.from_numpy(values).float()).numpy()


def ledoit_wolf(known: np.ndarray) -> Distance:
    """Mahalanobis's distance with Ledoit and Wolf's shrinkage."""
    centre = known.mean(0)
    precision = LedoitWolf(assume_centered=True).fit(known - centre).precision_
    return lambda values: np.sqrt(np.einsum("nd,de,ne->n", values - centre, precision, values - centre))


def neighbours(known: np.ndarray) -> Distance:
    """To the tenth nearest training crop, of features of length one (Sun et al., ICML 2022)."""
    known = known / np.linalg.norm(known, axis=1, keepdims=True)

    def distance(values: np.ndarray) -> np.ndarray:
        values = values / np.linalg.norm(values, axis=1, keepdims=True)
        return np.sort(np.sqrt(np.maximum(2 - 2 * values @ known.T, 0)), axis=1)[:, 9]

    return distance


WAYS = {"Mahalanobis, low rank": low_rank, "Mahalanobis, Ledoit": ledoit_wolf, "ten neighbours": neighbours}


if __name__ == "__main__":
    main()
