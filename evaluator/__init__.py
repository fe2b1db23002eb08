"""Benchmark suites, sampling, grading, statistics."""
