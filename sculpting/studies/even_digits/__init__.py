"""Even digits by small networks, from a teacher or from scratch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...study import Study
from ...tasks.mnist_even import mnist_digits
from ..common.agreement import without_lists
from ..common.command import SOURCE, Command, full_size
from .cells import PROTOCOLS, cells_of, even_cell, needs_of, settings_of
from .report import even_report

__all__ = ["COMMAND", "study"]


def study(protocol: str = "reduced", source: str = "mnist", data_dir: str | Path | None = None) -> Study:
    """The study of even digits.

    Teachers learn to name all ten digits. Small networks then learn to name the even ones, on images of these alone, until they are right
    on 97 % of the validation images of even digits: from scratch; by distillation from a teacher; what is left of a teacher once the units
    of the lowest attribution, or units at random, are removed; and what a group lasso leaves of it.

    Parameters
    ----------
    protocol : {"reduced", "full"}
        Teachers of 800 hidden units, six sizes, five seeds, two learning rates for every method and two strengths of the group lasso; or as
        published, of 2,400 units, 14 sizes, ten seeds, and the published grids of learning rates and strengths.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_digits`. A folder is of one set of images.

    Returns
    -------
    Study
        A row for each teacher, and for each method, size, learning rate, strength and seed: ``method`` (or ``teacher``), ``asked`` (hidden
        units it was to have), ``seed``, ``learning_rate``, ``strength`` (None but for a group lasso), ``units`` (those that it has),
        ``images`` (training images of even digits consumed, each time they were used, for pruning those that units were scored on too;
        for a teacher those of all digits), ``reached`` (whether it was small and accurate by then, otherwise ``images`` is what it had;
        of a teacher, whether it is accurate), ``validation_accuracy`` and ``test_accuracy`` (on even digits, in [0, 1]; nothing was
        decided on the test images); of a teacher how ``first_order`` and ``activation_gradient`` attribution agree with ablation over all
        hidden units, ``first_order_pearson`` and so on (see ``ScoreCorrelation``; None where it is not defined, and in all other rows), all
        scored on the 480 training images of even digits that pruning by attribution scores on, as it is there that its scores decide;
        ``seconds`` (the cell's, shared equally by its rows).

    Raises
    ------
    ValueError, FileNotFoundError
        When the protocol, the source or the images do not fit.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025. There training stops on the test images,
    biases and, in some scripts, outgoing weights of pruned units stay alive, scoring is not charged, and the teacher, the same for all
    runs, is regularised by dropout. Here every seed has a teacher of its own, and all trainings have noise on the pixels: without it few
    networks got to 97 % with the 4,110 images of even digits that there are among 10,000. All methods have batches of 16 (published: 64
    from scratch and for distillation) and are tried with the same learning rates, of which the best is reported; a group lasso also with
    several strengths. In the full protocol those of pruning and the group lasso are as published, where scratch and distillation had one
    learning rate; here they have those of pruning. Distillation is by Adam (published: momentum). The group lasso is the published
    subgradient, of weights without biases. Groups that are dead at a check count as gone, and are masked once the size is reached, where
    the penalty ends and training until the target begins: one run gives all sizes. Above 2,000 units nothing is run.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}; got {protocol!r}")
    settings = settings_of(protocol, source, mnist_digits(source=source, data_dir=data_dir))
    work = partial(even_cell, protocol=protocol, source=source, data_dir=data_dir)
    report = partial(even_report, protocol=protocol)
    return Study(cells_of(protocol), work, settings, report, needs=needs_of(protocol), table=without_lists)


COMMAND = Command(
    study,
    "even digits by small networks, from a teacher or from scratch: how many images until 97 %%?",
    {**full_size("protocol"), **SOURCE},
)
