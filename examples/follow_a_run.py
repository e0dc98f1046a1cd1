"""Follow a run while it is going on, in TensorBoard or by hand.

After every training round a callback writes the smallest density that was accepted, the share of attempts that were, and the seconds.
Pruning units leaves 4 % of the edges, pruning edges half of these; in both phases about a third of the attempts are accepted.
"""

from pathlib import Path

from matplotlib.figure import Figure

from sculpting import RoundEvent, sculpt, tasks

try:
    from torch.utils.tensorboard import SummaryWriter
except ImportError:
    print("TensorBoard is not installed, so nothing is written for it. Install it: pip install tensorboard")
    writer = None
else:
    writer = SummaryWriter("runs/tensorboard")

rows: dict[str, list[tuple[int, float, float]]] = {}  # of each phase: round, smallest density accepted so far, share accepted


def follow(event: RoundEvent) -> None:
    for phase in {attempt.phase for attempt in event.attempts}:
        own = [attempt for attempt in event.attempts if attempt.phase == phase]
        before = rows.setdefault(phase, [])
        density = min([a.density for a in own if a.accepted] + [row[1] for row in before[-1:]], default=1.0)
        before.append((event.number, density, sum(a.accepted for a in own) / len(own)))
        if writer is not None:
            figures = {"density": density, "share accepted": before[-1][2], "seconds": sum(a.seconds for a in own)}
            for name, value in figures.items():
                writer.add_scalar(f"{name}/{phase}", value, event.number)
    if writer is not None:
        writer.add_scalar("chains ended", event.ended / event.chains, event.number)


task = tasks.boolean([6, 3, 3, 3])
result = sculpt(task.model(width=24, hidden_layers=2), task, seeds=1, progress=False, callback=follow)
if writer is not None:
    writer.close()
    print("Now: tensorboard --logdir runs/tensorboard")

for phase in ("units", "edges"):
    number, density, _ = rows[phase][-1]
    shares = [share for _, _, share in rows[phase]]
    print(f"{phase}: density {density:.3f} after round {number}, {sum(shares) / len(shares):.0%} of the attempts of a round accepted")

figure = Figure(figsize=(6, 3), layout="constrained")
axes = figure.add_subplot(xlabel="round", ylabel="smallest density accepted", yscale="log")
for phase, points in rows.items():
    axes.plot([row[0] for row in points], [row[1] for row in points], ".-", label=phase)
axes.legend()
Path("runs").mkdir(exist_ok=True)
figure.savefig("runs/follow_a_run.svg")
