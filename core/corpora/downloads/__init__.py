"""Where each data set lives, under which licence, with which bytes; fetching it, or taking it from a folder."""
