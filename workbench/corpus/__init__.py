"""The Corpus page: counts, samples, lint, own data."""
