"""A convolutional network of one's own: which channels does it need, and what does each of them feed?

Any module goes into `sculpt`. A channel is a unit and a kernel an edge, so what comes out is a graph of channels: of six and eight
channels some are gone, and the network without them is an ordinary, smaller module.
"""

import numpy as np
from sklearn.datasets import load_digits
from torch import nn

from analysis import detect_modules
from sculpting import sculpt

images, digits = load_digits(return_X_y=True)
x = images.reshape(-1, 1, 8, 8).astype(np.float32) / 16

model = nn.Sequential(
    nn.Conv2d(1, 6, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(6, 8, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32, 10),
)
result = sculpt(model, (x, digits), seeds=1, steps=60, unit_steps=[0.3], edge_steps=[0.1], edge_tries=2, progress=False)
network = result.network
print(result)
print(network.units)  # the layers of units of the dense network

smaller = network.compact(x[:8]).module  # an nn.Sequential without the channels that nothing reads
print(f"{smaller[0].out_channels} of 6 and {smaller[3].out_channels} of 8 channels are left")

hierarchy = detect_modules(network)
print(hierarchy)
hierarchy.draw("runs/own_cnn.svg", title="Channels of a CNN on digits")
