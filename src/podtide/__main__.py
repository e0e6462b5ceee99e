"""`python -m podtide` is `podtide`."""

import sys

from podtide.cli.main import main

sys.exit(main())
