"""From scores to numbers: ranks, metrics that declare themselves, protocols over stored ranks, intervals."""
