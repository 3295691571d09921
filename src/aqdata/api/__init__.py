"""The HTTP API: routes over the service; `app.py` puts them together."""
