"""`clips.csv` becomes `faces.csv`: faces are found, followed, cut out and measured."""
