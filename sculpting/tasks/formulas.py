"""Formulas of named values: how they are read, and what they hold.

A formula is written with Python's operators ``&`` (AND), ``|`` (OR), ``^`` (XOR), ``~`` (NOT) and parentheses, which bind as in
Python: ``~`` first, then ``&``, ``^`` and ``|``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from ..checks import check_choice, shown

__all__ = ["LONGEST_NAME", "Formula", "Literal", "normal", "read_formula"]

BINDING = {"|": 1, "^": 2, "&": 3}
DEEPEST = 100  # formulas in one another
LONGEST_NAME = 1_000  # characters
TOKEN = re.compile(r"\s*(?:(?P<name>\w+)|(?P<sign>[&|^~()])|(?P<other>\S))")
WORDS = {"and": "&", "or": "|", "xor": "^"}


@dataclass(frozen=True)
class Literal:
    """A named value or its negation."""

    name: str
    negated: bool = False

    def __str__(self) -> str:
        return "~" * self.negated + self.name


@dataclass(frozen=True)
class Formula:
    """One gate: ``&``, ``|`` or ``^`` over its terms, or, with a single term and the operator ``=``, that term itself.

    Raises
    ------
    TypeError, ValueError
        When the operator is another, or the terms are no formulas, or of another number.
    """

    operator: str
    terms: tuple[Literal | Formula, ...]
    negated: bool = False

    def __post_init__(self) -> None:
        check_choice("operator", self.operator, [*BINDING, "="])
        other = next((term for term in self.terms if not isinstance(term, (Literal, Formula))), None)
        if not isinstance(self.terms, tuple) or other is not None:
            raise TypeError(f"terms must be a tuple of Literal and Formula; got {type(self.terms if other is None else other).__name__}")
        if (len(self.terms) == 1) != (self.operator == "=") or not self.terms:
            raise ValueError(f"terms must be two or more for {self.operator!r}, and one for '='; got {len(self.terms)}")

    def __str__(self) -> str:
        inner = f" {self.operator} ".join(str(t) if isinstance(t, Literal) or t.negated else f"({t})" for t in self.terms)
        return f"~({inner})" if self.negated else inner

    def names(self) -> tuple[str, ...]:
        """The names that the formula reads, in order."""
        return tuple(n for t in self.terms for n in ((t.name,) if isinstance(t, Literal) else t.names()))


@dataclass
class _Part:
    """What has been read of a formula: a name, or an operator over parts, which may still grow."""

    operator: str = ""
    name: str = ""
    parts: deque[_Part] | None = None
    negated: bool = False
    depth: int = 0


def normal(name: object) -> str:
    """A name as Python reads it, in its NFKC form."""
    return unicodedata.normalize("NFKC", str(name))


def read_formula(name: str, text: object) -> Formula:
    """The formula of a gate.

    Raises
    ------
    ValueError
        When it is not text, is not a formula, or has more than 100 formulas in one another. The text names the gate.

    Examples
    --------
    >>> str(read_formula("y", "~(a & b) | c ^ d"))
    '~(a & b) | (c ^ d)'
    """
    if not isinstance(text, str):
        raise ValueError(f"gate {shown(name)} must be a formula, as text such as 'a & ~b'; got {type(text).__name__}")
    try:
        part = _read(text)
    except ValueError as error:
        raise ValueError(
            f"gate {shown(name)} must be a formula of names with & | ^ ~ and parentheses; got {shown(text)} ({error})"
        ) from error
    term = _frozen(part)
    return Formula("=", (term,)) if isinstance(term, Literal) else term


def _read(text: str) -> _Part:
    """Operators wait on a stack until the next one binds no tighter (Dijkstra's shunting yard)."""
    parts: list[_Part] = []
    waiting: list[str] = []

    def apply() -> None:
        operator = waiting.pop()
        if operator == "~":
            parts[-1].negated = not parts[-1].negated
        else:
            right = parts.pop()
            parts.append(_joined(operator, parts.pop(), right))

    after_operand = False
    for kind, token in _tokens(text):
        if after_operand == (kind == "name" or token in "~("):
            instead = f"; write {WORDS[token]} for it" if token in WORDS else ""
            raise ValueError(f"{shown(token)} {'must follow an operator' if after_operand else 'must follow a name'}{instead}")
        if kind == "name":
            parts.append(_Part(name=normal(token)))
            after_operand = True
        elif token in "~(":
            waiting.append(token)
        elif token == ")":
            while waiting and waiting[-1] != "(":
                apply()
            if not waiting:
                raise ValueError("a parenthesis is closed that was not opened")
            waiting.pop()
        else:
            while waiting and waiting[-1] != "(" and (waiting[-1] == "~" or BINDING[waiting[-1]] >= BINDING[token]):
                apply()
            waiting.append(token)
            after_operand = False
    if not after_operand:
        raise ValueError("it ends where a name must follow" if parts or waiting else "it is empty")
    while waiting:
        if waiting[-1] == "(":
            raise ValueError("a parenthesis is not closed")
        apply()
    return parts[0]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for match in TOKEN.finditer(text.rstrip()):
        kind, token = match.lastgroup or "", match.group().strip()
        if kind == "other" or (kind == "name" and not normal(token).isidentifier()):
            raise ValueError(f"{shown(token)} is none of these")
        if len(token) > LONGEST_NAME:
            raise ValueError(f"a name must have at most {LONGEST_NAME:,} characters; it has one of {len(token):,}")
        yield kind, token


def _joined(operator: str, left: _Part, right: _Part) -> _Part:
    """Two parts under an operator. A part of the same operator grows, so that a long formula is read in one go."""
    whole = left if _is_open(left, operator) else _Part(operator, parts=deque([left]), depth=1 + left.depth)
    assert whole.parts is not None
    if right.parts is not None and _is_open(right, operator):
        if len(whole.parts) < len(right.parts):  # a formula that grows to the left would be copied for each of its parts
            right.parts.extendleft(reversed(whole.parts))
            whole.parts = right.parts
        else:
            whole.parts.extend(right.parts)
        whole.depth = max(whole.depth, right.depth)
    else:
        whole.parts.append(right)
        whole.depth = max(whole.depth, 1 + right.depth)
    if whole.depth > DEEPEST:
        raise ValueError(f"it has more than {DEEPEST} formulas in one another. Give parts of it names of their own")
    return whole


def _is_open(part: _Part, operator: str) -> bool:
    return part.operator == operator and not part.negated


def _frozen(part: _Part) -> Literal | Formula:
    if part.parts is None:
        return Literal(part.name, part.negated)
    return Formula(part.operator, tuple(map(_frozen, part.parts)), part.negated)
