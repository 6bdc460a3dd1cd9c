"""`report.html`: what making a model did, on one page that needs nothing else."""
