"""Breaks each promise on purpose, in a copy, and shows which tests notice: ``python -m tests.mutants``."""
