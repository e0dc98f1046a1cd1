"""Repeat the published Boolean study, every task with the same setting, by two rules: consensus, and the sparsest candidate, as published.

Two tasks are enough to see that the sparsest network of `[4,1,4]` is often not the single module of the task, and the consensus is.
With the argument `all` it is the whole study, the same as `sculpting study boolean`. That takes hours; started again, it goes on where it
was stopped.
"""

import sys

from analysis import Rate, success_bars
from sculpting import run
from sculpting.studies import boolean

whole = "all" in sys.argv[1:]
folder, tasks, groups = ("runs/study-boolean", None, 4) if whole else ("runs/paper_study", ["both", "none"], 1)
rows = run(boolean.study(tasks=tasks, groups=groups), folder)

rates = {}
for task in dict.fromkeys(row["task"] for row in rows):
    for rule in ("consensus", "sparsest"):
        right = [row["modules_right"] for row in rows if (row["task"], row["rule"], row["seeds"]) == (task, rule, 4)]
        rates.setdefault(task, {})[rule] = Rate(sum(right), len(right))
    print(f"{task}: modules right by consensus {rates[task]['consensus']}, by the sparsest candidate {rates[task]['sparsest']}")

print(f"every task, width and depth: {folder}/summary.md")
success_bars(rates, title="Modules right in all widths and depths").figure.savefig("runs/paper_study.svg")
