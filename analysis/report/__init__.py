"""What a hierarchy says, in words: as text, and as one HTML file with the picture."""
