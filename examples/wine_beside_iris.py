"""Two data sets in one network: does sculpting find that they have nothing to do with each other?

Every row is a wine beside an iris, drawn at random; nothing says which columns belong together. The sculpted network falls into parts
that answer for the wine from its chemistry, and for the iris from its petals and sepals, and no path leads from one to the other.
"""

from analysis import compare, consensus, path_products
from sculpting import sculpt, tasks

task = tasks.side_by_side("wine", "iris")
result = sculpt(task.model(width=24, hidden_layers=2), task, seeds=4, progress=False)
found = consensus(result.candidates)
truth = task.truth(hidden_layers=2)

print(f"{found.network.edge_count} edges are left, {found.network.density:.1%} of all")
print(f"right bits of test rows: {result.tested(found.network)}")
print(f"of the dense networks: {result.dense_test_accuracy}")

wine, iris = (truth.nodes[node] for node in truth)
paths = path_products(found.network) > 0
crossing = paths[list(wine["inputs"])][:, list(iris["outputs"])].sum() + paths[list(iris["inputs"])][:, list(wine["outputs"])].sum()
print(f"{crossing} paths between wine and iris")
print(compare(found, truth))
found.draw("runs/wine_iris.svg", title="Wine beside iris")
