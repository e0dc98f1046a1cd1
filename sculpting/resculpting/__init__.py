"""Tasks that change: the part of a sparse network that must be learnt again, and a monitor that says when."""

from .monitoring import Alarm as Alarm
from .monitoring import monitor as monitor
from .resculptor import resculpt as resculpt
from .results import ResculptResult as ResculptResult
from .results import ResculptStatus as ResculptStatus
