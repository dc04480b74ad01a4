"""Recordings become a verdict on the voice: data, vocoders, front ends, networks, runs, scores.

`sources`, `vocoders`, `matching` and `voices` make practice data; `protocols` reads ASVspoof and WaveFake; `spectral`,
`pitch` and `lpc` are the transforms, by hand; `networks`, `detector`, `learning` and `scoring` train and measure;
`judging` says something of one file.
"""
