"""Plans built from ONNX networks by TensorRT and TensorRT-RTX."""
