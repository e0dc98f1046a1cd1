"""Settings and arguments of the training of language models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from language_tiny import tiny
from test_language_training import SETTINGS, WINDOWS, train

from sculpting.narrow.language import LanguageTraining, LassoPenalty, train_language

# Settings


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tokens": 0}, "tokens must be a whole number of at least 1; got 0"),
        ({"batch_size": 2.5}, "batch_size must be a whole number"),
        ({"windows_at_once": 0}, "windows_at_once must be a whole number"),
        ({"learning_rate": -1}, "learning_rate must be at least 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be at least 0, and finite"),
        ({"warm_up": 1.5}, "warm_up and mixing must be in"),
        ({"warm_up": "much"}, "warm_up must be at least 0"),
        ({"mixing": 2}, "warm_up and mixing must be in"),
        ({"temperature": 0}, "temperature positive"),
        ({"precision": "float16"}, r"precision must be one of \['bfloat16', 'float32'\]; got 'float16'"),
        ({"select": "first"}, r"select must be one of \['best', 'last'\]"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LanguageTraining(**wrong)


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"device must be None, .* or 'cpu'; got 'cuda:1'"):
        train(tiny(), device="cuda:1")
    with pytest.raises(ValueError, match="must have parameters that require gradients; got none"):
        train(tiny().requires_grad_(False))
    with pytest.raises(ValueError, match="layers must have the groups that the penalty is of"):
        train(tiny(), lasso=LassoPenalty(1.0))
    with pytest.raises(ValueError, match="validation must have held-out windows for select='best'"):
        train_language(tiny(), WINDOWS, {}, replace(SETTINGS, select="best"), progress=False, device="cpu")
    with pytest.raises(ValueError, match="got none in 'keep'"):
        train_language(tiny(), WINDOWS, {"keep": torch.zeros(0, 8).long()}, SETTINGS, progress=False, device="cpu")


def test_a_bar_shows_tokens_and_the_loss(capsys: pytest.CaptureFixture[str]) -> None:
    train(tiny(), progress=True)
    shown = capsys.readouterr().err
    assert "training: 100%" in shown
    assert "384/384" in shown
    assert "token/s, loss=" in shown
    train(tiny(), progress=False)
    assert capsys.readouterr() == ("", "")
