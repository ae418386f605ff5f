"""The paper's tables and the released logs as data, and their loader."""
