"""A run becomes `scores.csv`, and what it says."""
