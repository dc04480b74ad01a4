"""How the lab trains where a test waits for it."""

TINY = {"image_size": 32, "epochs": 2, "crops_per_epoch": 32}
