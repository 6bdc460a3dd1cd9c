"""Models that were not trained here: each kind of file is read into an `Original`."""
