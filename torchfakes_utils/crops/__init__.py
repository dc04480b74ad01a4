"""`faces.csv` becomes batches: the table, the decoded crops, samplers, augmentation."""
