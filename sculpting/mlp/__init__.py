"""The engine of chains of Linear layers: batched members, a written-out backward pass, exact to the last bit between versions."""
