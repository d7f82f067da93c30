"""A run's JSON-lines log, cut back to the saved state when a run resumes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class RunLog:
    """Appends one JSON object per line, flushed at once; ``keep_bytes`` of an earlier log stay."""

    def __init__(self, path: Path, keep_bytes: int = 0) -> None:
        self.path = path
        with path.open("ab") as handle:
            handle.truncate(min(keep_bytes, handle.tell()))  # a longer one would be filled with zeros

    def write(self, event: str, **values: Any) -> None:
        entry = {"event": event, "time": datetime.now(UTC).isoformat(timespec="seconds"), **values}
        with self.path.open("ab") as handle:
            handle.write((json.dumps(entry, ensure_ascii=False) + "\n").encode())

    def size(self) -> int:
        return self.path.stat().st_size
