"""Inference backends behind one protocol; each third-party library is imported when opened."""
