"""A tiny film model beside the tiny one of restaurants, and the app started with both."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from sparsecbm_core.concepts import IMDB_ALL_CONCEPTS, imdb_space
from tests.tiny import make_tiny

FILMS, TITLE = "tiny-films", "Films (MiniLM)"
TRAINING = {"data": "IMDB-C", "settings": {"kind": "sparse", "backbone": "/somewhere/all-MiniLM-L6-v2"}}


def save_films(folder: Path) -> Path:
    """A model of the eight film concepts in ``folder``."""
    model = replace(make_tiny("bert", seed=1, space=imdb_space(IMDB_ALL_CONCEPTS)), training=TRAINING)
    model.save_pretrained(folder)
    return folder


def both(*folders: Path) -> str:
    """Several folders as the environment names them."""
    return os.pathsep.join(map(str, folders))
