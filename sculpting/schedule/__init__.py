"""The pruning schedule: chains of attempts, what is accepted, and the file that a stopped run goes on from."""
