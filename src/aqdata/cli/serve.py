"""`aqdata serve`: binds the port, opens the app and runs it under uvicorn; the app is `aqdata.api`."""

from __future__ import annotations

import errno
import math
import signal
import socket
import sys
from argparse import Namespace
from contextlib import AbstractAsyncContextManager, suppress
from importlib.metadata import version
from typing import Any

from aqdata.config import Config, Loaded, embedded, load
from aqdata.errors import ConfigError, StoreUnavailable

_BACKLOG = 2048
# Host headers by which nobody on another machine gets here
_NO_NAMES = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]")  # noqa: S104


def serve(arguments: Namespace) -> int:
    """Run a server until a signal ends it."""
    loaded = load(arguments.config, _overrides(arguments))
    loaded.check()
    config = _reachable(loaded, arguments.allowed_host or [])
    server = _server(config, arguments.log_level)
    with _listen(config.server.host, config.server.port) as listener:
        # uvicorn raises the signal again once it has shut down: a wanted end is no failure
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        server.banner = _banner(loaded, config, listener.getsockname()[1])
        server.run(sockets=[listener])
    return 0


def _overrides(arguments: Namespace) -> dict[str, Any]:
    """What the options set, by key of the configuration."""
    values = {
        "server.host": arguments.host,
        "server.port": arguments.port,
        "server.allow_anonymous": arguments.allow_anonymous,
    }
    if arguments.data_dir is not None:
        stores = embedded(arguments.data_dir)
        values["data_backend.protocol"] = "file"
        values["data_backend.path"] = stores.data_backend.path
        values["metadata_backend.url"] = stores.metadata_backend.url
    return {key: value for key, value in values.items() if value is not None}


def _reachable(loaded: Loaded, names: list[str]) -> Config:
    """The configuration with the names added under which others reach this machine, unless it lists its own."""
    config = loaded.config
    if not config.server.is_loopback and loaded.sources["server.allowed_hosts"] == "default":
        names = [*_names_of_this_machine(config.server.host), *names]
    hosts = dict.fromkeys((*config.server.allowed_hosts, *names))
    return config.model_copy(update={"server": config.server.model_copy(update={"allowed_hosts": tuple(hosts)})})


def _names_of_this_machine(host: str) -> list[str]:
    names = [f"[{host}]" if ":" in host else host, socket.gethostname(), socket.getfqdn()]
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # sends nothing; tells which address faces the network
        probe.connect(("192.0.2.1", 9))
        names.append(probe.getsockname()[0])
    return names


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket: it must listen at once, for two processes may bind one port as long as neither does."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigError(f"{host} is no address of this machine: {error.strerror}", field="server.host") from error
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from error
    return listener


def _refused(host: str, port: int, error: OSError) -> ConfigError:
    reason = f"can't listen on {host}, port {port}: {error.strerror}"
    if error.errno == errno.EADDRINUSE:
        hint = "stop the other server there (`aqdata ls` shows whether it is one) or choose another --port"
        return ConfigError(f"{reason}; {hint}", field="server.port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{reason}; --host is an address of this machine, or 0.0.0.0 for all", field="server.host")
    return ConfigError(reason, field="server.port")


def _server(config: Config, log_level: str) -> Any:
    """A uvicorn server for the app; imported late, for a client's installation has none."""
    try:
        import uvicorn

        from aqdata.api.app import create_app
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} isn't installed; a server needs: pip install 'aqdata[server]'") from error

    class Settings(uvicorn.Config):
        def load(self) -> None:
            super().load()
            self.lifespan_class = _Lifespan

    class Server(uvicorn.Server):
        banner = ""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(self.banner, flush=True)

    return Server(
        Settings(
            create_app(config),
            access_log=log_level == "debug",
            log_config=_logging(log_level),
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(config.server.shutdown_timeout),
            timeout_keep_alive=math.ceil(config.server.keep_alive),
            ws="none",
        )
    )


class _Lifespan:
    """Opens and closes the app as uvicorn's own does, but lets an error out as it is: one line, no traceback."""

    def __init__(self, config: Any) -> None:
        self.state: dict[str, Any] = {}
        self.should_exit = False
        self._context: AbstractAsyncContextManager[dict[str, Any] | None] = config.app.router.lifespan_context(
            config.app
        )

    async def startup(self) -> None:
        try:
            self.state.update(await self._context.__aenter__() or {})
        except StoreUnavailable as error:
            raise ConfigError(str(error)) from error

    async def shutdown(self) -> None:
        await self._context.__aexit__(None, None, None)


def _banner(loaded: Loaded, config: Config, port: int) -> str:
    """The first lines of the log: where the server is, what it keeps data in, and why there."""
    url = config.server.model_copy(update={"port": port}).url
    kept = config.data_backend.protocol != "memory"
    lines = [
        f"aqdata {version('aqdata')} on {url}, API at {url}/docs",
        f"arrays:   {f'Zarr in {config.data_backend.path}' if kept else 'memory, gone when the server stops'}",
        f"metadata: {f'SQLite in {config.metadata_backend.sqlite}' if kept else 'memory'}",
        f"settings: {loaded.file or 'no configuration file, the defaults'} (see aqdata config)",
    ]
    if not config.server.is_loopback:
        names = [name for name in config.server.allowed_hosts if name not in _NO_NAMES]
        lines.append(f"open to everyone who can reach this machine{' as ' if names else ''}{', '.join(names)}")
    return "\n".join([*lines, *(f"note: {note}" for note in loaded.notes)])


def _logging(level: str) -> dict[str, Any]:
    """Python's logging, one line an event on stderr."""
    # what uvicorn says at info is in the banner
    quiet = "warning" if level == "info" else level
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "loggers": {
            "aqdata": {"handlers": ["stderr"], "level": level.upper()},
            "uvicorn": {"handlers": ["stderr"], "level": quiet.upper(), "propagate": False},
        },
    }
