"""The Entity space page: names of entities in many languages, laid out and measured."""
