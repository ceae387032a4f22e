"""What a bundle costs: every way of running it, timed in one run on one machine."""
