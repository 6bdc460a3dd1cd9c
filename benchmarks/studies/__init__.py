"""Questions that were answered once, each a program of its own to be run by hand."""
