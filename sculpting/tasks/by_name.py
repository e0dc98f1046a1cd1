"""Tasks by name, as typed on the command line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..checks import SHOWN, shown
from ..surroundings import set_aside
from .boolean_tables import boolean
from .expressions import expression_parity
from .mnist import mnist_pair, mnist_xor
from .parities import cmsp
from .random_hierarchies import random_gates
from .scenes import sprite_scenes
from .sensors import sensor_fusion
from .task import Task

__all__ = ["MAKERS", "named"]

MAKERS: dict[str, Callable[..., Task]] = {
    "mnist-pair": mnist_pair,
    "mnist-xor": mnist_xor,
    "cmsp": cmsp,
    "random-gates": random_gates,
    "sensor-fusion": sensor_fusion,
    "sprite-scenes": sprite_scenes,
    "expression-parity": expression_parity,
}


@set_aside()
def named(text: str) -> Task:
    """The task of a name: one of the published Boolean tasks, or another such as ``mnist-pair`` or ``cmsp``, with options.

    Parameters
    ----------
    text : str
        As for :func:`~sculpting.tasks.boolean`; or a name and options, such as ``"cmsp:m=3,k=2,codes=0|1|0+1"`` and
        ``"mnist-pair:size=14,pairs=5000"``.

    Raises
    ------
    TypeError
        When the name is no text.
    ValueError
        When there is no such task or option, or an option is missing or out of range.
    FileNotFoundError
        When the images of digits are missing.

    Examples
    --------
    >>> named("both").name, named("cmsp:m=2,k=2").x.shape
    ('[6, 3, 3, 3]', torch.Size([48, 6]))
    """
    if not isinstance(text, str):
        raise TypeError(f"the name of a task must be text; got {shown(text)}")
    name, _, options = text.strip().partition(":")
    if name not in MAKERS:
        return boolean(text.strip())
    parameters = inspect.signature(MAKERS[name]).parameters
    pairs = [_option(part, name, parameters) for part in options.split(",") if part]
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError(f"options of task {name!r} must be given once each; got {options[:SHOWN]}")
    needed = [key for key, p in parameters.items() if p.default is inspect.Parameter.empty]
    missing = [key for key in needed if key not in given]
    if missing:
        example = ",".join(f"{key}={given.get(key, 2)}" for key in needed)
        raise ValueError(f"task {name!r} needs {' and '.join(missing)}; write it as {name}:{example}")
    return MAKERS[name](**given)


def _option(part: str, name: str, known: Any) -> tuple[str, Any]:
    key, equals, value = (side.strip() for side in part.partition("="))
    if key not in known or not equals or not value:
        raise ValueError(f"options of task {name!r} are {', '.join(known)}, each as option=value; got {shown(part)}")
    try:
        if key == "codes":
            return key, [[int(i) for i in code.split("+")] for code in value.split("|")]
        return key, value if "str" in str(known[key].annotation) else int(value)
    except ValueError as error:
        raise ValueError(f"option {key} of task {name!r} must be a whole number, or codes such as 0|1|0+1; got {shown(value)}") from error
