"""The ledger: corrections that were kept, in SQL, each of them revertible on its own."""

from sparsecbm_core.ledger.correction import Imported, KeptCorrection, Overlap, Overlaps
from sparsecbm_core.ledger.ledger import Ledger
from sparsecbm_core.ledger.place import default_place

__all__ = [
    "Imported",
    "KeptCorrection",
    "Ledger",
    "Overlap",
    "Overlaps",
    "default_place",
]
