"""A run becomes heat maps, and what they are worth."""
