"""Every figure that the design promises: a module for each, with `rows(plan)`."""
