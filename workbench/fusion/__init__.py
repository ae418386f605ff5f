"""The Fusion attention page."""
