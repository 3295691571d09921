"""The configuration of servers and clients (`load`, `Config`); what it configures is built elsewhere."""

from __future__ import annotations

from aqdata.config.load import KEYS, OTHER_VARIABLES, VARIABLES, Loaded, load, server_url
from aqdata.config.model import Config, DataBackend, MetadataBackend, Server, embedded

__all__ = [
    "KEYS",
    "OTHER_VARIABLES",
    "VARIABLES",
    "Config",
    "DataBackend",
    "Loaded",
    "MetadataBackend",
    "Server",
    "embedded",
    "load",
    "server_url",
]
