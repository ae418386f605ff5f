"""Runs on disk: one folder per run, live and cached alike, and the tables made of them."""
