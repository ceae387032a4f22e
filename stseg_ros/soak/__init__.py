"""The soak: the real node under good and bad frames for long, and what became of each of them."""
