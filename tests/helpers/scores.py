"""Tables of scores of clips, as given or drawn from two normal distributions."""

import numpy as np
import pandas as pd


def clip_table(labels, scores, first=0):
    names = [f"{first + number:04d}" for number in range(len(labels))]
    return pd.DataFrame(
        {"clip_id": names, "method": "m", "compression": "c23", "label": labels, "probability_fake": scores}
    )


def simulated(generator, reals, fakes, distance=1.5):
    labels = np.repeat([0, 1], [reals, fakes])
    logits = distance * (2 * labels - 1) / 2 + generator.normal(size=len(labels))
    return clip_table(labels, 1 / (1 + np.exp(-logits)))
