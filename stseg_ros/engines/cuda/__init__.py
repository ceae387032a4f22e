"""CUDA's driver and runtime, without a toolkit."""
