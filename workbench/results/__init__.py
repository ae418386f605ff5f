"""The Results page: what was measured, what explains it, the paper's tables."""
