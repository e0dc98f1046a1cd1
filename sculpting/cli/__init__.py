"""The command line."""

from .arguments import main as main
