"""Figures: success rates as bars, heat maps and lines, with counts, intervals and published rates; scores of units as points."""

from .bars import success_bars as success_bars
from .lines import success_lines as success_lines
from .maps import success_map as success_map
from .panels import series_panels as series_panels
from .paper import LETTERS as LETTERS
from .paper import axes_of as axes_of
from .paper import letter as letter
from .paper import shades as shades
from .scatter import score_scatter as score_scatter
