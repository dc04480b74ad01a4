"""Mini-FF++: a small data set in FaceForensics++'s layout, made on any machine."""
