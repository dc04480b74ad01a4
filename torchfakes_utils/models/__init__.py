"""A network with its preprocessing and its decision; what a run folder holds."""
