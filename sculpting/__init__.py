"""Sculpt trained networks until only their structure is left: prune units, then edges, as long as the accuracy holds."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import tasks as tasks
    from .estimators import SculptedClassifier as SculptedClassifier
    from .estimators import SculptedRegressor as SculptedRegressor
    from .executors import cluster as cluster
    from .executors import workers as workers
    from .frontier import Frontier as Frontier
    from .metrics import Figure as Figure
    from .metrics import group_accuracy as group_accuracy
    from .models.chain import read_model as read_model
    from .models.exchange import from_torch_prune as from_torch_prune
    from .models.exchange import to_onnx as to_onnx
    from .models.exchange import to_torch_prune as to_torch_prune
    from .models.network import SparseNetwork as SparseNetwork
    from .models.sparse_module import SparseModule as SparseModule
    from .monitoring import Alarm as Alarm
    from .monitoring import monitor as monitor
    from .resculpting import ResculptResult as ResculptResult
    from .resculpting import ResculptStatus as ResculptStatus
    from .resculpting import resculpt as resculpt
    from .results import SculptResult as SculptResult
    from .results import StopReason as StopReason
    from .schedule.history import Attempt as Attempt
    from .schedule.history import RoundEvent as RoundEvent
    from .sculptor import sculpt as sculpt
    from .settings import ScheduleSettings as ScheduleSettings
    from .settings import TrainingSettings as TrainingSettings
    from .store import write_rows as write_rows
    from .study import CellResult as CellResult
    from .study import Study as Study
    from .study import run as run
    from .tasks import Task as Task
    from .trail import Trail as Trail
else:  # loaded when they are first asked for: torch takes seconds, which `sculpting --help` need not wait for
    import importlib

    _MODULES = {
        "SculptedClassifier": ".estimators",
        "SculptedRegressor": ".estimators",
        "cluster": ".executors",
        "workers": ".executors",
        "Frontier": ".frontier",
        "Figure": ".metrics",
        "group_accuracy": ".metrics",
        "read_model": ".models.chain",
        "from_torch_prune": ".models.exchange",
        "to_onnx": ".models.exchange",
        "to_torch_prune": ".models.exchange",
        "SparseModule": ".models.sparse_module",
        "SparseNetwork": ".models.network",
        "Alarm": ".monitoring",
        "ResculptResult": ".resculpting",
        "ResculptStatus": ".resculpting",
        "monitor": ".monitoring",
        "resculpt": ".resculpting",
        "SculptResult": ".results",
        "StopReason": ".results",
        "Attempt": ".schedule.history",
        "RoundEvent": ".schedule.history",
        "sculpt": ".sculptor",
        "ScheduleSettings": ".settings",
        "TrainingSettings": ".settings",
        "write_rows": ".store",
        "CellResult": ".study",
        "Study": ".study",
        "run": ".study",
        "Task": ".tasks",
        "Trail": ".trail",
    }
    __all__ = ["tasks", *_MODULES]

    def __getattr__(name: str) -> object:
        """The public name or the module of this name."""
        if name in _MODULES:
            globals()[name] = value = getattr(importlib.import_module(_MODULES[name], __name__), name)
            return value
        if not name.startswith("_"):
            try:
                return importlib.import_module(f".{name}", __name__)
            except ModuleNotFoundError as error:
                if error.name != f"{__name__}.{name}":
                    raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__version__ = "0.1.0"
