"""From a recipe and data to an exported bundle."""
