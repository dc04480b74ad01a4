"""Which clips belong together because the same people are in them: the units that are drawn, counted and dealt out.

Two clips of one person are no two measurements of how a detector judges people: light, skin and camera recur. A fake
shows two, the one whose film it is (target) and the one whose face or expression it has (source).
"""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from torchfakes_utils.io.tables import CLIP_KEY

PERSON_COLUMNS = ["target_id", "source_id"]


def units(rows: pd.DataFrame) -> np.ndarray:
    """The unit of each row, (N,) integers from 0 on: clips that share a person, directly or through others.

    Args:
        rows: of crops or of clips, with `CLIP_KEY`; `target_id` and `source_id` where people are known ("" where one
            is not).

    Returns:
        In FaceForensics++ a unit is a pair of people with its two originals and all their fakes. A clip of which no
        person is known is a unit of its own.
    """
    clips: np.ndarray = rows.groupby(CLIP_KEY, sort=False).ngroup().to_numpy()
    columns = [rows[name].astype(str).to_numpy() for name in PERSON_COLUMNS if name in rows]
    codes, names = pd.factorize(np.concatenate([np.array([], object), *columns]))
    # A graph of clips and people, in which every row links its clip to those who are in it.
    count = int(clips.max(initial=-1)) + 1
    rows_of, known = np.tile(clips, len(columns)), names[codes] != ""
    links = coo_array(
        (np.ones(known.sum(), bool), (rows_of[known], count + codes[known])), shape=(count + len(names),) * 2
    )
    found: np.ndarray = pd.factorize(connected_components(links, directed=False)[1][clips])[0]
    return found


def knows_people(rows: pd.DataFrame) -> bool:
    """Whether a table tells who is in any of its clips."""
    return any((rows[name].astype(str) != "").any() for name in PERSON_COLUMNS if name in rows)


def same_source(fakes: pd.DataFrame, reals: pd.DataFrame) -> np.ndarray:
    """Which real clips are of the data source that some fakes were made from, (R,) bool.

    A source is what the reals' `method` names, such as "youtube" and "actors" in FaceForensics++. That of the fakes is
    where a real clip shows one of their targets. Where it is not known whose films they are, every real clip may be
    of it, and is taken.

    Args:
        fakes, reals: a row a clip, with `method`, and `target_id` where people are known ("" where one is not).
    """
    if "target_id" not in fakes or "target_id" not in reals or not (targets := set(fakes["target_id"]) - {""}):
        return np.ones(len(reals), bool)
    sources = reals.loc[reals["target_id"].isin(targets), "method"]
    found: np.ndarray = reals["method"].isin(sources).to_numpy()
    return found
