"""Networks and graphs of frames on ONNX Runtime."""
