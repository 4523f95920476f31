"""Networks from and for other programs: the weights released for Caffe in, ONNX out.

Imports networks, and inputs of the top; only the commands `import-caffe` and `export-onnx` import it.
"""
