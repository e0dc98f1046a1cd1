"""Settings of ``narrow_language``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ...options import check_choice, check_counts
from ...randomness import check_seed
from .scores.scoring import SCORES
from .scores.selection import SCOPES, check_fraction
from .training.lasso import LassoPenalty
from .training.settings import LanguageTraining

__all__ = ["METHODS", "LanguageSettings"]

# Methods that prune the model, with their score.
PRUNING = {
    "attribution": "first_order", "absolute-gradient": "absolute_gradient", "activation-gradient": "activation_gradient",
    "norm": "norm", "ablation": "ablation", "random": "random", "group-lasso": "norm",
}  # fmt: skip
METHODS = (*PRUNING, "distill", "scratch")


@dataclass(frozen=True)
class LanguageSettings:
    """How a language model is narrowed.

    Attributes
    ----------
    method : str
        ``"attribution"`` (first order), ``"absolute-gradient"``, ``"activation-gradient"``, ``"norm"``, ``"ablation"`` or ``"random"``:
        prune by that score, then train what is left. ``"group-lasso"``: train with the penalty first, then prune by the norm.
        ``"distill"``, ``"scratch"``: train a fresh model of the same size, from the model's outputs and the text, or from the text alone.
    sparsity, residual, heads : float in [0, 1)
        The fractions of MLP neurons, residual dimensions and key-value heads to remove. Heads are no choice of fresh models.
    scope : {"global", "layer"}
        Whether neurons of all layers are ranked together, or each layer loses the same fraction.
    rounds : int
        In how many rounds to prune, with new scores and a share of the training after each.
    uneven : bool
        Whether each MLP keeps its own width; see :func:`removed_groups`.
    scored_tokens : int
        Tokens of the training text on which groups are scored; rounded up to whole windows.
    training : LanguageTraining
        Of recovery, distillation or training from scratch. Its ``tokens`` are the budget, which all rounds share.
    recover : bool
        Whether to train after pruning. Fresh models are always trained.
    lasso : LassoPenalty
        Of ``"group-lasso"``.
    lasso_tokens : int, optional
        How long the group lasso trains before anything is removed; as long as the training after it when left out.
    revival_tokens : int
        Training on the text to forget at the end, from copies of the narrow model and of the control: what an adversary brings back.
    control : bool
        Whether to train the whole model on the same text for as long, without pruning or penalty. Most of the forgetting that a narrow
        model shows is that of this training.
    length : int
        Tokens of a window, at least 2; those of domains that are given as windows.
    held_out : int
        The most windows for validation, and for testing.
    limit : int, optional
        The most documents of each domain.
    sparsities : tuple of float
        Where the curve of loss against sparsity is measured before training.
    seed : int
        Of the split, the order of the text, random scores and fresh weights.
    """

    method: str = "attribution"
    sparsity: float = 0.5
    residual: float = 0.0
    heads: float = 0.0
    scope: str = "global"
    rounds: int = 1
    uneven: bool = False
    scored_tokens: int = 8192
    training: LanguageTraining = field(default_factory=LanguageTraining)
    recover: bool = True
    lasso: LassoPenalty = LassoPenalty(1.0)  # noqa: RUF009
    lasso_tokens: int | None = None
    revival_tokens: int = 0
    control: bool = False
    length: int = 512
    held_out: int = 32
    limit: int | None = None
    sparsities: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8)
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("method", self.method, METHODS)
        check_choice("scope", self.scope, SCOPES)
        for name in ("sparsity", "residual", "heads"):
            check_fraction(name, getattr(self, name))
        if isinstance(self.sparsities, (str, int, float)):
            raise ValueError(f"sparsities must be a sequence of fractions in [0, 1); got {self.sparsities!r}")
        for value in self.sparsities:
            check_fraction("sparsities", value)
        optional = {name: value for name in ("limit", "lasso_tokens") if (value := getattr(self, name)) is not None}
        check_counts(rounds=self.rounds, scored_tokens=self.scored_tokens, held_out=self.held_out, **optional)
        if not isinstance(self.revival_tokens, int) or self.revival_tokens < 0:
            raise ValueError(f"revival_tokens must be a whole number, 0 for no revival; got {self.revival_tokens!r}")
        if not isinstance(self.length, int) or self.length < 2:
            raise ValueError(f"length must be a whole number of at least 2 tokens; got {self.length!r}")
        check_seed(self.seed)
        self._check_types()
        if self.method not in PRUNING and (self.heads or self.uneven or self.rounds > 1):
            raise ValueError(
                f"heads must be 0, uneven False and rounds 1 for method {self.method!r}, whose models are fresh; "
                f"got {self.heads:g}, {self.uneven} and {self.rounds}"
            )
        if self.method == "activation-gradient" and self.residual:
            raise ValueError("activation-gradient is not defined for residual dimensions; take residual=0 or method 'attribution'")
        if self.control and not self.trained_tokens:
            raise ValueError("control must be False where nothing is trained; got True with recover=False")

    def _check_types(self) -> None:
        for name, kind in {"training": LanguageTraining, "lasso": LassoPenalty}.items():
            if not isinstance(getattr(self, name), kind):
                raise TypeError(f"{name} must be a {kind.__name__}; got {getattr(self, name)!r}")

    @property
    def penalised_tokens(self) -> int:
        """The tokens under the group lasso."""
        return self.training.tokens if self.lasso_tokens is None else self.lasso_tokens

    @property
    def trained_tokens(self) -> int:
        """The budget of all training before a revival."""
        after = self.training.tokens if self.recover or self.score is None else 0
        return after + (self.penalised_tokens if self.method == "group-lasso" else 0)

    @property
    def score(self) -> str | None:
        """That of a method that prunes, None for fresh models."""
        found = PRUNING.get(self.method)
        assert found is None or found in SCORES
        return found

    def plain(self) -> dict[str, Any]:
        """The settings as plain values."""
        return asdict(self)
