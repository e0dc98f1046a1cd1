"""How much success depends on each setting."""
