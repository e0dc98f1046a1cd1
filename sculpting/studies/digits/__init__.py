"""Two digits side by side, and the XOR of their bits."""
