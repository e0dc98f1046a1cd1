"""Language models narrowed to Python code: a real one, and one that is trained here."""
