"""The same core from a terminal: data stats, train, evaluate, explain."""

from sparsecbm_core.cli.app import main

__all__ = ["main"]
