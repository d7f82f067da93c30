"""Masks as a safetensors file: packed bits, with concept names and shapes in the header."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from sparsecbm_core.errors import CheckpointError
from sparsecbm_core.files import too_new
from sparsecbm_core.models.backbone import one_line
from sparsecbm_core.models.masks import MaskSet

SCHEMA_VERSION = 1


def save_masks(masks: MaskSet, path: Path) -> None:
    """Packed bits with concept names and shapes in the header."""
    header = {
        "schema_version": str(SCHEMA_VERSION),
        "concepts": json.dumps(masks.concepts),
        "shapes": json.dumps({name: list(shape) for name, shape in masks.shapes.items()}),
    }
    save_file({name: np.array(bits) for name, bits in masks.packed.items()}, path, header)


def load_masks(path: Path) -> MaskSet:
    """Inverse of `save_masks`; `CheckpointError` if damaged or of a newer version."""
    try:
        with safe_open(path, framework="np") as handle:
            header = handle.metadata() or {}
            version = int(header["schema_version"])
            if version <= SCHEMA_VERSION:
                shapes = {name: tuple(shape) for name, shape in json.loads(header["shapes"]).items()}
                packed = {name: handle.get_tensor(name) for name in shapes}
                return MaskSet(tuple(json.loads(header["concepts"])), shapes, packed)
    except (SafetensorError, OSError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: {one_line(error)}") from error
    raise too_new(path, version, SCHEMA_VERSION)
