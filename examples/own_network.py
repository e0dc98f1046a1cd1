"""Sculpt your own network, trained on your own data.

The target is a sum of two independent parts, (a xor b) and (c and d), of six sampled inputs, two of which do not matter. The
sculpted network drops those two, and groups the other four by the part that they belong to.
"""

import torch
from torch import nn

from analysis import consensus
from sculpting import sculpt

generator = torch.Generator().manual_seed(0)
x = (torch.rand(1000, 6, generator=generator) > 0.5).float() + 0.1 * torch.randn(1000, 6, generator=generator)
bits = x > 0.5
y = (bits[:, 0] ^ bits[:, 1]).float() + 2 * (bits[:, 2] & bits[:, 3]).float()

model = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 24), nn.ReLU(), nn.Linear(24, 1))
result = sculpt(model, (x, y), min_accuracy=0.97, seeds=4, steps=200, learning_rate=0.02, unit_steps=[0.5, 0.25], edge_steps=[0.05, 0.02])
print(result)

found = consensus(result.candidates)
print(found)
found.draw("runs/own_network.svg")
