"""What was published about Llama-3.2-1B on Python code (Michaud, Parker-Sartori and Tegmark, NeurIPS 2025): another scale.

1.24 billion parameters, 16 layers; losses in nats a token in training. Read off figures but for the tokens of pruning.
"""

from __future__ import annotations

__all__ = ["AGREEMENT", "KNEES", "RANDOM", "SPARSITY", "TOKENS"]

# Figure 5: loss against sparsity of neurons, before any training.
SPARSITY = {0.0: 1.325, 0.1: 1.46, 0.2: None, 0.4: 2.21, 0.6: 2.89, 0.8: 4.5}
# Figure 11: Pearson, and Pearson of logarithms, of first order against ablation.
AGREEMENT = {"first_order of neurons": (0.44, 0.80), "first_order of residual": (0.39, 0.05)}
# Figure 6: tokens to 1.7 nats at about 300 million parameters.
TOKENS = {"attribution": "0.20 B", "distill": "1.07 B", "scratch": "1.70 B"}
# Figure 5: the sparsity up to which a group lasso keeps the loss flat.
KNEES = "0.42, 0.65 and 0.82 at strengths 3e-4, 5e-4 and 1e-3 (subgradient)"
# Figure 13, whose random neurons were drawn with replacement: the sparsity was .39 in place of .50.
RANDOM = "random starts at 11 nats in place of 6.2, and is level after 1,000 to 3,000 steps of 65,536 tokens"
