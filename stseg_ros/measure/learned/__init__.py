"""What is fitted to a bundle's networks on held-out images: a merge and a choice of regions."""
