"""Two sums in one transformer: does sculpting find that its heads and neurons have nothing to do with each other?

Every row is `a1 a2 b1 b2 =`, and the transformer answers a1 + a2 and b1 + b2, modulo 5. Of 8,512 weights about a hundred are left, and
from the heads upward they are two networks: no head, no neuron and no dimension of the stream after the attention serves both sums.
"""

import numpy as np

from analysis import detect_modules
from sculpting import sculpt, tasks

task = tasks.two_sums(p=5)
result = sculpt(task.model(), task, seeds=1, progress=False)
network = result.network
hierarchy = detect_modules(network)
graph = hierarchy.graph

print(f"{network.edge_count} edges are left, {network.density:.1%} of all; accuracy {network.accuracy}")


def leads(outputs: range) -> list[np.ndarray]:
    """For each layer, which units lead to these outputs."""
    found = [np.zeros(width, dtype=bool) for width in graph.widths]
    found[-1][outputs] = True
    for block in reversed(graph.blocks):
        found[block.source] |= (block.weights != 0) @ found[block.target]
    return [a & b for a, b in zip(found, graph.alive(), strict=True)]


for layer, first, second in zip(graph.layers, leads(range(5)), leads(range(5, 10)), strict=True):
    both = int((first & second).sum())
    print(f"{layer.name:28} {int(first.sum()):3} units for a1 + a2, {int(second.sum()):3} for b1 + b2, {both} for both")
hierarchy.draw("runs/two_sums.svg", title="Two sums in one transformer")
