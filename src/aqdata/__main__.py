"""`python -m aqdata` is the command `aqdata`."""

from __future__ import annotations

import sys

from aqdata.cli import main

sys.exit(main())
