"""Functions with a name that are no published task, as gates."""

from __future__ import annotations

__all__ = ["CIRCUITS"]


def _majority(a: str, b: str, c: str) -> str:
    return f"{a} & {b} | {a} & {c} | {b} & {c}"


CIRCUITS: dict[str, dict[str, str]] = {
    "three-blocks": {"y0": "(a ^ b) & c", "y1": "(d ^ e) | f", "y2": "g & h"},
    "two-majorities": {"m": _majority("a", "b", "c"), "n": _majority("d", "e", "f"), "y0": "m ^ n", "y1": "m & n"},
    "xor-of-ands": {"p": "a & b", "q": "c & d", "r": "e & f", "s": "g & h", "y0": "p ^ q", "y1": "r ^ s"},
    "pairs": {"p": "a ^ b", "q": "c ^ d", "r": "e ^ f", "y0": "p & q | p & r", "y1": "q & r | p & r"},
    "shared-xor": {"s": "a ^ b", "y0": "s & c", "y1": "s | d"},
    "parity-tree": {"p": "a ^ b", "q": "c ^ d", "r": "e ^ f", "s": "p ^ q", "y": "s ^ r"},
    "full-adder": {"h": "a ^ b", "sum": "h ^ c", "carry": "a & b | h & c"},
    "adder-2+2": {
        "c1": "b0 & a0", "s0": "a0 ^ b0", "h1": "a1 ^ b1", "s1": "h1 ^ c1", "s2": "a1 & b1 | h1 & c1",
    },
    "comparator-2": {"e1": "~(a1 ^ b1)", "less": "~a1 & b1 | e1 & ~a0 & b0", "more": "a1 & ~b1 | e1 & a0 & ~b0"},
    "equal-3": {"e0": "~(a0 ^ b0)", "e1": "~(a1 ^ b1)", "e2": "~(a2 ^ b2)", "equal": "e0 & e1 & e2"},
    "multiplexer-4": {
        "lower": "~s0 & d0 | s0 & d1", "upper": "~s0 & d2 | s0 & d3", "y": "~s1 & lower | s1 & upper",
    },
    "c17": {
        "n10": "~(n1 & n3)", "n11": "~(n3 & n6)", "n16": "~(n2 & n11)", "n19": "~(n11 & n7)", "n22": "~(n10 & n16)", "n23": "~(n16 & n19)",
    },
    "decoder-2": {"y0": "~a & ~b & e", "y1": "~a & b & e", "y2": "a & ~b & e", "y3": "a & b & e"},
    "multiplier-2": {
        "p": "a1 & b0", "q": "a0 & b1", "m0": "a0 & b0", "c": "p & q", "r": "a1 & b1", "m1": "p ^ q", "m2": "r ^ c", "m3": "r & c",
    },
    "priority-encoder": {"none": "~(a | b)", "y1": "a | b", "y0": "a | (~b & c)", "valid": "~none | c | d"},
    "subtractor": {"h": "a ^ b", "difference": "h ^ c", "borrow": "~a & b | ~h & c"},
    "majority-of-majorities": {
        "p": _majority("a", "b", "c"), "q": _majority("d", "e", "f"), "r": _majority("g", "h", "i"), "y": _majority("p", "q", "r"),
    },
    "implications": {"p": "~a | b", "q": "~c | d", "r": "~e | f", "y0": "p ^ q", "y1": "q ^ r"},
    "alu-slice": {"sum": "a ^ b", "both": "a & b", "either": "a | b", "low": "~s & sum | s & both", "y": "~t & low | t & either"},
    "interlock": {"door": "a & b & c", "alarm": "d | e", "y0": "door & ~alarm", "y1": "alarm & f", "y2": "door | g"},
}  # fmt: skip
