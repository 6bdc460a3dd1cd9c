"""Where traces live: the inputs of sessions, kept so that their gates can be computed again."""
