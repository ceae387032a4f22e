"""Plans run by TensorRT and TensorRT-RTX."""
