"""Text of a domain: documents, splits, tokens, packed windows."""
