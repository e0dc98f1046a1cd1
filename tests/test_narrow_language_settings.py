"""Settings of ``narrow_language``."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from language_tiny import tiny
from test_narrow_language import FORGET, narrow

from sculpting.narrow.language import (
    LanguageSettings,
    LanguageTraining,
    narrowing,
)

# Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"method": "magic"}, "method must be one of"),
        ({"sparsity": 1.0}, "sparsity must be the fraction of groups to remove"),
        ({"sparsity": 50}, "sparsity must be the fraction of groups to remove"),
        ({"sparsities": 0.5}, "sparsities must be a sequence of fractions"),
        ({"sparsities": (0.5, 1)}, "sparsities must be the fraction"),
        ({"scope": "all"}, "scope must be one of"),
        ({"rounds": 0}, "rounds must be a whole number"),
        ({"length": 1}, "length must be a whole number of at least 2"),
        ({"limit": 0}, "limit must be a whole number of at least 1"),
        ({"revival_tokens": -5}, "revival_tokens must be a whole number, 0 for no revival"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"heads": 0.5, "method": "scratch"}, "heads must be 0, uneven False and rounds 1 for method 'scratch'"),
        ({"method": "activation-gradient", "residual": 0.1}, "activation-gradient is not defined for residual dimensions"),
        ({"control": True, "recover": False}, "control must be False where nothing is trained"),
        ({"revival_tokens": 32, "forget": None}, "forget must be the text to revive for revival_tokens=32"),
        ({"length": 65}, "length must be at most the 64 positions of the model; got 65"),
        ({"length": 16}, "length must be that of the windows of 'keep', 8; got 16"),
        ({"device": "tpu"}, "device must be None"),
        ({"tokens": 0}, "tokens must be a whole number of at least 1"),
        ({"checkpoint": __file__}, "checkpoint must be in a folder that can be written to"),
        ({"model": tiny("gpt2"), "residual": 0.5}, "residual cannot be pruned in this architecture: a LayerNorm"),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        narrow(**wrong)


def test_names_that_are_not_known_are_refused_with_a_near_one() -> None:
    with pytest.raises(TypeError, match=r"settings must be fields of .*; got 'sparsty'. Did you mean sparsity\?"):
        narrow(sparsty=0.5)
    with pytest.raises(TypeError, match=r"got 'forgot'. Did you mean forget\?"):
        narrow(forgot=FORGET)
    with pytest.raises(TypeError, match="training must be a LanguageTraining; got 5"):
        narrow(training=5)
    with pytest.raises(TypeError, match=r"lasso must be a LassoPenalty; got 2.0"):
        narrow(lasso=2.0)
    with pytest.raises(TypeError, match="model must be a language model of transformers, or where to read one; got Linear"):
        narrow(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="the model must be a folder that save_pretrained wrote"):
        narrow(__file__, keep=["text"])


def test_settings_are_found_by_the_names_of_both_classes() -> None:
    known = narrowing.settings_of({"sparsity": 0.3, "tokens": 5, "seed": 3})
    assert known == LanguageSettings(sparsity=0.3, seed=3, training=LanguageTraining(tokens=5, seed=3))
    given = narrowing.settings_of({"training": LanguageTraining(tokens=7, seed=2), "every": 9})
    assert given.training == LanguageTraining(tokens=7, seed=2, every=9)
