"""The Runs page: queue, history, one run live, runs side by side."""
