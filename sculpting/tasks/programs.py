"""Programs compiled by hand into transformers: what every head, neuron, dimension and weight is for is known.

S = rows, T = positions, d = residual dimensions. Every value of a program has residual dimensions of its own, as in Tracr (Lindner et al.,
NeurIPS 2023) and InterpBench (Gupta et al., NeurIPS 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ..checks import check_amounts, check_choice
from ..randomness import check_seed
from ..surroundings import drawing_from, set_aside
from .one_hot import one_hot_groups
from .task import Task
from .transformer import Transformer
from .weaving import Weaver

__all__ = ["PROGRAMS", "CompiledProgram", "compiled"]

SURE = 4.0  # logits of right answers are 4 and -4, so that the loss still has a slope
SHARP = 10.0  # score of a position that is attended to, above the others


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """A transformer that computes a program exactly, and what in it does so.

    Attributes
    ----------
    task : Task
        All rows, once each.
    model : Transformer
    used : dict of name to bool Tensor
        Which elements of each weight and bias belong to the program.
    heads, neurons : tuple of (int, int)
        Those of the program: layer, and position in it.
    dimensions : dict of name to tuple of int
        The residual dimensions of each value of the program.
    """

    task: Task
    model: Transformer
    used: dict[str, Tensor]
    heads: tuple[tuple[int, int], ...]
    neurons: tuple[tuple[int, int], ...]
    dimensions: dict[str, tuple[int, ...]]


@set_aside()
def compiled(name: str, *, width: int = 32, heads: int = 4, neurons: int = 32, noise: float = 0.0001, seed: int = 0) -> CompiledProgram:
    """A program as a transformer that is larger than it needs.

    Parameters
    ----------
    name : {"histogram", "reverse", "brackets"}
        ``"histogram"``: for every one of four tokens, how often it occurs (one head, seven neurons). ``"reverse"``: five tokens in reverse
        order (one head). ``"brackets"``: for every beginning of six brackets, whether it can be continued to a balanced text, and
        whether it is one (two layers; two heads, five neurons).
    width, heads, neurons : int
        d; heads and neurons of each layer.
    noise : float
        Standard deviation of weights that could disturb the program.
    seed : int
        Of all weights that are not the program's.

    Raises
    ------
    ValueError
        When there is no such program, the model is too small for it, or the noise changes an answer.

    Notes
    -----
    Weights that are not the program's are normal, and of two kinds. Those that write what the program never reads, such as all that write
    a spare dimension, have a standard deviation of 1, and of 0.1 where a head or a neuron writes to the stream: as large as the program's
    own, so that the size of a weight does not tell it. Those that write to the program, such as from a spare head, have ``noise``.
    They change no answer, which is checked on all rows.

    Examples
    --------
    >>> program = compiled("reverse")
    >>> program.task.x.shape, program.heads, program.neurons
    (torch.Size([243, 5]), ((0, 0),), ())
    """
    check_choice("name", name, [*PROGRAMS])
    check_amounts(noise=noise)
    seed = check_seed(seed)
    task, sizes, written = PROGRAMS[name]()
    two = name == "brackets"
    with drawing_from(torch.Generator()):  # weights that are all written over
        model = Transformer(*sizes, width=width, heads=heads, neurons=neurons, layers=1 + two, causal=two, every=True).float()
    weaver = Weaver(model)
    written(weaver)
    weaver.fill(noise, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        wrong = int(((model(task.x) > 0) != (task.y > 0)).any(dim=1).sum())
    if wrong:
        raise ValueError(f"noise must leave every answer right; got {noise}, by which {wrong} of {len(task.y)} rows change. Lower it")
    return CompiledProgram(task, model.eval(), weaver.used, tuple(weaver.heads), tuple(weaver.neurons), dict(weaver.dimensions))


Program = tuple[Task, tuple[int, int, int], Callable[[Weaver], None]]  # rows; tokens, T and outputs of a position; what writes the weights


def _rows(name: str, x: Tensor, y: Tensor, outputs: Sequence[str], tokens: int) -> tuple[Task, tuple[int, int, int]]:
    """The task of all rows, and the sizes of its transformer."""
    names = tuple(f"{output} at {position}" for position in range(x.shape[1]) for output in outputs)
    task = Task(x, y, "bce", x, y, complete=True, name=name, output_names=names)
    return task, (tokens, x.shape[1], len(outputs))


def _histogram(tokens: int = 4, length: int = 4) -> Program:
    """Attention to equal tokens and to a beginning: of it, 1 / (1 + count) falls on the beginning."""
    texts = torch.tensor([*product(range(tokens), repeat=length)])
    x = torch.cat([torch.full((len(texts), 1), tokens), texts], dim=1)
    counts = (texts.unsqueeze(2) == texts.unsqueeze(1)).sum(dim=2)
    y = torch.cat([torch.zeros(len(x), length), one_hot_groups(counts - 1, length)], dim=1)  # none at the beginning

    def write(weaver: Weaver) -> None:
        token, share, at_least = weaver.values(token=tokens + 1, share=1, at_least=length)
        weaver.embed("token", token)
        start = token[tokens]
        weaver.query(0, 0, [(i, token[i], SHARP) for i in range(tokens + 1)])
        weaver.key(0, 0, [(i, token[i], 1.0) for i in range(tokens + 1)] + [(i, start, 1.0) for i in range(tokens)])
        weaver.value(0, 0, [(0, start, 1.0)], [(share[0], 0, 1.0)])
        for count in range(1, length + 1):
            before, here = 1 / count, 1 / (1 + count)
            slope = 1 / (before - here)
            weaver.step(0, {share[0]: -slope}, slope * here + 1, at_least[count - 1], capped=count < length)
        for count in range(1, length + 1):
            more = {at_least[count]: -2 * SURE} if count < length else {}
            weaver.answer(count - 1, {at_least[count - 1]: 2 * SURE, **more}, -SURE)

    return *_rows("histogram", x, y, [f"count {count}" for count in range(1, length + 1)], tokens + 1), write


def _reverse(tokens: int = 3, length: int = 5) -> Program:
    """Attention of every position to that at the same distance from the other end."""
    x = torch.tensor([*product(range(tokens), repeat=length)])
    y = one_hot_groups(x.flip(1), tokens)

    def write(weaver: Weaver) -> None:
        token, position, found = weaver.values(token=tokens, position=length, found=tokens)
        weaver.embed("token", token)
        weaver.embed("position", position)
        weaver.query(0, 0, [(i, position[length - 1 - i], SHARP) for i in range(length)])
        weaver.key(0, 0, [(i, position[i], 1.0) for i in range(length)])
        weaver.value(0, 0, [(i, token[i], 1.0) for i in range(tokens)], [(found[i], i, 1.0) for i in range(tokens)])
        for i in range(tokens):
            weaver.answer(i, {found[i]: 2 * SURE}, -SURE)

    return *_rows("reverse", x, y, [f"token {i}" for i in range(tokens)], tokens), write


def _brackets(length: int = 6) -> Program:
    """The mean of +1 and -1 is the depth over the number of brackets; the mean of how far it is below 0 says whether it ever was."""
    x = torch.tensor([*product(range(2), repeat=length)])
    depth = (1 - 2 * x).cumsum(dim=1)
    broken = (depth < 0).cumsum(dim=1) > 0
    y = torch.stack([~broken, ~broken & (depth == 0)], dim=2).flatten(1).float()

    def write(weaver: Weaver) -> None:
        sign, mean, below, above, ever, broken = weaver.values(sign=1, mean=1, below=1, above=1, ever=1, broken=1)
        weaver.embed("token", sign, [[1.0], [-1.0]])
        weaver.value(0, 0, [(0, sign[0], 1.0)], [(mean[0], 0, 1.0)])
        weaver.step(0, {mean[0]: -length}, 0.0, below[0], capped=False)
        weaver.step(0, {mean[0]: length}, 0.0, above[0])
        weaver.value(1, 0, [(0, below[0], 1.0)], [(ever[0], 0, 1.0)])
        weaver.step(1, {ever[0]: length}, 0.0, broken[0])
        weaver.answer(0, {broken[0]: -2 * SURE}, SURE)
        weaver.answer(1, {broken[0]: -2 * SURE, above[0]: -2 * SURE}, SURE)

    return *_rows("brackets", x, y, ["can be continued", "balanced"], 2), write


PROGRAMS: dict[str, Callable[[], Program]] = {"histogram": _histogram, "reverse": _reverse, "brackets": _brackets}
