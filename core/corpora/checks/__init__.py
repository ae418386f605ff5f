"""What `corpus lint` looks for: small functions over a corpus, listed in `core.corpora.lint.CHECKS`."""
