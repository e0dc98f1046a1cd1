"""Language models narrowed to one domain."""
