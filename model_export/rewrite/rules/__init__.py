"""One small rule for each operator: what it makes of the facts, and how a session runs it."""
