"""The two Protocols of the backends, and each backend in modules of its own; nothing of HTTP or of DataFiles."""
