"""`/v1`: JSON over HTTP, and a WebSocket for many sessions."""
