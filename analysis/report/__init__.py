"""Reports of a hierarchy: as text, and as one HTML page with the picture."""

from .files import write_report as write_report
from .page import report_html as report_html
from .text import report_text as report_text
