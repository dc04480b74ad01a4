"""How many resampled data sets are drawn unless told otherwise. Imports nothing heavy."""

# Data sets that are drawn: of metrics, and of means, which take less time.
REPLICATES, MEAN_REPLICATES = 1000, 2000

# Of metrics, at most: all are kept for their quantiles, a dozen of eight bytes each.
MOST_REPLICATES = 100_000
