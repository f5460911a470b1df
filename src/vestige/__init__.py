"""Vestige finds what an "unlearned" language model still remembers."""

__version__ = "0.1.0"
