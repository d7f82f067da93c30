"""What the app does not do itself, as a command or lines of Python to copy."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

import streamlit as st

from ui.widgets import layout


def show(title: str, about: str, *codes: tuple[str, str]) -> None:
    """``codes``: a language and the lines in it."""
    with st.expander(title, type="compact"):
        layout.caption(about)
        for language, lines in codes:
            st.code(lines, language=language, wrap_lines=True)


def _near(path: Path) -> str:
    """A path, short where it is below the present folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def many_reviews(folder: Path) -> None:
    model = quote(_near(folder))
    show(
        "Explain many reviews",
        "A file with one review a line. A CSV with labels is measured by “sparsecbm evaluate”.",
        ("sh", f"sparsecbm explain --model {model} --file reviews.txt --method none --output all.json"),
    )


def use_patch(folder: Path, name: str) -> None:
    python = (
        "from sparsecbm_core import ConceptModel\n"
        "from sparsecbm_core.intervene import Patch, apply_patch\n"
        f"model = apply_patch(ConceptModel.from_pretrained({_near(folder)!r}), Patch.load({name!r}))"
    )
    show(
        "Use the patch elsewhere",
        "The patch fits every copy of this model.",
        ("sh", f"sparsecbm patch apply --model {quote(_near(folder))} {quote(name)} --output corrected"),
        ("python", python),
    )
