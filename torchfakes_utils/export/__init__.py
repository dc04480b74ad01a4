"""The network without Python: ONNX, ExecuTorch, a web page."""
