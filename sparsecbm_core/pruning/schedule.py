"""When the sparsity rises during the sparse phase, and how far."""

from __future__ import annotations

from sparsecbm_core.config import PruneSettings


def cubic_sparsity(update: int, updates: int, target: float) -> float:
    """Sparsity after update 1 … ``updates``: s·(1 − (1 − u/n)³), steep first (Zhu & Gupta 2017).

    >>> [round(cubic_sparsity(u, 3, 0.75), 3) for u in (0, 1, 2, 3)]
    [0.0, 0.528, 0.722, 0.75]
    """
    return target * (1.0 - (1.0 - update / updates) ** 3)


def update_steps(settings: PruneSettings, total_steps: int) -> dict[int, int]:
    """Training step → number of the mask update made before it (1 … ``updates``).

    Evenly spaced from step 0; the last one comes before ``schedule_share`` of the phase has
    passed. Phases shorter than the number of updates make fewer, and always the last.
    """
    window = max(1, int(total_steps * settings.schedule_share))
    steps = {}
    for update in range(1, settings.updates + 1):
        steps[(update - 1) * window // settings.updates] = update
    return steps
