"""Language models narrowed to one domain of text."""
