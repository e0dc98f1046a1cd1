"""Models as they are read, and sparse networks as they are returned."""
