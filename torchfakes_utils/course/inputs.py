"""The inputs that lessons ask for most, as the objects that they work with; each is built first if need be."""

from typing import TYPE_CHECKING

from torchfakes_utils.course.folders import paths
from torchfakes_utils.course.state import ensure

if TYPE_CHECKING:
    import pandas as pd

    from torchfakes_utils.course.patients import Patient
    from torchfakes_utils.models.detector import Detector


def faces_table(split: str | None = None) -> "pd.DataFrame":
    """The table of face crops, built if need be, with the crops' absolute paths in the column `file`.

    Args:
        split: "train", "val" or "test"; None for all.
    """
    from torchfakes_utils.crops.table import load_faces

    return load_faces(ensure("faces"), split)


def detector() -> "Detector":
    """The course's trained detector, in evaluation mode, trained first if need be."""
    from torchfakes_utils.models.detector import load_detector

    return load_detector(ensure("run")).eval()


def broken_detector(number: int, seed: int = 0) -> "Patient":
    """One of lesson 08's detectors, sick or well: you are not told which. They are trained first if need be.

    Args:
        number: from 1 to 8.
        seed: from which it was trained, 0, 1 or 2.

    Raises:
        InputError: there is no such number or seed.
    """
    from torchfakes_utils.course.patients import patient

    scores = ensure("lab")
    return patient(number, seed, paths().faces_csv, scores.parent)
