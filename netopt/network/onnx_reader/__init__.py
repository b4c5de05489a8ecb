"""ONNX files as networks: one file per operator family, one registry from operator to lowering function."""
