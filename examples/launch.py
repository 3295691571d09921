"""Starts a server from Python: the smallest way. `aqdata serve` does more, such as checks that name what to fix."""

from __future__ import annotations

import uvicorn

from aqdata.api.app import create_app
from aqdata.config import load

if __name__ == "__main__":
    config = load().config
    config.check_binding()
    uvicorn.run(create_app(config), host=config.server.host, port=config.server.port)
