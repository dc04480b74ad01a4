"""A configuration that cannot work is refused before a long run starts."""

import pytest

from torchfakes_utils.errors import InputError
from torchfakes_utils.faces.config import ExtractionConfig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("frames", 0), ("crop_scale", 0.5), ("size", 8), ("min_face", 0), ("face_pixels", 10),
        ("min_probability", 1.1), ("image_format", "gif"), ("batch", 0), ("quality", 0),
    ],
)  # fmt: skip
def test_configuration_that_cannot_work(field: str, value: object) -> None:
    with pytest.raises(InputError, match=f"{field} must be .*; got {value}"):
        ExtractionConfig(**{field: value})
