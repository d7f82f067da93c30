"""What a corrected model is to one visitor: a history of corrections, one attempt, what it is to leave alone.

Nothing here is kept but what is handed in: a `History` belongs to one session, `Caches` to all of them.
"""
