"""What detection takes, as types: networks in every supported form, and the options of the method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias, TypedDict

from numpy.typing import NDArray

__all__ = ["Candidates", "DetectionOptions", "Network", "OneNetwork", "Weights"]

# Protocols, not classes: the packages of some of these objects are not imported here, or have no types, and a union with an untyped
# class would hold everything.


class _WithWeights(Protocol):
    """Such as a ``SparseNetwork`` or a :class:`LayeredGraph`."""

    @property
    def weights(self) -> Sequence[Any]: ...


class _WithBlocks(Protocol):
    """Such as a ``SparseModule`` or a :class:`UnitGraph`."""

    @property
    def layers(self) -> tuple[Any, ...]: ...
    @property
    def blocks(self) -> tuple[Any, ...]: ...


class _WithNetwork(Protocol):
    """A result that stands for its network, such as that of ``sculpt``."""

    @property
    def network(self) -> Any: ...


class _Directed(Protocol):
    """A ``networkx.DiGraph`` or an ``igraph.Graph``."""

    def is_directed(self) -> bool: ...


class _Fitted(Protocol):
    """An ``MLPClassifier`` or ``MLPRegressor`` of scikit-learn."""

    @property
    def coefs_(self) -> Any: ...


class _Frame(Protocol):
    """A data frame, which is an adjacency over units that have names."""

    @property
    def columns(self) -> Any: ...
    @property
    def index(self) -> Any: ...


class _WithCandidates(Protocol):
    """A result whose candidates are meant."""

    @property
    def candidates(self) -> Iterable[Any]: ...


class _Sparse(Protocol):
    """A matrix of SciPy."""

    @property
    def nnz(self) -> Any: ...
    @property
    def shape(self) -> Any: ...


Matrix: TypeAlias = NDArray[Any] | _Sparse | Sequence[Sequence[float]]
Weights: TypeAlias = Sequence[Matrix]
Network: TypeAlias = _WithWeights | _WithBlocks | _WithNetwork | _Directed | _Fitted
OneNetwork: TypeAlias = Network | _Frame | Weights
Candidates: TypeAlias = _WithCandidates | Iterable[Network | Weights]


class DetectionOptions(TypedDict, total=False):
    """The options of :func:`analysis.detect_modules`, with its names and types."""

    method: str
    features: str
    direction: str | None
    linkage: str
    distance: str
    criterion: str
    ties: str | None
    merge_threshold: float
    modularity_threshold: float
    reach: int | None
    max_units: int
