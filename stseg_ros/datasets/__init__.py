"""Images with vehicle masks, real and synthetic; no torch."""
