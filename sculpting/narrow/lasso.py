"""Group lasso: a penalty on the norm of every group, which removes units that the task does not need.

N = members, H = units of one member that can be removed, P = parameters of a member. A population is a ``Population`` of chains of
Linear layers or a ``ModulePopulation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..checks import is_real, shown
from ..engine import Hooks
from .engines import engine_of

__all__ = ["Lasso"]

M = TypeVar("M")
STEPS = ("proximal", "subgradient")
TINY = 1e-30  # far below every norm that matters, so that nothing is divided by 0


@dataclass(frozen=True)
class Lasso:
    """The penalty ``strength * sum over units of weight * norm``, and how a training round applies it.

    Attributes
    ----------
    strength : float
        Positive. What it does depends on ``step``: see the notes.
    step : {"proximal", "subgradient"}
        ``"proximal"``: after each step of Adam on the loss alone, every group is multiplied by
        ``max(0, 1 - rate * strength * weight / norm)``, with the learning rate of the step; groups that are not needed become exactly 0.
        ``"subgradient"``, as published: ``strength * weight * w / norm``, 0 where the norm is 0, is added to the gradient before Adam;
        groups come as close to 0 as a step is long, and never reach it.
    bias : bool
        Whether the bias of a unit belongs to its group. Without it, biases are not shrunk.
    normalised : bool
        Whether the weight of a group is the root of how many live parameters it has (Yuan and Lin, 2006), and not 1.
    threshold : float
        A group is dead when its norm is at most this. 0 suits a proximal step; after a subgradient step no norm is exactly 0
        (published: 0.05, for digits).

    Raises
    ------
    ValueError
        When the strength is not positive, the step not known, or the threshold negative.

    Notes
    -----
    Useful strengths of the two steps differ by orders of magnitude. Adam divides a gradient by its recent size. So the subgradient takes
    about a learning rate at every step from each weight of a group that the loss does not depend on, however weak the penalty is;
    otherwise penalty and loss compete. A proximal step takes ``strength`` times the learning rate from the norm of every group. A group
    that is needed grows back by what Adam adds, at most about the learning rate times the root of its size.

    The published 1e-3 is far too weak for a proximal step. Strengths of 1 to 2 work when steps times learning rate equal the norms that
    groups start with; far stronger ones remove groups that are needed too.

    The proximal step is exact for disjoint groups, as those of one hidden layer are. A weight between two hidden units belongs to two
    groups. Hidden layers are shrunk one after the other, from the inputs on, each by its norms after the layer before was shrunk. This is
    the proximal step of each layer's penalty in turn, and that of their sum up to terms of second order in ``rate * strength``.

    The same holds for a module that is no chain, whose groups are all elements that read or write a unit: layers of units are shrunk in
    the order of the map, each by its norms after those before were shrunk. Where an element belongs to two units of one layer, as in a
    matrix from a residual stream to itself, it is multiplied by the factors of both, which is again exact up to second order. An element
    that is used twice with the same unit belongs to its group once. Parameters that do not train count in norms, and are not shrunk.

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025: the subgradient, with biases for parities and without
    them for digits; their code has no rule for a norm of 0. Yuan and Lin, "Model selection and estimation in regression with grouped
    variables", 2006. Parikh and Boyd, "Proximal algorithms", 2014, section 6.5.4: the proximal step.

    Examples
    --------
    >>> from ..mlp.population import Population, Shape
    >>> shape = Shape((1, 1, 1), ("relu", "identity"))
    >>> population = Population.of(shape, torch.tensor([[2.0, 3.0, 6.0, 9.0]]))  # in, bias, out, and a bias of the output
    >>> Lasso(1.5).penalty(population), Lasso(1.5, bias=False).penalty(population)
    (tensor([7.]), tensor([6.3246]))
    >>> Lasso(3.5).shrink(population, 1.0)
    >>> population.values
    tensor([[1.0000, 1.5000, 3.0000, 9.0000]])
    """

    strength: float
    step: str = "proximal"
    bias: bool = True
    normalised: bool = False
    threshold: float = 0.0

    def __post_init__(self) -> None:
        if not is_real(self.strength) or not 0 < self.strength < float("inf"):
            raise ValueError(f"strength must be a positive number; got {shown(self.strength)}")
        if not isinstance(self.step, str) or self.step not in STEPS:
            raise ValueError(f"step must be one of {list(STEPS)}; got {shown(self.step)}")
        if not is_real(self.threshold) or not 0 <= self.threshold < float("inf"):
            raise ValueError(f"threshold must be a norm, at least 0; got {shown(self.threshold)}")

    def norms(self, population: Any) -> Tensor:
        """The norm of every group, ``(N, H)``; 0 for a dead unit."""
        return engine_of(population).norms(population, self.bias)

    def penalty(self, population: Any) -> Tensor:
        """The sum over groups of weight x norm, ``(N,)``, which the strength is to multiply."""
        return (self._weights(population) * self.norms(population)).sum(dim=1)

    @property
    def hooks(self) -> Hooks:
        """What puts the penalty into a training round."""
        return Hooks(after_step=self.shrink) if self.step == "proximal" else Hooks(before_step=self.add_slope)

    def add_slope(self, population: Any, gradient: Tensor) -> None:
        """Add the slope of the penalty, 0 for a group that is 0, to a gradient ``(N, P)``, in place."""
        shares = torch.zeros_like(population.values)
        per_group = self.strength * self._weights(population) / self.norms(population).clamp(min=TINY)
        engine_of(population).add_to_groups(population, shares, per_group, self.bias)
        gradient.addcmul_(shares, population.values)

    def shrink(self, population: Any, rate: float) -> None:
        """The proximal step at a learning rate, in place."""
        for layer in engine_of(population).group_layers(population, self.bias):
            weights = layer.sizes().sqrt() if self.normalised else 1.0
            layer.multiply((1 - rate * self.strength * weights / layer.norms().clamp(min=TINY)).clamp(min=0))

    def dead(self, population: Any) -> Tensor:
        """Which groups have a norm of at most the threshold: bool ``(N, H)``."""
        return self.norms(population) <= self.threshold

    def without_dead(self, population: M) -> M:
        """The population with its dead groups zeroed and masked, so that later training leaves them out."""
        found: M = engine_of(population).without_units(population, self.dead(population))
        return found

    def _weights(self, population: Any) -> Tensor | float:
        return engine_of(population).sizes(population, self.bias).sqrt() if self.normalised else 1.0
