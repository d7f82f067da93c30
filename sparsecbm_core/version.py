"""The version of app, command line and package, and the one that new checkpoints carry."""

from __future__ import annotations

__version__ = "0.1.0"
