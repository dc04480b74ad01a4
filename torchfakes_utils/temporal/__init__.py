"""A film is judged as a film: what is learned from frames that follow each other, and where in time it shows.

`clips.csv` becomes a run of its own: frames are read at one rate whatever the film's, faces are cut by a box that
moves more slowly than a head, a network looks at windows of a second or two, and their scores become that of the clip.
"""
