"""`report.html`: what training did, on one page that needs nothing else."""

from model_export.report.page import write_report

__all__ = ["write_report"]
