"""Clusters within layers, modules across them: the published detector, its options and the baselines."""
