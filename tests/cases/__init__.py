"""Files, folders, tables and weights as other people have them, each made by a few lines.

    from cases import CASES

    path = CASES["an insert of a fourth person"].make(folder)

By family: `photos`, `films` (and `bombs`, which are written byte by byte), `tables`, `folders`, `weights`, `runs`.
"""

from cases import bombs, films, folders, photos, runs, tables, weights
from cases.registry import CASES, Case

__all__ = ["CASES", "Case", "bombs", "films", "folders", "photos", "runs", "tables", "weights"]
