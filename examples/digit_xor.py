"""Sculpt a network that computes the XOR of two digits, and see how it does so.

Each digit is read by modules of its own. From there on, layer by layer, units carry fewer bits of the digits, until each carries hardly
more than one: the three XORs are computed separately. Small images replace MNIST; the argument `14` or `28` selects MNIST of that size,
from the folder that SCULPTING_DATA names or by download.
"""

import sys

from analysis import bit_shares, consensus
from sculpting import sculpt, tasks

images = {"size": int(sys.argv[1])} if sys.argv[1:] else {"source": "digits", "size": 4, "pairs": 5000}
task = tasks.mnist_xor(**images)
columns = task.image[1]

model = task.model(width=max(32, task.x.shape[1] // 4), hidden_layers=4, activation="clipped_relu")
quick = {"steps": 300, "min_accuracy": 0.92, "unit_steps": [0.5], "edge_steps": [0.05]}
result = sculpt(model, task, seeds=1, **quick, progress=False)
found = consensus(result.candidates, merge_threshold=0.6)
print(f"right bits: {found.network.accuracy:.1%}, of the dense network {result.dense[0].accuracy:.1%}; {found.network.edge_count} edges")

for module in found.modules:
    left = sum(pixel % columns < columns // 2 for pixel in module.inputs)
    right = len(module.inputs) - left
    print(f"M{module.index}: {left} pixels left, {right} right, {len(module.outputs)} outputs, {len(module.units)} units")

values, alive = found.graph.unit_values(task.x_test.numpy()), found.graph.alive()
for layer in range(1, 5):
    shares = bit_shares(values[layer][:, alive[layer]], task.labels_test.numpy()).max(axis=1)
    print(f"layer {layer}: one bit has {shares.min():.2f} to {shares.max():.2f} of what a unit carries, {shares.mean():.2f} in the mean")
found.draw("runs/digit_xor.svg", image=task.image)
