"""Runs as processes: the worker that does a run, and the launcher that starts, stops and watches it."""
