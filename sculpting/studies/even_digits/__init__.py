"""Even digits by small networks, from a teacher or from scratch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ...study import Study
from ...tasks.mnist_even import mnist_digits
from ..common.agreement import without_lists
from ..common.command import SOURCE, Command, Options, full_size
from .cells import PROTOCOLS, cells_of, even_cell, needs_of, settings_of
from .report import even_report

__all__ = ["COMMAND", "study"]


def study(protocol: str = "reduced", source: str = "mnist", data_dir: str | Path | None = None) -> Study:
    """The study of even digits.

    Teachers learn to name all ten digits. Small networks then learn to name the even ones, on images of these alone, until they name
    97 % of the validation images of even digits right. They are trained from scratch; distilled from a teacher; pruned from a teacher by
    activation x gradient attribution, or at random; or what a group lasso leaves of a teacher. ``narrow`` makes them.

    Parameters
    ----------
    protocol : {"reduced", "full", "convolutional"}
        Teachers of 800 hidden units, six sizes, five seeds, two learning rates for every method and two strengths of the group lasso; or as
        published, of 2,400 units, 14 sizes, ten seeds, and the published grids of learning rates and strengths. ``"convolutional"`` is a
        first look at small networks of two convolutions and two Linear layers, on images pooled to 14 x 14 pixels: teachers of 88 channels
        and units, two sizes, two seeds, one learning rate, two strengths, at most 24,000 images. Units are then channels and hidden
        units; networks from scratch and distilled ones are teachers without the last channels and units of each layer, from fresh weights.
    source, data_dir
        Where the images come from: see :func:`~sculpting.tasks.mnist_digits`. A folder is of one set of images.

    Returns
    -------
    Study
        A row for each teacher, and for each method, size, learning rate, strength and seed, with these columns.

        - ``method``, or ``teacher``; ``asked``, the number of hidden units asked for; ``seed``; ``learning_rate``; ``strength`` of the
          group lasso, None for other methods; ``units``, the number of hidden units.
        - ``images``: training images of even digits consumed, each time they were used, for pruning by activation x gradient those that
          units were scored on too; for a teacher those of all digits.
        - ``reached``: whether the network is as small as asked and was accurate by then. Otherwise ``images`` is the number it was trained
          on. For a teacher, whether it is accurate.
        - ``validation_accuracy`` and ``test_accuracy`` on even digits, in [0, 1]. Nothing is decided on the test images.
        - ``first_order_pearson`` and so on (see ``ScoreCorrelation``), of a teacher: how ``first_order`` and ``activation_gradient``
          attribution agree with ablation over all hidden units, scored on the 480 training images that pruning scores on. None where a
          correlation is not defined, and in all other rows.
        - ``seconds``: those of the cell, shared equally by its rows.

    Raises
    ------
    ValueError, FileNotFoundError
        When the protocol, the source or the images do not fit.

    Notes
    -----
    Published: Michaud, Parker-Sartori and Tegmark, "On the creation of narrow AI", NeurIPS 2025. There training stops on the test images;
    biases and, in some scripts, outgoing weights of pruned units stay alive; scored images are not counted; and all runs share a teacher,
    which is regularised by dropout.

    Here every seed has its own teacher, and all trainings have noise on the pixels: without it few networks got to 97 % on the 4,110 images
    of even digits among 10,000. All methods have batches of 16 (published: 64 from scratch and for distillation). All are tried with the
    same learning rates, of which the best is reported; a group lasso also with several strengths. In the full protocol, pruning and the
    group lasso have the published learning rates; scratch and distillation have those of pruning (published: one). Distillation uses Adam
    (published: momentum).

    The group lasso is the published subgradient, of weights without biases. A network is captured at the first check at which few enough
    groups are alive; then the dead ones are masked, the penalty ends and training until the target begins. One run gives all sizes. Sizes
    above 2,000 units are not run.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}; got {protocol!r}")
    settings = settings_of(protocol, source, mnist_digits(source=source, data_dir=data_dir))
    work = partial(even_cell, protocol=protocol, source=source, data_dir=data_dir)
    report = partial(even_report, protocol=protocol)
    return Study(cells_of(protocol), work, settings, report, needs=needs_of(protocol), table=without_lists)


CONVOLUTIONAL: Options = {
    "--convolutional": {
        "action": "store_const",
        "const": "convolutional",
        "default": "reduced",
        "dest": "protocol",
        "help": "networks of two convolutions and two Linear layers in place of Linear layers alone: two sizes, two seeds",
    }
}

COMMAND = Command(
    study,
    "even digits by small networks, from a teacher or from scratch: how many images until 97 %%?",
    {**full_size("protocol"), **CONVOLUTIONAL, **SOURCE},
)
