"""What can be configured, with defaults and limits; where values come from is in `load.py`."""

from __future__ import annotations

import ipaddress
import os.path
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from aqdata.errors import ConfigError

MIB = 2**20
SQLITE = "sqlite:///"
IN_MEMORY = "sqlite:///:memory:"
MONGODB = ("mongodb://", "mongodb+srv://")

# every address of this machine, and one to reach it by
_HERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Size = Annotated[ByteSize, Field(gt=0)]


def _protocol(value: object) -> object:
    """The one spelling of a protocol that has several."""
    return {"local": "file", "gs": "gcs"}.get(value, value) if isinstance(value, str) else value


def _absolute(path: str, key: str, info: ValidationInfo) -> Path:
    """An absolute path: relative ones start at the folder of the file that names them, else at the current one."""
    if not path:
        raise ValueError("a path can't be empty")
    return _normal((info.context or {}).get(key, Path()) / _at_home(path))


def _at_home(path: str | Path) -> Path:
    """The path with `~` replaced."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError("there is no such home directory: write the whole path") from error


def _normal(path: Path) -> Path:
    """The absolute path without `..`, which TensorStore refuses; symbolic links stay."""
    return Path(os.path.normpath(path.absolute()))


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True)


class DataBackend(_Block):
    """Where arrays and attached files are stored."""

    protocol: Annotated[Literal["file", "memory", "gcs", "s3"], BeforeValidator(_protocol)] = Field(
        "file", description="`file` (or `local`), `memory`; `gcs` and `s3` come in a later version"
    )
    path: str = Field("~/aqdata/data", description="the folder, or bucket and prefix; `memory` ignores it")
    project: str | None = Field(None, description="the Google Cloud project of the bucket")
    token: SecretStr | None = Field(None, description="credentials for the bucket; never printed")
    endpoint_url: str | None = Field(None, description="another address of the bucket's service", repr=False)
    timeout: Seconds = Field(10.0, description="seconds until an operation on the bucket counts as failed")
    durable: bool = Field(True, description="fsync before a save is acknowledged; off is faster and loses power cuts")

    @field_validator("path")
    @classmethod
    def _folder(cls, path: str, info: ValidationInfo) -> str:
        if info.data.get("protocol") != "file":
            return path
        return str(_absolute(path.removeprefix("file://"), "data_backend.path", info))


class MetadataBackend(_Block):
    """Where documents are stored and found."""

    url: str = Field(
        "sqlite:///~/aqdata/datafiles.sqlite",
        description="`sqlite:///relative/path`, `sqlite:////absolute/path`, `sqlite:///~/path` or "
        "`sqlite:///:memory:`; `mongodb://…` and `mongodb+srv://…` come in a later version, their password is never "
        "printed",
        repr=False,
    )
    database: str = Field("aqdata", min_length=1, description="the database on a MongoDB server")
    collection: str = Field("datafiles", min_length=1, description="the collection in it")
    certificate: str | None = Field(None, description="the X.509 client certificate with its key, a PEM file")

    @field_validator("url")
    @classmethod
    def _known(cls, url: str, info: ValidationInfo) -> str:
        if url.startswith(MONGODB) or url == IN_MEMORY:
            return url
        if not url.startswith(SQLITE):
            raise ValueError("write sqlite:///path, sqlite:///:memory: or mongodb://host")
        if "?" in url:
            raise ValueError("options after ? are not supported")
        return SQLITE + _absolute(url.removeprefix(SQLITE), "metadata_backend.url", info).as_posix()

    @field_validator("certificate")
    @classmethod
    def _file(cls, path: str | None, info: ValidationInfo) -> str | None:
        return path and str(_absolute(path, "metadata_backend.certificate", info))

    @property
    def sqlite(self) -> str | None:
        """The absolute path of the SQLite file, or `:memory:`; None if the backend is another."""
        return self.url.removeprefix(SQLITE) if self.url.startswith(SQLITE) else None


class Server(_Block):
    """Where the server listens, to whom it answers and how much it takes."""

    host: str = Field("127.0.0.1", min_length=1, description="the address to listen on")
    port: int = Field(5000, ge=0, le=65535, description="the port; 0 takes a free one")
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="the Host headers that are answered, without port"
    )
    allow_anonymous: bool = Field(False, description="let everyone who can reach `host` read, write and delete")
    max_document: Size = Field(ByteSize(15 * MIB), description="bytes of one metadata document")
    max_body: Size = Field(ByteSize(2**40), description="bytes of one request, arrays included")
    max_file: Size = Field(ByteSize(64 * MIB), description="bytes of one attached file")
    read_timeout: Seconds = Field(60.0, description="seconds a request may go without sending a byte of its body")
    keep_alive: Seconds = Field(75.0, description="seconds an idle connection is kept")
    shutdown_timeout: Seconds = Field(30.0, description="seconds that running requests get when the server stops")

    @field_validator("host")
    @classmethod
    def _bare(cls, host: str) -> str:
        return host.removeprefix("[").removesuffix("]")

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach `host`."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def url(self) -> str:
        """Where a client on this machine finds the server."""
        host = _HERE.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def _beside(data: dict[str, Any]) -> MetadataBackend:
    """The default metadata backend for a data backend: what forgets goes with what forgets."""
    backend = data.get("data_backend")
    return MetadataBackend(url=IN_MEMORY) if backend and backend.protocol == "memory" else MetadataBackend()


class Config(_Block):
    """Everything that can be configured."""

    data_backend: DataBackend = Field(default_factory=DataBackend)
    metadata_backend: MetadataBackend = Field(default_factory=_beside)
    server: Server = Field(default_factory=Server)

    @model_validator(mode="after")
    def _remember_alike(self) -> Config:
        forgets = self.data_backend.protocol == "memory"
        if self.metadata_backend.sqlite and forgets != (self.metadata_backend.url == IN_MEMORY):
            raise ValueError(
                "records must live as long as their arrays: data_backend.protocol memory goes with "
                f"metadata_backend.url {IN_MEMORY}, and no other protocol does"
            )
        return self

    def check_available(self) -> None:
        """Raise `ConfigError` if this version has no such backend."""
        if (protocol := self.data_backend.protocol) in ("gcs", "s3"):
            raise ConfigError(f"{protocol} comes in a later version; use file or memory", field="data_backend.protocol")
        if self.metadata_backend.sqlite is None:
            raise ConfigError("MongoDB comes in a later version; use sqlite:///path", field="metadata_backend.url")

    def check_binding(self) -> None:
        """Raise `ConfigError` if others than this machine could reach the server and nobody said that they may."""
        if not (self.server.is_loopback or self.server.allow_anonymous):
            raise ConfigError(
                f"on {self.server.host} anyone in the network could read and delete everything: "
                "use 127.0.0.1, or say --allow-anonymous (server.allow_anonymous: true)",
                field="server.host",
            )

    def redacted(self) -> dict[str, Any]:
        """The configuration as JSON, without its secrets."""
        return {
            block: {key: hide(value) for key, value in values.items()}
            for block, values in self.model_dump(mode="json").items()
        }


def embedded(folder: str | Path) -> Config:
    """The configuration of the embedded stores in a folder.

    Raises:
        ConfigError: the path names a home directory that does not exist.
    """
    try:
        root = _normal(_at_home(folder))
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}", field="folder") from error
    return Config(
        data_backend=DataBackend(path=str(root / "data")),
        metadata_backend=MetadataBackend(url=f"{SQLITE}{(root / 'datafiles.sqlite').as_posix()}"),
    )


def hide(value: Any) -> Any:
    """The value, if it is a URL without the passwords that a URL may carry."""
    if not isinstance(value, str) or "://" not in value:
        return value
    value = re.sub(r"(?<=://)([^:@/]*):.*@", r"\1:***@", value)
    return re.sub(r"(?i)([?&](?:[^=&]*password|authMechanismProperties)=)[^&]*", r"\1***", value)
