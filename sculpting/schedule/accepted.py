"""The accepted attempts of a chain, and in which of them each of its edges went.

N = chains, E = edges of a member.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch

from ..engine import M
from .chains import ChainName, ChainState
from .history import Attempt, RoundRecord

__all__ = ["Accepted", "accepted_attempts", "attempts_of", "check_survived"]

Accepted = Mapping[tuple[str, ChainName], Sequence[Attempt]]
PRUNED = ("units", "retrain", "edges")


def accepted_attempts(rounds: Iterable[RoundRecord], min_accuracy: float) -> Accepted:
    """The accepted attempts of each phase and chain, in order; of the phase ``"dense"`` all, since pruning starts from any network."""
    found: dict[tuple[str, ChainName], list[Attempt]] = defaultdict(list)
    for record in rounds:
        for attempt in record.attempts(min_accuracy):
            if attempt.accepted or attempt.phase == "dense":
                found[attempt.phase, attempt.chain].append(attempt)
    return found


def attempts_of(name: ChainName, dense_accuracy: float, accepted: Accepted, phases: Sequence[str] = PRUNED) -> tuple[Attempt, ...]:
    """The dense network from which a chain started, accepted or not, and the accepted attempts after it.

    Of several dense rounds it is the last with the accuracy of the dense network.
    """
    dense = accepted["dense", name._replace(unit_step=None, edge_step=None)]
    first = next((attempt for attempt in reversed(dense) if attempt.accuracy == dense_accuracy), dense[-1])
    of_phase = {phase: name if phase == "edges" else name._replace(edge_step=None) for phase in phases}
    return (first, *(attempt for phase, own in of_phase.items() for attempt in accepted.get((phase, own), ())))


def check_survived(state: ChainState[M], attempts: Sequence[Sequence[Attempt]], total: Sequence[int]) -> None:
    """Refuse counts of survived networks that do not fit the chains and the densities of their ``attempts``; ``total`` edges each.

    Raises
    ------
    ValueError
        When an edge that is left did not survive all networks, or another number of edges went than the densities say.
    """
    if state.survived is None:
        return
    rows = zip(state.survived.cpu(), state.members.live_edges().cpu(), attempts, total, strict=True)
    for survived, alive, own, edges in rows:
        last = len(own)
        fits = bool((survived >= 0).all()) and torch.equal(survived == last, alive) and not bool((survived > last).any())
        if fits:
            gone = torch.bincount(survived.long(), minlength=last + 1)
            left = gone.flip(0).cumsum(0).flip(0)[1:]  # at position k: edges that survived more than k networks
            fits = left.tolist() == [round(attempt.density * edges) for attempt in own]
        if not fits:
            raise ValueError("the edges that its chains lost must be as many as its rounds say; got others")
