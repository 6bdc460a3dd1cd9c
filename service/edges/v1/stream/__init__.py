"""WS /v1/stream: many sessions over one socket. Docs: docs/streaming.md."""
