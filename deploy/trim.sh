#!/bin/sh
# Removes from /opt/gatewise what a process that serves never reads.
set -eu
cd /opt/gatewise/lib/python3.11/site-packages
rm -r model_export
rm -r onnxruntime/transformers onnxruntime/quantization onnxruntime/tools onnxruntime/datasets
find . -type d -name tests -prune -exec rm -r {} +
