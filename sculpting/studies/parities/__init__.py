"""Sparse parities with distractors: are blocks and hierarchy found?"""
