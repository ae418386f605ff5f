"""Knowledge integration corpora: records, builders, storage on disk, and the samplers that draw training pairs."""
