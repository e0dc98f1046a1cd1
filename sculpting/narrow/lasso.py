"""Group lasso: a penalty on the norm of every group, which removes units that the task does not need.

N = members, H = hidden units of one member, P = parameters of a member, n_l = width of layer l.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..mlp.population import Population
from ..mlp.training import Hooks
from ..models.shape import Shape
from .groups import group_sums, without_groups

__all__ = ["Lasso"]

STEPS = ("proximal", "subgradient")
TINY = 1e-30  # far below every norm that matters, so that nothing is divided by 0


@dataclass(frozen=True)
class Lasso:
    """The penalty ``strength * sum over hidden units of weight * norm``, and how a training round applies it.

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

    References
    ----------
    Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025: the subgradient, with biases for parities and without
    them for digits; their code has no rule for a norm of 0. Yuan and Lin, "Model selection and estimation in regression with grouped
    variables", 2006. Parikh and Boyd, "Proximal algorithms", 2014, section 6.5.4: the proximal step.

    Examples
    --------
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
        if not 0 < self.strength < float("inf"):
            raise ValueError(f"strength must be a positive number; got {self.strength}")
        if self.step not in STEPS:
            raise ValueError(f"step must be one of {list(STEPS)}; got {self.step!r}")
        if not 0 <= self.threshold < float("inf"):
            raise ValueError(f"threshold must be a norm, at least 0; got {self.threshold}")

    def norms(self, population: Population) -> Tensor:
        """The norm of every group, ``(N, H)``; 0 for a dead unit."""
        return self._sums(population.shape, population.values.square()).sqrt()

    def penalty(self, population: Population) -> Tensor:
        """The sum over groups of weight x norm, ``(N,)``, which the strength is to multiply."""
        return (self._weights(population.shape, population.mask) * self.norms(population)).sum(dim=1)

    @property
    def hooks(self) -> Hooks:
        """What puts the penalty into a training round."""
        return Hooks(after_step=self.shrink) if self.step == "proximal" else Hooks(before_step=self.add_slope)

    def add_slope(self, population: Population, gradient: Tensor) -> None:
        """Add the slope of the penalty, 0 for a group that is 0, to a gradient ``(N, P)``, in place."""
        shape, shares = population.shape, torch.zeros_like(population.values)
        per_group = self.strength * self._weights(shape, population.mask) / self.norms(population).clamp(min=TINY)
        weights, biases = shape.weights(shares), shape.biases(shares)
        for layer, part in enumerate(per_group.split(shape.widths[1:-1], dim=1)):
            weights[layer] += part.unsqueeze(2)
            biases[layer] += part * self.bias
            weights[layer + 1] += part.unsqueeze(1)
        gradient.addcmul_(shares, population.values)

    def shrink(self, population: Population, rate: float) -> None:
        """The proximal step at a learning rate, in place."""
        for shape, values, mask in _layers(population):
            norms = self._sums(shape, values.square()).sqrt()
            kept = (1 - rate * self.strength * self._weights(shape, mask) / norms.clamp(min=TINY)).clamp(min=0)
            into, out = shape.weights(values)
            into *= kept.unsqueeze(2)
            out *= kept.unsqueeze(1)
            if self.bias:
                shape.biases(values)[0].mul_(kept)

    def dead(self, population: Population) -> Tensor:
        """Which groups have a norm of at most the threshold: bool ``(N, H)``."""
        return self.norms(population) <= self.threshold

    def without_dead(self, population: Population) -> Population:
        """The population with its dead groups zeroed and masked, so that later training leaves them out."""
        return without_groups(population, self.dead(population))

    def _sums(self, shape: Shape, flat: Tensor) -> Tensor:
        """Sums over groups of ``flat``, which is spent."""
        if not self.bias:
            for bias in shape.biases(flat):
                bias.zero_()
        return group_sums(shape, flat)

    def _weights(self, shape: Shape, mask: Tensor) -> Tensor | float:
        return self._sums(shape, mask.clone()).sqrt() if self.normalised else 1.0


def _layers(population: Population) -> Iterator[tuple[Shape, Tensor, Tensor]]:
    """Each hidden layer alone: its shape, and views of its values and masks on either side; within it no two groups overlap."""
    shape = population.shape
    for layer in range(len(shape.widths) - 2):
        columns = slice(shape.starts[layer], shape.starts[layer + 2])
        part = Shape(shape.widths[layer : layer + 3], shape.activations[layer : layer + 2])
        yield part, population.values[:, columns], population.mask[:, columns]
