"""Lets the tests of `data` import what they share, however pytest runs."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parent))
