"""The Knowledge page: facts and names asked of every system."""
