"""Where the app's own files lie: models, reviews, style sheets, the pathway's script."""

from __future__ import annotations

from pathlib import Path

ASSETS = Path(__file__).resolve().parents[2] / "assets"
