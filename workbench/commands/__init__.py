"""The groups of the `workbench` command: one module each; `workbench.cli` puts them together."""
