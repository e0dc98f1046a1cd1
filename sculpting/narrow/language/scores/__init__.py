"""How much each group matters, and which stay."""
