"""ONNX networks rewritten for the builders of plans."""
