"""Tasks that change: the part of a sparse network that must be learnt again."""

from .resculptor import resculpt as resculpt
from .results import ResculptResult as ResculptResult
from .results import ResculptStatus as ResculptStatus
