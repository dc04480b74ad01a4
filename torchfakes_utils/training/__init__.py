"""Batches become a run."""
