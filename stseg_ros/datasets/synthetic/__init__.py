"""Synthetic road scenes with exact vehicle masks: one street, seen from a moving car."""
