"""Sculpt networks of two parities of two bits each, alone and with their sum, among two bits that do not matter.

Alone, the parities end in two modules that share nothing. With their sum, the inputs are still in two groups, but the modules above them
are not those of the task, as there are few chains here. Either way the two bits that do not matter have no edge left.
"""

from pathlib import Path

from matplotlib.figure import Figure

from analysis import compare, consensus
from sculpting import sculpt, tasks

figure = Figure(figsize=(11, 5), layout="constrained")
for ax, codes in zip(figure.subplots(1, 2), ([[0], [1]], [[0], [1], [0, 1]]), strict=True):
    task = tasks.cmsp(m=2, k=2, n=6, codes=codes, outputs="each")
    result = sculpt(task.model(width=24, hidden_layers=2), task, seeds=2, unit_steps=[0.5], edge_steps=[0.02], progress=False)
    found = consensus(result.candidates)
    comparison = compare(found, task.truth(hidden_layers=2))
    groups = [" ".join(task.input_names[i] for i in module.inputs) for module in found.modules if module.inputs]
    left_out = [name for name, label in zip(task.input_names, found.labels[0], strict=True) if label < 0]
    found.draw(ax=ax)
    ax.set_title(f"outputs {', '.join(task.output_names)}: {found.network.edge_count} edges")
    print(
        f"outputs {', '.join(task.output_names)}: inputs in groups {' | '.join(groups)}, left out {', '.join(left_out) or 'none'}; "
        f"modules {'' if comparison.exact else 'not '}those of the task, {'a' if comparison.valid else 'no'} valid decomposition"
    )

Path("runs").mkdir(exist_ok=True)
figure.savefig("runs/parities.svg")
