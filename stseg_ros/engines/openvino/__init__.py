"""Networks and graphs of frames on OpenVINO."""
