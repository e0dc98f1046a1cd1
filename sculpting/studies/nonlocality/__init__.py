"""Does pruning for one skill take another away?"""
