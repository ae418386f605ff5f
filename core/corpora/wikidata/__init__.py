"""The Wikidata JSON dump, as large as it is: blocks of lines, items, and the build that survives a kill."""
