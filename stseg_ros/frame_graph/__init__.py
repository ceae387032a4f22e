"""The whole frame as one ONNX graph: camera image in, mask out, nothing on the host between."""
