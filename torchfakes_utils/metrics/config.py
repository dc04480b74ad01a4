"""How many resampled data sets are drawn, and crops averaged, unless told otherwise. Imports nothing heavy."""

from torchfakes_utils.errors import InputError

# Data sets that are drawn: of metrics, and of means, which take less time.
REPLICATES, MEAN_REPLICATES = 1000, 2000

# Of metrics, at most: all are kept for their quantiles, a dozen of eight bytes each.
MOST_REPLICATES = 100_000

# Of an interval that is reported, at least: with fewer, its ends are single data sets, and of one it has no width.
FEWEST_REPLICATES = 100

# Crops of a clip that its verdict rests on, evenly spread: more hardly change their mean. A detector's thresholds are
# fixed on as many.
FRAMES = 16

# The share of reals that may be called fake, and of fakes that may be called real, unless something else is asked for.
RATE = 0.05

# A smaller one is a promise far beyond what validation can show: of 10,000 people it would take every one.
LEAST_RATE = 0.0001


def check_replicates(replicates: int, option: str, least: int = FEWEST_REPLICATES) -> None:
    """Refuse so few data sets that the ends of a 95 % interval are chance.

    Args:
        replicates: data sets that are drawn.
        option: how they are called.
        least: a program may try with fewer than what is wanted of a report; of a single one there is no interval.

    Raises:
        InputError: fewer than `least`.
    """
    if replicates < least:
        raise InputError(
            f"{option} {replicates}: give at least {FEWEST_REPLICATES}; with fewer data sets the ends of an interval "
            "are chance"
        )


def check_rate(rate: float, option: str) -> None:
    """Refuse a share of wrong answers that nothing can keep to, that nothing can show, or that everything keeps to.

    Raises:
        InputError: it is no number from `LEAST_RATE` to below 1.
    """
    if not (isinstance(rate, (int, float)) and LEAST_RATE <= rate < 1):
        raise InputError(
            f"{option} {rate!s:.40}: give a share between 0 and 1, such as 0.05, and {LEAST_RATE} at least; less "
            "cannot be shown, and all needs no detector"
        )
