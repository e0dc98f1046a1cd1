"""Monitors of batches: whether a network still meets what it met in the rows of a reference."""

from .alarms import Alarm as Alarm
from .alarms import monitor as monitor
