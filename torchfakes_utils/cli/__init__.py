"""The `torchfakes` command."""
