"""The same core from a terminal, a file for each command."""

from sparsecbm_core.cli.app import main

__all__ = ["main"]
