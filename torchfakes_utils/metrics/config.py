"""How many resampled data sets are drawn unless told otherwise. Imports nothing heavy."""

# Data sets that are drawn: of metrics, and of means, which take less time.
REPLICATES, MEAN_REPLICATES = 1000, 2000
