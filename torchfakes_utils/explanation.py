"""Where in a face the detector's answer comes from: Grad-CAM heat maps, and pictures of them.

A heat map says which pixels moved the answer, not that the answer is right, and not that the fake is there.
Source: Selvaraju et al., Grad-CAM, ICCV 2017; LayerCAM: Jiang et al., IEEE Transactions on Image Processing 2021.
"""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from PIL import Image
from tqdm import tqdm

from torchfakes_utils.dataset import load_faces, read_crop, read_extraction
from torchfakes_utils.detector import Detector, check_preprocessing, load, torch_device
from torchfakes_utils.errors import InputError
from torchfakes_utils.evaluation import score
from torchfakes_utils.tables import CLIP_KEY, SCORE_COLUMNS, atomic_write, write_table
from torchfakes_utils.video import spread

# 8×8 positions of a 160 px crop: fine enough to tell an eye from a mouth, deep enough to know what they are. The last
# block, Grad-CAM's usual choice, sees 3×3.
DEFAULT_LAYER = "repeat_2"
METHODS = ("grad-cam", "layer-cam")
TARGETS = {"fake": 1, "real": 0}
EXPLANATION_COLUMNS = [*SCORE_COLUMNS, "overlay"]

_BATCH = 16


def usual_layer(detector: Detector) -> str:
    """The layer that heat maps are made of unless another is asked for: `DEFAULT_LAYER`, or the last but one."""
    names = list(detector.feature_layers)
    return DEFAULT_LAYER if DEFAULT_LAYER in names else names[max(0, len(names) - 2)]


def grad_cam(
    detector: Detector,
    images: torch.Tensor,
    layer: str | None = None,
    target: str = "fake",
    method: str = "grad-cam",
    batch: int = _BATCH,
) -> np.ndarray:
    """What speaks for an answer, as a map over each crop.

    A frozen detector will do. Neither its parameters, their gradients nor its mode are changed.

    Args:
        detector: the network.
        images: (N, 3, S, S) float32, normalised by the detector's own preprocessing.
        layer: a name from `Detector.feature_layers`; None is `usual_layer`.
        target: "fake" for what raises P(fake), "real" for what lowers it.
        method: "grad-cam" weighs whole channels; "layer-cam" weighs every position, which is sharper on shallow layers.
        batch: crops at a time.

    Returns:
        (N, S, S) float32 in [0, 1]. Each map is stretched to its own maximum: compare places within a map, never the
        heat of two maps. A map of zeros says that nothing at that layer speaks for the target.

    Raises:
        InputError: an unknown layer, target or method.
    """
    choices, layer = detector.feature_layers, layer or usual_layer(detector)
    for what, value, known in (("layer", layer, choices), ("target", target, TARGETS), ("method", method, METHODS)):
        if value not in known:
            raise InputError(f"no {what} {value!r}; choose one of {', '.join(known)}")
    # Here and not above: this import alone takes seconds.
    from pytorch_grad_cam import GradCAM, LayerCAM
    from pytorch_grad_cam.utils.model_targets import BinaryClassifierOutputTarget

    was_training = detector.training
    trainable = [parameter for parameter in detector.parameters() if parameter.requires_grad]
    maps = [np.empty((0, *images.shape[-2:]), np.float32)]
    try:
        # Only the gradient at the layer is wanted: freezing the rest saves time, and leaves no gradients behind.
        for parameter in trainable:
            parameter.requires_grad_(False)
        cam_class = GradCAM if method == "grad-cam" else LayerCAM
        with torch.enable_grad(), cam_class(detector, [choices[layer]]) as cam:  # puts the detector into eval mode
            for chunk in images.split(batch) if len(images) else ():
                # With every parameter frozen, the input is what autograd has to start from.
                chunk = chunk.detach().clone().to(detector.device).requires_grad_()
                targets = [BinaryClassifierOutputTarget(TARGETS[target])] * len(chunk)
                maps.append(cam(input_tensor=chunk, targets=targets))
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        detector.train(was_training)
    return np.clip(np.concatenate(maps).astype(np.float32), 0, 1)


def overlay(image: np.ndarray, heat: np.ndarray, alpha: float = 0.45) -> np.ndarray:
    """Lay a heat map over a photo: dark where nothing mattered, glowing where much did.

    The colours (inferno) rise evenly in lightness, so they read the same in grey and for the colour-blind.

    Args:
        image: (H, W, 3) uint8, RGB.
        heat: (h, w) in [0, 1]; brought to the photo's size.
        alpha: how much of the result is heat map, 0 to 1.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    heat = cv2.resize(np.asarray(heat, np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    levels = np.rint(np.clip(heat, 0, 1) * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    return np.rint((1 - alpha) * image + alpha * colours.astype(np.float32)).astype(np.uint8)


def explain(
    run: Path | str,
    faces_csv: Path | str,
    out: Path | str | None = None,
    split: str = "test",
    limit: int = 24,
    layer: str | None = None,
    device: str = "auto",
    progress: bool = False,
) -> Path:
    """Explain some crops of a split: one a clip, as many real ones as of each manipulation.

    Args:
        run: a folder that `torchfakes train` wrote.
        faces_csv: the table of crops.
        out: the folder to write to; `explanations` in the run's folder when not given.
        split: which rows of the table.
        limit: how many crops at most.
        layer: a name from `Detector.feature_layers`; None is `usual_layer`.
        device: "auto", "cpu", "cuda", …
        progress: show a bar on a terminal.

    Returns:
        `out`, which holds `overlays/*.png` (the crop beside its overlay), `maps.npz` (`maps` (N, S, S) float32, `path`
        (N,)) and `explanations.csv` (the scores of these crops, and the overlay of each).

    Raises:
        InputError: no detector in `run`, no such split, crops gone or cut in another way, or a read-only folder.
    """
    if limit < 1:
        raise InputError(f"at least one crop has to be explained, not {limit}")
    run, faces_csv = Path(run), Path(faces_csv)
    out = run / "explanations" if out is None else Path(out)
    detector = load(run, torch_device(device))
    faces = choose(load_faces(faces_csv, split), limit)
    check_preprocessing(detector, read_extraction(faces_csv.parent))
    scores = score(detector, faces, _BATCH, device)
    maps, overlays = [], []
    starts = range(0, len(faces), _BATCH)
    for start in tqdm(starts, desc="explain", unit="batch", disable=None if progress else True):
        rows = faces.iloc[start : start + _BATCH]
        crops = [read_crop(file) for file in rows["file"]]
        images = torch.stack([detector.preprocessing.apply(crop) for crop in crops])
        heats = grad_cam(detector, images, layer)
        for row, crop, heat in zip(rows.itertuples(), crops, heats, strict=True):
            name = f"overlays/{row.label}_{row.method}_{row.compression}_{row.clip_id}_{row.frame}.png"
            photo = crop.permute(1, 2, 0).numpy()
            _write_png(np.hstack([photo, overlay(photo, heat)]), out / name)
            overlays.append(name)
        maps.append(heats)
    with atomic_write(out / "maps.npz") as temporary:
        np.savez_compressed(temporary, maps=np.concatenate(maps), path=faces["path"].to_numpy(str))
    write_table(scores.assign(overlay=overlays), out / "explanations.csv", EXPLANATION_COLUMNS)
    return out


def choose(faces: pd.DataFrame, limit: int) -> pd.DataFrame:
    """Crops to look at: the middle one of each clip, taking the methods (real counts as one) in turn up to `limit`."""
    ordered = faces.sort_values([*CLIP_KEY, "frame"])
    middles = pd.concat([clip.iloc[spread(1, len(clip))] for _, clip in ordered.groupby(CLIP_KEY, sort=True)])
    group = middles["method"].where(middles["label"] == 1, "")
    # The round in which a crop is taken: its place within its method.
    rounds = middles.groupby(group).cumcount()
    chosen = middles.assign(_round=rounds, _group=group).sort_values(["_round", "_group"], kind="stable").head(limit)
    return chosen.drop(columns=["_round", "_group"]).sort_values(["label", *CLIP_KEY]).reset_index(drop=True)


def _write_png(image: np.ndarray, path: Path) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary)
