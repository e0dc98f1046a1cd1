"""Sculpt networks that name two digits side by side, and see the image split in two.

Nothing in the data says that the image has two halves, and yet no module of the sculpted network reads pixels of both digits. Small
images replace MNIST; the argument `14` or `28` selects MNIST of that size, from the folder that SCULPTING_DATA names or by download.
"""

import sys

from analysis import consensus
from sculpting import sculpt, tasks

images = {"size": int(sys.argv[1])} if sys.argv[1:] else {"source": "digits", "size": 4, "pairs": 5000}
task = tasks.mnist_pair(**images)
inputs, columns = task.x.shape[1], task.image[1]

model = task.model(width=inputs // 2, hidden_layers=2, activation="clipped_relu")
result = sculpt(model, task, seeds=2, tolerance=0.02, unit_steps=[0.5], edge_steps=[0.025], progress=False)
found = consensus(result.candidates, merge_threshold=0.6)
sides = [{"left" if pixel % columns < columns // 2 else "right" for pixel in module.inputs} for module in found.modules]

dense = result.dense[found.network.origin["seed"]]
print(f"left: {found.network.density:.1%} of the edges, {found.network.unit_counts[0]} of {inputs} pixels")
print(f"right bits: {found.network.accuracy:.1%}, of the dense network {dense.accuracy:.1%}")
for module, side in zip(found.modules, sides, strict=True):
    print(f"M{module.index}: {len(module.inputs)} pixels {' and '.join(sorted(side)) or 'none'}, {len(module.outputs)} outputs")
print(f"{sum(len(side) == 2 for side in sides)} of {len(sides)} modules have pixels of both digits")
found.draw("runs/two_digits.svg", image=task.image)
