"""`python -m torchfakes_utils` is `torchfakes`, for environments whose scripts are not on the path."""

import sys

from torchfakes_utils.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
