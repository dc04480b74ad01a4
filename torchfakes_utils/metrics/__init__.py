"""Labels and scores become numbers with intervals."""
