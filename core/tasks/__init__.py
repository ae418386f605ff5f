"""The downstream tasks (paper, sections 5.2 and 5.3): training pairs, benchmark, validation."""
