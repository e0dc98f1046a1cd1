"""Narrow a network of three parities to the sum of two of them, sculpt what group lasso leaves, and see which inputs go.

Narrowed to the code 0+1, the network has fewer units and no longer computes parity 2, but its first units still read all nine inputs.
Sculpted for that code, it keeps the four bits of the code in one module. No edge is left from the bits of parity 2, nor from the control
bits, which never change.
"""

from pathlib import Path

from matplotlib.figure import Figure

from analysis import compare, consensus
from sculpting import sculpt, tasks
from sculpting.narrow import narrow

broad, keep, forget = (tasks.cmsp(m=3, k=2, codes=codes) for codes in ([[0], [1], [2], [0, 1]], [[0, 1]], [[2]]))
settings = {"seeds": 2, "progress": False}
whole = sculpt(broad.model(width=32, hidden_layers=2, activation="relu"), broad, **settings)

narrowed = narrow(whole.dense[0], keep, forget, method="group-lasso", batch_size=64)
left = f"{narrowed.units} of 64 hidden units, which read {narrowed.network.unit_counts[0]} of 9 inputs"
print(f"narrowed: {left}; right {narrowed.accuracy_keep:.0%} of what to keep, {narrowed.accuracy_forget:.0%} of what to forget")
part = sculpt(narrowed.network.model(), keep, initial="model", **settings)

figure = Figure(figsize=(11, 5), layout="constrained")
for ax, name, result, task in zip(figure.subplots(1, 2), ("all", "narrowed"), (whole, part), (broad, keep), strict=True):
    found = consensus(result.candidates)
    exact = compare(found, task.truth(hidden_layers=2)).exact
    left_out = [name for name, label in zip(task.input_names, found.labels[0], strict=True) if label < 0]
    found.draw(ax=ax)
    ax.set_title(f"{name}: {found.network.edge_count} edges")
    print(f"{name}, sculpted: left out {', '.join(left_out) or 'none'}; modules {'' if exact else 'not '}those of the task")

Path("runs").mkdir(exist_ok=True)
figure.savefig("runs/narrowed_parities.svg")
