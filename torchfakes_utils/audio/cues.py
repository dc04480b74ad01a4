"""What tells a clip without listening to the voice: level, colour, background, length. None may tell real from fake."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from torchfakes_utils.audio.matching import band_edge, long_term
from torchfakes_utils.io.sound import RATE

_SIZE, _HOP = 512, 256


def cues(samples: np.ndarray) -> dict[str, float]:
    """Single numbers of (N,) samples at 16 kHz, each of which would be a short cut.

    Returns:
        level: dB; peak: of full scale; crest: peak over level; seconds; quiet: dB of the quietest twentieth of frames
        below the loudest; pauses: share of frames 25 dB below the loudest; centroid: Hz; high: dB above 3 kHz to below;
        edge: Hz up to which there is anything; crossings: of zero, a second; offset: mean over level; clipped: share
        of samples at the peak; distinct: values among 1000 samples.
    """
    x = samples.astype(np.float64)
    frames = np.lib.stride_tricks.sliding_window_view(x, _SIZE)[::_HOP]
    level = 10 * np.log10((frames**2).mean(axis=1) + 1e-12)
    loud = np.percentile(level, 95)
    power, hertz = long_term(samples), np.arange(1 + _SIZE // 2) * RATE / _SIZE
    rms, peak = float(np.sqrt((x**2).mean())), float(np.abs(x).max())
    return {
        "level": 20 * np.log10(rms),
        "peak": peak,
        "crest": 20 * np.log10(peak / rms),
        "seconds": len(x) / RATE,
        "quiet": float(loud - np.percentile(level, 5)),
        "pauses": float((level < loud - 25).mean()),
        "centroid": float((power * hertz).sum() / power.sum()),
        "high": float(10 * np.log10(power[hertz > 3000].sum() / power[hertz <= 3000].sum())),
        "edge": band_edge(samples),
        "crossings": float(np.mean(np.diff(np.signbit(x)) != 0) * RATE),
        "offset": float(x.mean() / rms),
        "clipped": float((np.abs(x) >= peak * 0.999).mean()),
    }


def single_cues(table: pd.DataFrame) -> pd.DataFrame:
    """How far each cue alone tells the fakes of each method from the real clips, 0.5 to 1.

    Args:
        table: a row a clip, with `label`, `method`, `clip_id`, `original_id`, and the columns of `cues`.

    Returns:
        A row for each cue and method: `pooled`, the AUC; `pairs`, the share of pairs of a fake and its own original in
        which it is higher (ties count half); both folded to 0.5 and above; NaN where nothing differs from itself.
    """
    names = [name for name in table if name in cues(np.random.default_rng(0).standard_normal(4 * _SIZE))]
    real = table[table["label"] == 0].set_index("clip_id")
    rows = []
    for method, fakes in table[table["label"] == 1].groupby("method", sort=False):
        for name in names:
            both = np.concatenate([real[name], fakes[name]])
            pooled = roc_auc_score(np.repeat([0, 1], [len(real), len(fakes)]), both)
            paired = fakes[fakes["original_id"].isin(real.index)]
            gap = paired[name].to_numpy() - real.loc[paired["original_id"], name].to_numpy()
            pairs = float(((gap > 0) + 0.5 * (gap == 0)).mean()) if len(gap) else np.nan
            rows.append((method, name, max(pooled, 1 - pooled), max(pairs, 1 - pairs)))
    return pd.DataFrame(rows, columns=["method", "cue", "pooled", "pairs"])
