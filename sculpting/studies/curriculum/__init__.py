"""Is a composite parity learnt alone, and what does depth add?"""
