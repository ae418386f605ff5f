"""Backbones, adapters and fusion, and the packed forward pass that turns texts into embeddings."""
