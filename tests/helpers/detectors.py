"""Detectors that nobody has trained, and that answer all the same."""

from torchfakes_utils.models.detector import Detector, DetectorConfig


def opinionated(config: DetectorConfig) -> Detector:
    """Random weights down to the last layer, which in a new detector is zero.

    That would say 0.5 to everything, and a test that compares two such answers could not fail.
    """
    detector = Detector(config)
    detector.classifier.reset_parameters()
    return detector.eval()
