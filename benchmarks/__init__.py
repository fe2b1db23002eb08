"""Measurements, one claim a file; each compares side by side in one run. See README.md."""
