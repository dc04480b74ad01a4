"""What is taken out of the texts that are published."""

import pytest

from torchfakes_utils.hub import package


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("at /home/ada/data/faces.csv, twice", "at faces.csv, twice"),
        ('{"weights": "/mnt/big disk/x.pt"}', '{"weights": "/mnt/big disk/x.pt"}'.replace("/mnt/big", "big")),
        (r'{"weights": "C:\\Users\\ada\\x.pt"}', '{"weights": "x.pt"}'),
        (r"C:\Users\ada\x.pt or \\server\share\x.pt", "x.pt or x.pt"),
        ("file:///Users/ada/x.mp4", "x.mp4"),
        ("read=/root/x.mp4;/tmp/y", "read=x.mp4;y"),
        ("<td>0.5</td><br/> 3/4, AUC / loss, mistakes/01.jpg", None),
        ("see https://example.org/a/b/c or ../docs/x.md or ~/x", None),
        ("data:image/svg+xml;base64,AA+/b/c/d==", None),
    ],
)
def test_paths_of_a_machine_are_shortened_and_nothing_else(text, clean):
    found, count = package.without_paths(text)
    assert found == (text if clean is None else clean)
    assert (count == 0) == (clean is None)
