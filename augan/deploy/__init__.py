"""Models as ONNX files: writing them (needs torch) and running them (needs none)."""
