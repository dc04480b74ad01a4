"""Any photo or video becomes a verdict."""
