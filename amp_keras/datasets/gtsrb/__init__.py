"""German Traffic Sign Recognition Benchmark for TensorFlow Datasets."""
