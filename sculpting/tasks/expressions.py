"""Arithmetic expressions as text: is the value odd?

S = rows, n = one-hot columns.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ..checks import shown
from ..surroundings import set_aside
from .pixel_truth import some_inputs_truth
from .task import TABLE, Task

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["expression_parity", "value_of"]

OPERATORS = {"+": np.add, "*": np.multiply, "<": np.less, "=": np.equal}
MOST_DIGITS, MOST_ROWS = 10, 100_000
TERM = ("first digit", "operator", "second digit")


@set_aside()
def expression_parity(digits: int = 2, operators: str = "+*") -> Task:
    """The task of reading ``(a . b) + (c . d)``, each dot an operator, and saying whether its value is odd.

    Parameters
    ----------
    digits : int
        a, b, c and d are 0 ... digits - 1; 2 to 10.
    operators : str
        The characters that stand for a dot: some of ``+``, ``*``, ``<`` and ``=``. A comparison is 1 where it is true and 0 elsewhere.

    Returns
    -------
    Task
        All expressions once, so that nothing is held out. ``x`` has a one-hot group for every character that changes: n = 4 digits + 2
        times the number of operators, or 4 digits where there is only one.

    Raises
    ------
    ValueError
        When an argument is out of range, there would be more than 100,000 rows, or a term has no structure of its own: the parity of
        ``a + b`` is a sum of two parities, so that of ``(a + b) + (c + d)`` has no tree.

    Notes
    -----
    The outputs depend on a term, two digits and their operator, through one bit: whether it is odd. In the truth each term is a module, and
    the output reads the two. A network need not read all columns of a one-hot group.

    Examples
    --------
    >>> task = expression_parity()
    >>> task.x.shape, task.input_names[:4]
    (torch.Size([64, 12]), ('a is 0', 'a is 1', 'operator of a and b is +', 'operator of a and b is *'))
    >>> [facts["function"] for _, facts in task.truth(hidden_layers=2).nodes(data=True)]
    ['is a . b odd', 'is c . d odd', 'is the sum odd']
    """
    _check(digits, operators)
    terms = [*product(range(digits), operators, range(digits))]
    odd = np.array([value_of(*term) for term in terms]) % 2 == 1
    _check_whole(odd.reshape(digits, len(operators), digits), operators)
    pairs = [*product(range(len(terms)), repeat=2)]
    if len(pairs) > MOST_ROWS:
        raise ValueError(f"there must be at most {MOST_ROWS:,} expressions; got {len(pairs):,}. Give fewer digits or operators")
    first, second = np.array(pairs).T
    one_hot, names = _columns(terms, digits, operators)
    x = torch.from_numpy(np.concatenate([one_hot[first], one_hot[second]], axis=1))
    y = torch.from_numpy((odd[first] ^ odd[second]).astype(np.float32)[:, None])
    return Task(
        x, y, "bce", x, y, complete=True, name=f"expression-parity:digits={digits},operators={operators}",
        input_names=tuple(name.format(*letters, both=" and ".join(letters)) for letters in ("ab", "cd") for name in names),
        output_names=("odd",), structure=partial(_structure, one_hot.shape[1]), **TABLE,
    )  # fmt: skip


def value_of(first: int, operator: str, second: int) -> int:
    """The value of one term.

    Examples
    --------
    >>> value_of(2, "+", 3), value_of(2, "<", 3)
    (5, 1)
    """
    return int(OPERATORS[operator](first, second))


def _structure(columns: int, hidden_layers: int) -> nx.DiGraph:
    """The truth for terms of so many columns each."""
    left, right = tuple(range(columns)), tuple(range(columns, 2 * columns))
    modules = [(left, (), "is a . b odd"), (right, (), "is c . d odd"), ((), (0,), "is the sum odd")]
    return some_inputs_truth(modules, [(0, 2), (1, 2)], hidden_layers)


def _columns(terms: list[tuple[int, str, int]], digits: int, operators: str) -> tuple[NDArray[np.float32], list[str]]:
    """The one-hot columns of every term, and their names with ``{0}``, ``{1}`` and ``{both}`` for the letters."""
    choices = [("{0}", [*range(digits)]), ("operator of {both}", [*operators]), ("{1}", [*range(digits)])]
    names, columns = [], []
    for place, (name, values) in enumerate(choices):
        for value in values if len(values) > 1 else []:  # a character that never changes has no column
            names.append(f"{name} is {value}")
            columns.append([term[place] == value for term in terms])
    return np.array(columns, dtype=np.float32).T, names


def _check(digits: object, operators: object) -> None:
    if not isinstance(digits, Integral) or isinstance(digits, bool) or not 2 <= int(digits) <= MOST_DIGITS:
        raise ValueError(f"digits must be a whole number of 2 to {MOST_DIGITS}; got {shown(digits)}")
    known = isinstance(operators, str) and 0 < len(operators) == len(set(operators)) and set(operators) <= set(OPERATORS)
    if not known:
        raise ValueError(f"operators must be different characters of {''.join(OPERATORS)}; got {shown(operators)}")


def _check_whole(odd: NDArray[np.bool_], operators: str) -> None:
    """Refuse terms whose parity is a sum of a part that one character decides and one of the others, or does not depend on one."""
    for place, name in enumerate(TERM):
        of_character = np.moveaxis(odd, place, 0).reshape(odd.shape[place], -1)
        if not ((of_character ^ of_character[0]) ^ (of_character ^ of_character[0])[:, :1]).any() and odd.shape[place] > 1:
            raise ValueError(
                f"terms must be odd or not by all their characters together; with operators {operators!r} the {name} adds its part by "
                "itself. Give other operators, such as +*"
            )
