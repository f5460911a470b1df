"""Intervals and corrections for a handful of clusters."""
