"""The two-stage method on arrays: NumPy and OpenCV only."""
