"""One training round for a population of modules.

N = members, S = rows, B = rows of a batch, k = outputs, P = parameters of a member.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from ..engine import NO_HOOKS, Evaluation, Hooks
from ..mlp.memory import NO_MEMORY, in_groups_that_fit, keep_freed
from ..randomness import fold
from ..settings import RoundSettings
from .architecture import Architecture
from .dropout import drawn
from .memory import members_that_fit, rows_at_once
from .population import ModulePopulation
from .rows import ModuleRows, batches

__all__ = ["evaluate", "gradient", "outputs", "rate_shares", "train"]

BETA1, BETA2 = 0.9, 0.999
DROPOUT = -1  # the purpose of its keys; those of the order of rows and of noise are 0 and 1


def outputs(members: ModulePopulation, x: tuple[Tensor, ...]) -> Tensor:
    """The outputs ``(N, k, S)`` in eval mode for rows ``x (S, ...)`` that members share."""
    architecture = members.architecture
    parts = zip(*(part.split(rows_at_once(architecture)) for part in x), strict=True)
    architecture.module.eval()
    with torch.no_grad():
        found = [architecture.run(members.parameters, members.buffers, part, shared=True)[0] for part in parts]
    return torch.cat(found, dim=1).transpose(1, 2)


def evaluate(members: ModulePopulation, rows: ModuleRows) -> Evaluation:
    """Accuracy and mean loss on the validation rows. Where the loss is NaN, the accuracy is NaN too."""
    z = outputs(members, rows.x_validation).contiguous()
    mean = rows.loss.mean(z, rows.y_validation)
    return Evaluation(rows.loss.accuracy(z, rows.y_validation).masked_fill_(mean.isnan(), torch.nan), mean)


def gradient(members: ModulePopulation, rows: ModuleRows) -> Tensor:
    """dLoss/dparameter of every member over the validation rows, in eval mode and before the mask: ``(N, P)``."""
    members.architecture.module.eval()
    with _recorded():
        x, y = rows.x_validation, rows.y_validation
        leaves, buffers = _leaves(members.architecture, members.values.clone()), _copies(members.buffers)
        z, _ = members.architecture.run(leaves, buffers, x, shared=True)
        return _backward(z, leaves, rows, y)


def rate_shares(members: ModulePopulation, rate_width: int | None) -> Tensor:
    """The fraction of the learning rate that each member gets: float64 ``(N,)``, on the CPU; see ``RoundSettings.rate_width``.

    The width is the largest number of live removable units in a layer.
    """
    units = members.architecture.units
    layers = [layer for layer in units.layers if layer.size and bool(units.removable[layer.first : layer.first + layer.size].any())]
    if rate_width is None or not layers:
        return torch.ones(len(members), dtype=torch.float64)
    alive = members.alive() & units.removable.to(members.device)
    widest = torch.stack([alive[:, layer.first : layer.first + layer.size].sum(dim=1) for layer in layers]).amax(dim=0).cpu().double()
    return 0.5 ** torch.log2(widest / rate_width).ceil().clamp(min=0)


def train(
    members: ModulePopulation,
    rows: ModuleRows,
    settings: RoundSettings,
    key: Tensor,
    learning_rate: Tensor | None = None,
    max_members: int | None = None,
    half: bool = False,
    hooks: Hooks = NO_HOOKS,
) -> tuple[ModulePopulation, Evaluation]:
    """Train one round with Adam. Returns the members at their best epoch, and their evaluation there.

    Parameters
    ----------
    members : ModulePopulation
        Where training starts; it is not changed.
    rows : ModuleRows
    settings : RoundSettings
        ``hidden_noise`` is not used: modules show no sums of hidden units.
    key : Tensor of shape (N, 2)
        Keys of the members' noise, data order and dropout.
    learning_rate : Tensor of shape (N,), optional
        One for each member, instead of ``settings.learning_rate``. Wide members get a fraction of it, see ``RoundSettings.rate_width``.
    max_members : int, optional
        Members that are trained at once, at most; as many as fit into half of the free memory when left out. The number is halved when
        memory runs out.
    half : bool
        Whether to compute in bfloat16 where torch's autocast does, on a GPU.
    hooks : Hooks
        Its gradient is that of the batch before the mask.

    Returns
    -------
    members : ModulePopulation
        Each at its own best epoch: highest accuracy, then lowest loss. One whose parameters are no longer finite there is as it was, with
        an accuracy of minus infinity.
    evaluation : Evaluation

    Notes
    -----
    Adam (Kingma and Ba, 2015, algorithm 1) starts every round with zero moments. The mask is applied to the gradient before the moments
    are updated, so pruned parameters stay exactly zero.
    """
    keep_freed()
    rates = rate_shares(members, settings.rate_width) * (settings.learning_rate if learning_rate is None else learning_rate.cpu())
    most = max_members or members_that_fit(len(members), members.architecture, rows, settings)
    groups = [part for rate in rates.unique() for part in torch.nonzero(rates == rate).flatten().split(most)]
    best, accuracy, loss = members, torch.empty(len(members), dtype=torch.float64), torch.empty(len(members), dtype=members.values.dtype)
    accuracy, loss = accuracy.to(members.device), loss.to(members.device)

    def of(group: Tensor) -> tuple[ModulePopulation, Evaluation]:
        return _train(members.select(group), rows, settings, float(rates[group[0]]), key, half, group, hooks)

    for group, (trained, evaluation) in in_groups_that_fit(of, groups, said=NO_MEMORY):
        best = best.replaced(group, trained)
        accuracy[group], loss[group] = evaluation.accuracy, evaluation.loss
    overflown = torch.nonzero(~best.values.isfinite().all(dim=1)).flatten()
    accuracy[overflown] = -torch.inf
    return best.replaced(overflown, members.select(overflown)), Evaluation(accuracy, loss)


def _train(
    members: ModulePopulation,
    rows: ModuleRows,
    settings: RoundSettings,
    rate: float,
    key: Tensor,
    half: bool,
    group: Tensor,
    hooks: Hooks,
) -> tuple[ModulePopulation, Evaluation]:
    """Members with one learning rate at their best epoch, and their evaluation there; ``group`` are their rows among all members."""
    architecture, dtype, key = members.architecture, members.values.dtype, key[group.to(key.device)]
    epochs, per_epoch = settings.epochs(len(rows)), -(-len(rows) // settings.batch_size)
    last_only = settings.keep_last and settings.target is None and hooks.watch is None
    check_every = settings.check_every or (epochs * per_epoch if last_only else per_epoch)
    total, best = epochs * per_epoch, Best(members, settings)
    with _recorded():
        values, mask, buffers = members.values.clone(), members.mask.to(dtype), _copies(members.buffers)
        leaves, first, second = _leaves(architecture, values), torch.zeros_like(values), torch.zeros_like(values)
        frozen = None if architecture.frozen is None else architecture.frozen.to(values.device)
        if frozen is not None:
            mask = mask.masked_fill(frozen, 0.0)
        decay, dropout_key = settings.weight_decay, fold(key, DROPOUT)

        def state() -> dict[str, Tensor]:
            own = {"values": values, "first": first, "second": second, **{f"buffer.{name}": part for name, part in buffers.items()}}
            return own | best.tensors()

        begun = 0 if hooks.resume is None else hooks.resume(group, state())
        architecture.module.train()
        drawn_rows = islice(batches(rows, settings.batch_size, epochs, settings.input_noise, key), begun, None)
        for step, (x, y) in enumerate(drawn_rows, start=begun):
            masks = drawn(architecture.masks_for(tuple(part[0] for part in x)), dropout_key, step, dtype)
            with torch.autocast("cuda", torch.bfloat16, enabled=half and values.device.type == "cuda"):
                z, buffers = architecture.run(leaves, buffers, x, masks)
            slopes = _backward(z.to(dtype), leaves, rows, y)
            now = replace(members, values=values, buffers=buffers)
            slopes = slopes.add_(values, alpha=decay) if decay else slopes
            if hooks.before_step is not None:
                hooks.before_step(now, slopes)
            slopes.mul_(mask)
            torch._fused_adam_(
                [values], [slopes], [first], [second], [], [values.new_tensor(step + 1.0)],
                lr=rate * settings.rate_at(step / total), beta1=BETA1, beta2=BETA2, weight_decay=0.0, eps=settings.epsilon,
                amsgrad=False, maximize=False,
            )  # fmt: skip
            if hooks.after_step is not None:
                hooks.after_step(now, rate * settings.rate_at(step / total))
            if (step + 1) % check_every == 0 or step + 1 == total:
                evaluation = best.take(now, rows)
                ended = settings.target is not None and bool((best.top.accuracy >= settings.target).all())
                if hooks.watch is not None:
                    ended |= hooks.watch(group, now, evaluation, step + 1)
                if hooks.save is not None:
                    hooks.save(group, state(), total if ended else step + 1)
                if ended:
                    break
                architecture.module.train()
    architecture.module.eval()
    return best.members, best.top


@dataclass
class Best:
    """Members at their best evaluation: highest accuracy, then lowest loss, then the earliest; see ``sculpting.mlp.best_epoch``."""

    members: ModulePopulation
    settings: RoundSettings

    def __post_init__(self) -> None:
        none = self.members.values.new_full((len(self.members),), torch.inf)
        self.top = Evaluation(-none.double(), none)

    def tensors(self) -> dict[str, Tensor]:
        """What is known so far, by name. May be set in place before the first evaluation."""
        best = {f"best.{name}": part for name, part in self.members.tensors().items() if name != "mask"}
        return {**best, "accuracy": self.top.accuracy, "loss": self.top.loss}

    def take(self, members: ModulePopulation, rows: ModuleRows) -> Evaluation:
        """Add an evaluation of the members as they are now, which is returned."""
        evaluation = evaluate(members, rows)
        better = ~evaluation.loss.isnan() if self.settings.keep_last else evaluation.better_than(self.top)
        if self.settings.target is not None:
            better &= ~(self.top.accuracy >= self.settings.target)
        at = torch.nonzero(better).flatten()
        self.members = self.members.replaced(at, members.select(at))
        self.top = self.top.updated(better, evaluation)
        return evaluation


def _backward(z: Tensor, leaves: dict[str, Tensor], rows: ModuleRows, y: Tensor) -> Tensor:
    """dLoss/dparameter ``(N, P)`` of the mean loss over a batch, from the outputs ``z (N, B, k)``."""
    columns = z.detach().transpose(1, 2)
    slope = rows.loss.slope(columns, y).div_(columns.shape[2] * rows.loss.divisor(y.shape[-2]))
    found = torch.autograd.grad(z, list(leaves.values()), slope.transpose(1, 2), allow_unused=True, materialize_grads=True)
    return torch.cat([part.flatten(1) if part.ndim > 1 else part.unsqueeze(1) for part in found], dim=1)


def _leaves(architecture: Architecture, values: Tensor) -> dict[str, Tensor]:
    """The parameters as leaves of the graph, which share the memory of ``values (N, P)``."""
    return {name: part.detach().requires_grad_() for name, part in architecture.views(values).items()}


def _copies(buffers: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: part.clone() for name, part in buffers.items()}


@contextlib.contextmanager
def _recorded() -> Iterator[None]:
    """Ordinary tensors with gradients, also within ``torch.inference_mode``."""
    with torch.inference_mode(False), torch.enable_grad():
        yield
