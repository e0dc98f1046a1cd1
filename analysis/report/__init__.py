"""Reports of a hierarchy: as text, as one HTML page to explore, as a card for notebooks, and as a data frame."""

from .card import report_card as report_card
from .card import report_svg as report_svg
from .files import write_report as write_report
from .frames import report_frame as report_frame
from .page import report_html as report_html
from .panel import Candidate as Candidate
from .text import report_text as report_text
