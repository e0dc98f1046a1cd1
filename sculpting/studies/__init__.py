"""The studies that are reported in the documentation, by the names that the command line has for them."""

from . import (
    boolean,
    convolutions,
    curriculum,
    digits,
    drift,
    even_digits,
    functions,
    known_structure,
    language,
    nonlocality,
    other_methods,
    parities,
    sensitivity,
    side_by_side,
    transformers,
)

__all__ = ["STUDIES"]

STUDIES = {
    "boolean": boolean.COMMAND,
    "sensitivity": sensitivity.COMMAND,
    "functions": functions.COMMAND,
    "digits": digits.COMMAND,
    "parities": parities.COMMAND,
    "curriculum": curriculum.COMMAND,
    "nonlocality": nonlocality.COMMAND,
    "even-digits": even_digits.COMMAND,
    "side-by-side": side_by_side.COMMAND,
    "known-structure": known_structure.COMMAND,
    "transformers": transformers.COMMAND,
    "convolutions": convolutions.COMMAND,
    "language": language.COMMAND,
    "drift": drift.COMMAND,
    "other-methods": other_methods.COMMAND,
}
