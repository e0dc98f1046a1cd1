"""The published Boolean study by the one default setting."""
