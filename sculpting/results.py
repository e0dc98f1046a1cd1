"""The result of ``sculpt``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from numpy.typing import NDArray

from .engine import M, Setup
from .frontier import Frontier, scores_of
from .metrics import Figure, figure_of, metric_of
from .models.network import SparseNetwork, by_edges
from .models.sparse_module import SparseModule
from .monitoring import Alarm, monitor
from .schedule.accepted import Accepted, accepted_attempts
from .schedule.chains import ChainState
from .schedule.history import Attempt, RoundRecord
from .schedule.pruning_schedule import PruningSchedule
from .structure import card_of, report_of
from .tasks.task import Task
from .trail import Followed, Trail, trail_of

__all__ = ["SculptResult", "StopReason", "result_of"]

# Or a SparseModule, as the model was: with a union of the two, a checker would ask every user of `weights` which one it is.
Network: TypeAlias = SparseNetwork | Any


class StopReason(Enum):
    """Why sculpting ended; the value is a sentence for the user."""

    FINEST_STEP = "Every chain ended where none of the edges tried, the least important, could go without losing the accuracy."
    UNITS_ONLY = (
        "Every chain ended where none of the units tried, the least important, could go without losing the accuracy; "
        "no edge steps were asked for."
    )
    NOTHING_ACCEPTED = (
        "No network reached the accuracy that was asked for, or the mean of the dense networks, dense or pruned: give more steps a round, "
        "a wider model or more seeds, "
        "or lower min_accuracy."
    )
    NOTHING_LEARNT = (
        "No dense network beat the best constant prediction by more than chance explains, so nothing was pruned. Give more rows or inputs "
        "that tell more, change learning_rate, steps or the model (with initial='model', train it first), or say by min_accuracy what is "
        "enough."
    )


@dataclass(frozen=True, eq=False)
class SculptResult:
    """Sparse networks, and the history of how they were found.

    Attributes
    ----------
    candidates : tuple of SparseNetwork, or of SparseModule where the model is no chain of Linear layers
        The last accepted network of every chain that has one, the sparsest first.
    dense : tuple of the same
        The trained networks from which pruning started, one for each model, learning rate and seed, accepted or not.
    rounds : tuple of RoundRecord
        Every training round in columns; ``history`` holds the same row by row.
    min_accuracy : float
        The accuracy that a network had to reach to be accepted; where a paired test decides, the mean of the dense networks less the
        tolerance.
    stop_reason : StopReason
    seeds : tuple of int
    task : Task, optional
        The data, with the validation rows that decided and the test rows, if any, that did not.
    followed : tuple of Followed, or str
        What :meth:`trail` needs of the candidates and the dense networks, or why there is none.
    """

    candidates: tuple[Network, ...]
    dense: tuple[Network, ...] = field(repr=False)
    rounds: tuple[RoundRecord, ...] = field(repr=False)
    min_accuracy: float
    stop_reason: StopReason
    seeds: tuple[int, ...]
    task: Task | None = field(default=None, repr=False)
    followed: tuple[Followed, ...] | str = field(default="it was put together without", repr=False)

    @cached_property
    def history(self) -> tuple[Attempt, ...]:
        """Every attempt: chain, phase, density asked, density, accuracy, accepted, seconds."""
        return tuple(attempt for part in self.rounds for attempt in part.attempts(self.min_accuracy))

    @property
    def network(self) -> SparseNetwork | SparseModule | None:
        """The sparsest accepted candidate, as published. None when nothing was accepted; ``stop_reason`` says why.

        A ``SparseNetwork`` where the model was a chain of Linear layers, otherwise a ``SparseModule``.
        """
        return self.candidates[0] if self.candidates else None

    @property
    def accuracy(self) -> float:
        """Accuracy of the sparsest candidate on the validation rows; without one, the best of all attempts."""
        return self.candidates[0].accuracy if self.candidates else max(max(part.accuracy) for part in self.rounds)

    @property
    def density(self) -> float:
        """Edges left in the sparsest candidate as a fraction of all, in [0, 1]; 1 without one."""
        return self.candidates[0].density if self.candidates else 1.0

    @property
    def metric(self) -> str:
        """The name of the figure by which networks were judged, such as ``"accuracy"`` or ``"R2"``."""
        return "accuracy" if self.task is None else metric_of(self.task.metric, self.task.loss).name

    @property
    def validation_metric(self) -> str:
        """What the figure that decided is called: that of complete tables is of all rows."""
        return self.metric if self.task is None or self.task.complete else f"validation {self.metric}"

    @property
    def test_accuracy(self) -> Figure | None:
        """The ``metric`` of the sparsest candidate on the test rows, with its interval; None without either."""
        return None if self.network is None else self.tested(self.network)

    @property
    def dense_test_accuracy(self) -> Figure | None:
        """The mean of the same over the dense networks."""
        return self.tested(*self.dense)

    def tested(self, *networks: Network) -> Figure | None:
        """The ``metric`` on the test rows, with its interval, of one network or in the mean of several; None without test rows."""
        if self.task is None or self.task.y_test is None or not networks:
            return None
        metric = metric_of(self.task.metric, self.task.loss)
        scores = [scores_of(network, self.task, metric, "test") for network in networks]
        return figure_of(torch.stack(scores).mean(dim=0), metric, len(self.task.y_test))

    def by_output(self) -> dict[str, Figure]:
        """The ``metric`` of the sparsest candidate on the test rows, or without any on the validation rows, for each output.

        Classes are one, under the name ``"classes"``; groups of outputs are ``"group 0"`` and so on. Empty where nothing was accepted.
        """
        if self.task is None or self.network is None:
            return {}
        metric = metric_of(self.task.metric, self.task.loss)
        part = "validation" if self.task.x_test is None else "test"
        scores = scores_of(self.network, self.task, metric, part)
        rows = len(getattr(self.task, f"y_{part}"))
        known = ("classes",) if self.task.loss == "ce" else self.task.output_names
        word = "y" if len(scores) in (1, self.task.y.shape[1]) else "group "
        names = known if len(known) == len(scores) else [f"{word}{i}" for i in range(len(scores))]
        return {name: figure_of(each.unsqueeze(0), metric, rows) for name, each in zip(names, scores, strict=True)}

    def trail(self, network: Any) -> Trail:
        """The accepted attempts on the way to a candidate or a dense network, and in which of them each edge went.

        Raises
        ------
        ValueError
            When the network is none of this result, or the result has no trails: its chains have more than 2^27 edges in all, or it went
            on from a checkpoint without trails.

        Examples
        --------
        >>> from sculpting import sculpt, tasks
        >>> task = tasks.from_gates({"y": "(a & b) | c"})
        >>> result = sculpt(task.model(width=6, hidden_layers=1), task, seeds=1, unit_steps=[0.5], edge_steps=[0.05], progress=False)
        >>> trail = result.trail(result.network)
        >>> [attempt.phase for attempt in trail.attempts][:3], trail.attempts[0].density
        (['dense', 'units', 'units'], 1.0)
        >>> sum(int(mask.sum()) for mask in trail.masks(-1)) == result.network.edge_count
        True
        """
        if isinstance(self.followed, str):
            raise ValueError(f"this result has no trails: {self.followed}")
        return trail_of(network, self.followed, self._accepted)

    @cached_property
    def _accepted(self) -> Accepted:
        return accepted_attempts(self.rounds, self.min_accuracy)

    def frontier(self) -> Frontier:
        """The candidates that no other beats both in edges and on the validation rows, with their figures on the test rows.

        Raises
        ------
        ValueError
            When nothing was accepted, or the result has no task.
        """
        if self.task is None or not self.candidates:
            raise ValueError(f"a frontier needs candidates and their data; got none. {self.stop_reason.value}")
        return Frontier.of(self.candidates, self.dense, self.task)

    def predict(self, x: Any) -> NDArray[Any]:
        """What the sparsest candidate answers: class numbers of shape (rows,), else bits or real values of shape (rows, outputs).

        Raises
        ------
        ValueError
            When nothing was accepted, or ``x`` is not of shape (rows, inputs).
        """
        if self.network is None:
            raise ValueError(f"there is no network to predict with: {self.stop_reason.value}")
        answers: NDArray[Any] = self.network.predict(x)
        return answers

    def monitor(self, batches: Iterable[Any], **options: Any) -> Iterator[Alarm]:
        """Whether batches are as the rows of the result are, one alarm each: :func:`sculpting.monitor`, which has the options."""
        return monitor(self, batches, **options)

    def report(
        self,
        path: str | Path,
        hierarchy: Any = None,
        comparison: Any = None,
        *,
        detection: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> Path:
        """Write a page that shows modules, hierarchy and rounds of pruning, and switches between seeds; returns the path.

        Parameters
        ----------
        path : str or Path
            Ends in ``.html``, or in ``.txt`` for the text alone.
        hierarchy : Hierarchy, optional
            What is shown at first, such as ``detect_modules(result.network)``; the consensus of the candidates when left out. The page
            can switch to the sparsest candidates of the other seeds, of up to eight seeds in all.
        comparison : Comparison, optional
            Of the hierarchy with a truth.
        detection : mapping, optional
            Settings of ``detect_modules``, for all networks that are looked at here.
        **options
            Of :func:`analysis.write_report`: ``title``, ``evidence``, ``image``, ``collapse``, ``candidates``, ``rounds`` and
            ``settings``. ``title`` and ``image`` are those of the task when left out, if it has them.

        Raises
        ------
        TypeError
            When ``hierarchy`` is no hierarchy, or an option is of another type.
        ValueError
            When nothing was accepted, or an option does not fit.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from sculpting import sculpt, tasks
        >>> task = tasks.from_gates({"y": "(a & b) | c"})
        >>> result = sculpt(task.model(width=6, hidden_layers=1), task, seeds=2, unit_steps=[0.5], edge_steps=[0.05], progress=False)
        >>> with TemporaryDirectory() as folder:
        ...     "Rounds of pruning" in result.report(f"{folder}/report.html").read_text()
        True
        """
        if not self.candidates:
            raise ValueError(f"there is no network to report on: {self.stop_reason.value}")
        return report_of(self, path, hierarchy, comparison, detection, options)

    def frame(self) -> Any:
        """One row a candidate, as a pandas data frame: edges, density, units, validation and test figures, and where it began.

        Raises
        ------
        ImportError
            When pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("frame needs pandas; got none. Install it: pip install pandas") from error
        rows = []
        for network in self.candidates:
            test = self.tested(network)
            figures = {f"validation {self.metric}": network.accuracy, f"test {self.metric}": None if test is None else test.value}
            units = "-".join(map(str, network.unit_counts))
            origin = {name: network.origin.get(name) for name in ("seed", "unit_step", "edge_step", "learning_rate")}
            rows.append({"edges": network.edge_count, "density": network.density, "units": units, **figures, **origin})
        return pandas.DataFrame(rows)

    def __str__(self) -> str:
        rounds, accepted = len(self.history), sum(a.accepted for a in self.history)
        seeds = f"{len(self.seeds)} seed{'s' * (len(self.seeds) != 1)}"
        lines = [f"{len(self.candidates)} candidates from {seeds}, {rounds} rounds of which {accepted} were accepted"]
        name = self.validation_metric
        if self.candidates:
            first = self.candidates[0]
            units = "-".join(map(str, first.unit_counts))
            lines = [
                *self._test_lines(),
                *lines,
                f"sparsest   {first.edge_count} edges, density {first.density:.4f}, units {units} of {'-'.join(map(str, first.widths))}",
                f"{name}   {first.accuracy:.4f} (accepted from {self.min_accuracy:.4f}{self._how()})",
            ]
        else:
            bar = "" if self.stop_reason is StopReason.NOTHING_LEARNT else f" (accepted from {self.min_accuracy:.4f})"
            lines.append(f"{name}   {self.accuracy:.4f} at best{bar}")
        return "\n".join([*lines, self.stop_reason.value])

    def _repr_html_(self) -> str:
        return card_of(self, self.network)

    def _how(self) -> str:
        tested = any(record.accepted is not None for record in self.rounds)
        return " by a paired test" if tested else ""

    def _test_lines(self) -> list[str]:
        test, dense = self.test_accuracy, self.dense_test_accuracy
        if test is None or dense is None:
            return []
        lines = [f"test {self.metric}   {test}; dense {dense.value:.3f}"]
        parts = self.by_output()
        if len(parts) > 1:
            worst = min(parts, key=lambda name: parts[name].value)
            lines.append(f"worst output   {worst}: {parts[worst]}")
        return lines


def result_of(pruning: PruningSchedule[M], setup: Setup, task: Task, set_by_dense: bool) -> SculptResult:
    """The result of a pruning schedule that has ended; ``set_by_dense`` says whether the dense networks set ``min_accuracy``.

    ``task`` is in the user's units, in which the ``setup`` of the engine returns networks.
    """
    rounds = pruning.rounds
    dense, found = (_networks(pruning, state, setup, task) for state in (pruning.dense, pruning.state))
    candidates = by_edges([network for network, accepted in found if accepted])
    if candidates:
        reason = StopReason.FINEST_STEP if pruning.edge_steps else StopReason.UNITS_ONLY
    else:
        only_dense = all(record.phase == "dense" for record in rounds.history)
        reason = StopReason.NOTHING_LEARNT if set_by_dense and only_dense else StopReason.NOTHING_ACCEPTED
    seeds = tuple(dict.fromkeys(network.origin["seed"] for network, _ in dense))
    networks = tuple(network for network, _ in dense)
    followed = pruning.unfollowed or tuple(
        each
        for state, of_state in ((pruning.state, found), (pruning.dense, dense))
        for each in _followed(pruning, state, [network for network, _ in of_state])
    )
    return SculptResult(candidates, networks, tuple(rounds.history), rounds.criterion.min_accuracy, reason, seeds, task, followed)


def _followed(pruning: PruningSchedule[M], state: ChainState[M] | None, networks: list[Any]) -> list[Followed]:
    """What is known of the trails of these networks, one a chain."""
    if state is None or state.survived is None or pruning.dense is None:
        return []
    dense = dict(zip(pruning.dense.names, pruning.dense.accuracy.tolist(), strict=True))
    survived = pruning.rounds.engine.by_weights(state.members, state.survived)
    return [
        Followed(network, name, dense[name._replace(unit_step=None, edge_step=None)], counts)
        for network, name, counts in zip(networks, state.names, survived, strict=True)
    ]


def _networks(pruning: PruningSchedule[M], state: ChainState[M] | None, setup: Setup, task: Task) -> list[tuple[Any, bool]]:
    """The network of every chain, and whether it was accepted."""
    if state is None:
        return []
    rounds = pruning.rounds
    rates = rounds.rates.tolist()
    first = len(rates) // 2 if pruning.settings.restart_rate is not None else len(rates)  # rates of first starts
    models = [setup.facts(model) for model in range(setup.models)]
    facts = [
        {
            **models[name.model][0],
            "accuracy": accuracy,
            "loss": task.loss,
            "metric": metric_of(task.metric, task.loss).name,
            "input_names": task.input_names,
            "output_names": task.output_names,
            "origin": {
                "seed": name.seed, "unit_step": name.unit_step, "edge_step": name.edge_step, "model": name.model,
                "learning_rate": rates[name.rate], **models[name.model][1], **task.origin,
                **({"restarted": True} if name.rate >= first else {}),
            },
        }
        for name, accuracy in zip(state.names, state.accuracy.tolist(), strict=True)
    ]  # fmt: skip
    networks = [setup.returned(network) for network in rounds.engine.export(state.members, facts)]
    return list(zip(networks, state.accepted.tolist(), strict=True))
