"""Looking into what a model did: traces are kept, run again, and asked."""
