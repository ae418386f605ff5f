"""Test sets of the five tasks: readers of the public files, and what they become on disk."""
