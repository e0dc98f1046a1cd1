"""Mutated inputs for every reader: none may hang, none may lie, none may raise what is not documented."""
