"""Draw the structure that is found in each of the paper's four exemplar tasks, in one figure.

Two disjoint XORs give two modules. Three reused ANDs give three modules below three outputs. Three ANDs reused by sixteen outputs
give one module below two. One function of all inputs gives one module.
"""

from pathlib import Path

from matplotlib.figure import Figure

from analysis import compare, consensus
from sculpting import sculpt, tasks

figure = Figure(figsize=(12, 10), layout="constrained")
for ax, name in zip(figure.subplots(2, 2).flat, tasks.EXEMPLARS, strict=True):
    task = tasks.boolean(name)
    result = sculpt(task.model(width=24, hidden_layers=2), task)
    found = consensus(result.candidates)
    exact = compare(found, task.truth(hidden_layers=2)).exact
    found.draw(ax=ax)
    ax.set_title(f"{name} {task.name}: {found.network.edge_count} edges, support {found.support:.2f}")
    print(f"{name}: modules {'exactly' if exact else 'not'} those of the task ({len(found.modules)}), support {found.support:.2f}")

Path("runs").mkdir(exist_ok=True)
figure.savefig("runs/boolean_tasks.svg")
