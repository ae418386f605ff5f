"""The four stages of the workflow (paper, section 4.1): adapters, fusion, fine-tuning, and the one training loop."""
