"""The Launch page: a form out of the config's schema, grids, estimates."""
