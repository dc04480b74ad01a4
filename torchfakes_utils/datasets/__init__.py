"""A folder of videos becomes `clips.csv`."""
