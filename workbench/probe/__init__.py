"""The Probe page: a typed sentence, coloured by the slot that its fusion picks."""
