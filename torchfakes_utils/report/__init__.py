"""The report's page, its data, the model card."""
