"""Figures of success rates: bars, heat maps and lines, each with its counts, its intervals and what was published."""

from .bars import success_bars as success_bars
from .lines import success_lines as success_lines
from .lines import success_panels as success_panels
from .maps import success_map as success_map
