"""Packages that can be called: ``explain(model, text)``, where ``explain`` also holds modules.

A package is an attribute of the one above it as soon as any of its modules is imported, whatever had that
name there before. So a verb with the name of a package is the package itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any


def callable_as(package: str, home: str, function: str) -> None:
    """Let calling ``package`` be calling ``function`` of its module ``home``, loaded when first needed."""

    class Verb(ModuleType):
        def __call__(self, *args: Any, **options: Any) -> Any:
            return self.__wrapped__(*args, **options)

        @property
        def __wrapped__(self) -> Callable[..., Any]:
            """Where `inspect.signature` and editors look."""
            found: Callable[..., Any] = getattr(import_module(f"{package}.{home}"), function)
            return found

    sys.modules[package].__class__ = Verb
