"""The models that are served: their folders, their versions, and the watch for new ones."""
