"""Scores, timings and reports."""
