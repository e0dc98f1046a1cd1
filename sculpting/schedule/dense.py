"""Dense networks: trained until they are accurate enough, with a second start where they are not, or for as long as they gain.

N = members.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..engine import M
from .chains import ChainName, ChainState, Proposal
from .rounds import Rounds

__all__ = ["dense_networks"]

PATIENCE = 3  # rounds without a gain
STAGES = (0.0, 0.5, 1.0)  # of a second start: fractions of the usual noise
STAGE_ROUNDS = 2  # rounds of a stage at most, as a multiple of those of the first start


def dense_networks(rounds: Rounds[M], members: M, names: list[ChainName], most: int, *, trained: bool, restart: bool) -> ChainState[M]:
    """The dense networks: unchanged when they are trained already, otherwise after as many rounds as needed.

    A member is trained until it is accepted, for ``most`` rounds at most. With ``restart`` those that were not accepted start again from
    the same weights, at the learning rates in the second half of ``rounds.rates``: without noise, then with half of it, then with all of
    it; in one stage where there is none. Each stage lasts until they are accepted again, for twice ``most`` rounds at most. Deep networks
    learn many functions only so: at the usual learning rate, which suits pruned networks, or under noise their accuracy stays that of a
    constant.

    Where ``min_accuracy`` is not known yet, a member is trained until three rounds in a row have neither raised its accuracy nor lowered
    its loss at the same accuracy; it is then returned at its best round.
    """
    first = Proposal.unpruned(members, names, "dense")
    if trained:
        return rounds.given(first)
    state = rounds.attempt([first])[0]
    if not rounds.criterion.known:
        return _while_it_gains(rounds, state, most)
    state = _until_accepted(rounds, state, range(1, most))
    return _started_again(rounds, first, state, most) if restart and not bool(state.accepted.all()) else state


def _until_accepted(rounds: Rounds[M], state: ChainState[M], numbers: range, noise: float = 1.0) -> ChainState[M]:
    for number in numbers:
        below = torch.nonzero(~state.accepted).flatten()
        if not len(below):
            break
        state = state.replaced(below, _further(rounds, state.select(below), number, noise))
    return state


def _started_again(rounds: Rounds[M], first: Proposal[M], state: ChainState[M], most: int) -> ChainState[M]:
    """The members, those that were not accepted after a second start; each as it was after the last stage that it passed."""
    below = torch.nonzero(~state.accepted).flatten()
    slower = len(rounds.rates) // 2
    names = [state.names[i]._replace(rate=state.names[i].rate + slower) for i in below.tolist()]
    going, number = replace(state.select(below), members=first.members.select(below), names=names), most
    for noise in STAGES if rounds.noisy else STAGES[-1:]:
        unproven = replace(going, accepted=torch.zeros_like(going.accepted))
        trained = _until_accepted(rounds, unproven, range(number, number + STAGE_ROUNDS * most), noise)
        passed = torch.nonzero(trained.accepted).flatten()
        going, below, number = trained.select(passed), below[passed], number + STAGE_ROUNDS * most
        state = state.replaced(below, going)
    return state


def _while_it_gains(rounds: Rounds[M], state: ChainState[M], most: int) -> ChainState[M]:
    best, top = state, rounds.engine.evaluate(state.members)
    misses = torch.zeros(len(state), dtype=torch.int64)
    for number in range(1, most):
        going = torch.nonzero(misses < PATIENCE).flatten()
        if not len(going):
            break
        state = state.replaced(going, _further(rounds, state.select(going), number))
        evaluation = rounds.engine.evaluate(state.members)
        better = evaluation.better_than(top)
        top = top.updated(better, evaluation)
        gained = torch.nonzero(better.cpu()).flatten()
        best = best.replaced(gained, state.select(gained))
        misses[going] += 1
        misses[gained] = 0
    return best


def _further(rounds: Rounds[M], state: ChainState[M], number: int, noise: float = 1.0) -> ChainState[M]:
    return rounds.attempt([Proposal.unpruned(state.members, state.names, "dense", number)], noise)[0]
