"""Figures and tables -> files for a paper: layout, fonts, LaTeX, and the provenance stamped into each of them."""
