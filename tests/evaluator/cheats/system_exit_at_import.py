"""Ends with success before it defines what is asked for."""

import sys

sys.exit(0)
