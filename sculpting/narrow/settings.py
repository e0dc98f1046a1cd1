"""The settings of ``narrow``: how networks are made small, and how they are trained."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real

from ..checks import check_amounts, check_choice, check_counts, check_flags, shown
from .distillation import check_mixing
from .lasso import Lasso
from .learning import check_target
from .prune import check_scope

__all__ = ["METHODS", "SCORES", "NarrowSettings"]

# The methods that prune, and the score of ``NarrowEngine`` by which they do.
SCORES = {
    "group-lasso": "ablation",
    "first-order": "first_order",
    "activation-gradient": "activation_gradient",
    "ablation": "ablation",
    "random": "random",
}
METHODS = (*SCORES, "distill", "scratch")
LASSO = Lasso(1.5)


@dataclass(frozen=True)
class NarrowSettings:
    """How ``narrow`` makes networks small and trains them.

    Attributes
    ----------
    method : {"group-lasso", "first-order", "activation-gradient", "ablation", "random", "distill", "scratch"}
        The first five prune the model's units in one shot, those of the lowest scores, and train what is left: by ablation scores after
        training under a group lasso, whose dead units go first; by first-order attribution; by activation x gradient attribution; by
        ablation scores; at random. The last two train smaller networks from PyTorch's usual initial weights: on the targets and the
        model's outputs, or on the targets alone. Of a module that is no chain there are no smaller ones in general: they train the module
        from fresh weights, drawn at its own widths, without the last units of each layer, in proportion to the layers.
    scope : {"global", "layer"}
        Where the lowest scores are sought; see :func:`~sculpting.narrow.prune.lowest`.
    target : float in (0, 1], optional
        Accuracy on the validation rows of ``keep`` at which training of the small networks ends; see ``learn``. Without one, all steps are
        made.
    steps : int
        Of the group lasso, or of training by ``"distill"`` and ``"scratch"``.
    recovery_steps, revival_steps : int
        Of training after pruning, and of the adversary's training on ``forget``; 0 for none.
    batch_size, learning_rate, check_every, input_noise, max_members
        Of every training; see ``learn``. ``input_noise`` is the standard deviation of the noise that is added to the inputs;
        for modules that are no chain, on data that are no ``Task``, in units of that of the inputs.
    scored_rows : int, optional
        Score units on so many rows, the first training rows of ``keep``, and count them as examples (none for ``"random"``). Otherwise
        units are scored on the validation rows, which are not counted.
    lasso : Lasso
        Of the group lasso.
    capture_sizes : bool
        Under the group lasso, take each size at the first check at which so few units are alive, without pruning by scores: one run gives
        all sizes. A size that is not met within ``steps`` is taken at the end, and has not ``reached`` its target.
    temperature, mixing : float
        Of distillation; see ``distillation_loss``. Published: 20 and 0.9 for digits, 2 and 0.5 for language models.

    Raises
    ------
    TypeError, ValueError
        When a value does not fit.
    """

    method: str = "group-lasso"
    scope: str = "global"
    target: float | None = None
    steps: int = 3000
    recovery_steps: int = 300
    revival_steps: int = 300
    batch_size: int = 500
    learning_rate: float = 1e-3
    check_every: int = 50
    input_noise: float = 0.0
    max_members: int | None = None
    scored_rows: int | None = None
    lasso: Lasso = LASSO
    capture_sizes: bool = False
    temperature: float = 5.0
    mixing: float = 0.9

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        optional = {name: getattr(self, name) for name in ("max_members", "scored_rows")}
        stages = {name: getattr(self, name) for name in ("recovery_steps", "revival_steps")}
        stages = {name: None if isinstance(steps, int) and steps == 0 else steps for name, steps in stages.items()}
        counts = {name: count for name, count in (optional | stages).items() if count is not None}
        check_counts(steps=self.steps, batch_size=self.batch_size, check_every=self.check_every, **counts)
        check_amounts(input_noise=self.input_noise)
        if not isinstance(self.lasso, Lasso):
            raise TypeError(f"lasso must be a Lasso, such as Lasso(1.0); got {type(self.lasso).__name__}")
        check_flags(capture_sizes=self.capture_sizes)
        check_mixing(self.mixing, self.temperature)
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, Real) or not 0 < rate < math.inf:
            raise ValueError(f"learning_rate must be one positive number; got {shown(rate)}")
        check_scope(self.scope)
        check_target(self.target)

    @property
    def prunes(self) -> bool:
        """Whether the small networks are pruned from the model, not trained from initial weights."""
        return self.method in SCORES
