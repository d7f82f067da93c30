"""``python -m sparsecbm_core``."""

import sys

from sparsecbm_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
