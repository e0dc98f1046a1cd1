"""Groups of a language model, and smaller models without some of them."""
