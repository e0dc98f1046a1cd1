"""Sculpt trained networks until only their structure is left: prune units, then edges, as long as the accuracy holds."""

from . import tasks as tasks
from .executors import cluster as cluster
from .executors import workers as workers
from .models.chain import read_model as read_model
from .models.network import SparseNetwork as SparseNetwork
from .results import SculptResult as SculptResult
from .results import StopReason as StopReason
from .schedule.history import Attempt as Attempt
from .sculptor import sculpt as sculpt
from .settings import ScheduleSettings as ScheduleSettings
from .settings import TrainingSettings as TrainingSettings
from .store import write_rows as write_rows
from .study import CellResult as CellResult
from .study import Study as Study
from .study import run as run
from .tasks import Task as Task

__version__ = "0.1.0"
