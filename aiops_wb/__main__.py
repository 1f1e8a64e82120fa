"`python -m aiops_wb` is the command `aiops-wb`: schedules name their interpreter in full."

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
