"""How files are judged unless told otherwise. Imports nothing heavy."""

# Frames of a video that are looked at: more hardly change the mean of a clip.
FRAMES = 16
