"""Results on disk, each file whole or not at all: a folder of cells, what they made, and tables of rows."""

from .folder import Store as Store
from .rows import Row as Row
from .rows import table_bytes as table_bytes
from .rows import write_rows as write_rows
