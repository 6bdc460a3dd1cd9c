"""`report.html`: what training or rounding did, on one page that needs nothing else."""

from model_export.report.page import write_report
from model_export.report.quantized import write_quantization_report

__all__ = ["write_quantization_report", "write_report"]
