"""The Overview page: what is here, the four stages, which adapter does what."""
