"""Which film a crop shows, where its original is, and which crops are a fake and that in the same frame."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# As the split of an original that the table does not hold.
NOWHERE = "nowhere"


def films(table: pd.DataFrame) -> pd.Series:
    """Of each row the real film whose frames it shows: its `clip_id`, or "" where that is not known.

    A real clip shows its own film. Of a fake `original_id` names it; an empty one says that nobody knows. A table
    without that column still tells where targets are films: a fake is of the real clip that is called what its target
    is called (FaceForensics++'s `000_003` has the target `000`), if that target has no other film. A person in several
    films (Celeb-DF's `id0`, an actor of DeepFakeDetection) is none.

    Args:
        table: rows of `clips.csv` or `faces.csv`: `clip_id, label, method, compression, target_id` and, where it is
            known, `original_id`.

    Returns:
        Text, with the index of the table. Where two real clips share a name and a compression, their fakes get "".
    """
    fake = table["label"] == 1
    reals = table.loc[~fake, ["target_id", "compression", "method", "clip_id"]].drop_duplicates()
    if "original_id" in table:
        named = table["original_id"].fillna("").astype(str)
    else:
        alone = reals[~reals.duplicated(["target_id", "compression"], keep=False)]
        alone = alone[alone["clip_id"] == alone["target_id"]]
        named = table["target_id"].where(_among(table, alone, "target_id"), "")
    shared = reals[reals.duplicated(["clip_id", "compression"], keep=False)]
    named = named.mask(_among(table.assign(clip_id=named), shared, "clip_id"), "")
    return named.where(fake, table["clip_id"])


def splits_of_originals(faces: pd.DataFrame) -> pd.Series:
    """Of each fake the split in which its original lies.

    Args:
        faces: rows of `faces.csv`, as in `films`, all of a table.

    Returns:
        Text, with the index of the table: `NOWHERE` where the table has no real clip of that name, "" of real crops and
        where the film is not known. An original that lies in several splits lies in the fake's own.
    """
    film, real = films(faces), faces["label"] == 0
    places = faces.loc[real, ["clip_id", "split"]].drop_duplicates()
    found = film.map(places.drop_duplicates("clip_id").set_index("clip_id")["split"]).fillna(NOWHERE)
    beside = pd.MultiIndex.from_arrays([film, faces["split"]]).isin(pd.MultiIndex.from_frame(places))
    return found.mask(beside, faces["split"]).where(~real & (film != ""), "")


def moments(faces: pd.DataFrame) -> NDArray[np.int64]:
    """Which crops show one frame of one film in one compression: a fake, its original, other fakes of that.

    Args:
        faces: rows of `faces.csv`, as in `films`.

    Returns:
        A number for each crop, (N,), which such crops share; -1 where the film is not known.
    """
    film = films(faces)
    numbers = faces.groupby([film, faces["compression"], faces["frame"]], sort=False).ngroup()
    return np.where(film == "", -1, numbers).astype(np.int64)


def _among(table: pd.DataFrame, some: pd.DataFrame, column: str) -> pd.Series:
    """Which rows have the `column` and the compression of one of `some`."""
    keys = [pd.MultiIndex.from_frame(rows[[column, "compression"]]) for rows in (table, some)]
    return pd.Series(keys[0].isin(keys[1]), index=table.index)
