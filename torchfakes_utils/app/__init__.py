"""The app: a page and endpoints that judge photos and videos."""
