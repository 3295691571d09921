"""What a configuration says, where it may come from, and how a wrong one is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aqdata.config import KEYS, VARIABLES, Config, embedded, load, server_url
from aqdata.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no AQDATA_ variable."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    for variable in (*VARIABLES, "AQDATA_CONFIG", "AQDATA_URL"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def write(file: Path, content: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_with_nothing_configured_everything_lies_under_aqdata_in_the_home(home: Path) -> None:
    loaded = load()
    assert loaded.file is None
    assert loaded.config.data_backend.protocol == "file"
    assert loaded.config.data_backend.path == str(home / "aqdata" / "data")
    assert loaded.config.metadata_backend.sqlite == (home / "aqdata" / "datafiles.sqlite").as_posix()
    assert (loaded.config.server.host, loaded.config.server.port) == ("127.0.0.1", 5000)
    assert set(loaded.sources.values()) == {"default"}
    loaded.check()


def test_the_file_in_the_home_is_found_and_named_as_the_source(home: Path) -> None:
    file = write(home / ".aq_config" / "data_server.json", {"server": {"port": 5001}})
    loaded = load()
    assert loaded.config.server.port == 5001
    assert loaded.file == file
    assert loaded.sources["server.port"] == str(file)
    assert loaded.sources["server.host"] == "default"


def test_a_named_file_comes_before_aqdata_config_and_that_before_the_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(home / ".aq_config" / "data_server.json", {"server": {"port": 1}})
    named = write(home / "named.json", {"server": {"port": 2}})
    monkeypatch.setenv("AQDATA_CONFIG", str(write(home / "variable.json", {"server": {"port": 3}})))
    assert load().config.server.port == 3
    assert load(named).config.server.port == 2


def test_the_command_line_beats_the_environment_and_that_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(home / "c.json", {"server": {"port": 1, "host": "::1", "max_file": "2 MiB"}})
    monkeypatch.setenv("AQDATA_SERVER_PORT", "2")
    monkeypatch.setenv("AQDATA_SERVER_HOST", "localhost")
    loaded = load(file, {"server.port": 3})
    assert (loaded.config.server.port, loaded.config.server.host, loaded.config.server.max_file) == (
        3,
        "localhost",
        2 * 2**20,
    )
    assert [loaded.sources[f"server.{key}"] for key in ("port", "host", "max_file")] == [
        "command line",
        "AQDATA_SERVER_HOST",
        str(file),
    ]


def test_every_key_can_be_set_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "data_backend.protocol": "local",
        "metadata_backend.url": "sqlite:////x/y.sqlite",
        "server.allowed_hosts": "localhost, cryo2.lab",
        "data_backend.durable": "false",
        "server.allow_anonymous": "true",
    }
    for variable, key in VARIABLES.items():
        monkeypatch.setenv(variable, texts.get(key, "7"))
    loaded = load()
    assert loaded.sources == {key: variable for variable, key in VARIABLES.items()}
    assert set(loaded.sources) == set(KEYS)
    assert loaded.config.server.allowed_hosts == ("localhost", "cryo2.lab")
    assert loaded.config.data_backend.durable is False
    assert loaded.config.server.allow_anonymous is True


def test_an_empty_variable_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_DATA_BACKEND_TOKEN", "")
    assert load().sources["data_backend.token"] == "default"


def test_relative_paths_in_a_file_start_at_its_folder_and_others_here(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "data_backend": {"path": "arrays"},
        "metadata_backend": {"url": "sqlite:///records.sqlite", "certificate": "x509.pem"},
    }
    config = load(write(home / "lab" / "c.json", content)).config
    assert config.data_backend.path == str(home / "lab" / "arrays")
    assert config.metadata_backend.sqlite == (home / "lab" / "records.sqlite").as_posix()
    assert config.metadata_backend.certificate == str(home / "lab" / "x509.pem")
    monkeypatch.chdir(home)
    monkeypatch.setenv("AQDATA_DATA_BACKEND_PATH", "here")
    assert load(home / "lab" / "c.json").config.data_backend.path == str(home / "here")


def test_arrays_in_memory_bring_records_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_DATA_BACKEND_PROTOCOL", "memory")
    assert load().config.metadata_backend.sqlite == ":memory:"


@pytest.mark.parametrize(
    ("protocol", "url"), [("memory", "sqlite:////tmp/kept.sqlite"), ("file", "sqlite:///:memory:")]
)
def test_records_that_outlive_their_arrays_are_refused(
    protocol: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AQDATA_DATA_BACKEND_PROTOCOL", protocol)
    monkeypatch.setenv("AQDATA_METADATA_BACKEND_URL", url)
    with pytest.raises(ConfigError, match="as long as their arrays"):
        load()


def test_an_embedded_folder_holds_both_stores(home: Path) -> None:
    config = embedded("~/rabi")
    assert config.data_backend.path == str(home / "rabi" / "data")
    assert config.metadata_backend.sqlite == (home / "rabi" / "datafiles.sqlite").as_posix()


def test_paths_lose_their_dots_and_keep_their_links(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "disk").mkdir()
    (home / "link").symlink_to(home / "disk")
    monkeypatch.chdir(home / "disk")
    assert embedded("../link/./x").data_backend.path == str(home / "link" / "x" / "data")
    content = {"data_backend": {"path": "../d"}, "metadata_backend": {"url": "sqlite:///../link/r.sqlite"}}
    config = load(write(home / "lab" / "c.json", content)).config
    assert config.data_backend.path == str(home / "d")
    assert config.metadata_backend.sqlite == (home / "link" / "r.sqlite").as_posix()


def test_a_home_that_is_none_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match="no such home directory"):
        embedded("~nobody-here/x")


WRONG: list[tuple[Any, str, str]] = [
    ({"server": {"prt": 1}}, "server.prt", "did you mean port?"),
    ({"sever": {}}, "sever", "did you mean server?"),
    ({"server": {"colour": 1}}, "server.colour", "known are host, port,"),
    ({"server": {"port": 70_000}}, "server.port", "less than or equal to 65535, not 70000"),
    ({"server": {"port": "five"}}, "server.port", "valid integer"),
    ({"server": {"max_file": "lots"}}, "server.max_file", "not 'lots'"),
    ({"server": {"read_timeout": 0}}, "server.read_timeout", "greater than 0"),
    ({"server": []}, "server", "must hold an object"),
    ({"data_backend": {"protocol": "ftp"}}, "data_backend.protocol", "'file', 'memory', 'gcs' or 's3'"),
    ({"data_backend": {"path": ""}}, "data_backend.path", "can't be empty"),
    ({"data_backend": {"path": "~nobody-here/x"}}, "data_backend.path", "no such home directory"),
    ({"metadata_backend": {"url": "postgres://x"}}, "metadata_backend.url", "write sqlite:///path"),
    ({"metadata_backend": {"url": "sqlite:///x?mode=ro"}}, "metadata_backend.url", "options after ?"),
]


@pytest.mark.parametrize(("content", "key", "words"), WRONG)
def test_a_wrong_value_is_refused_in_one_line_with_file_key_and_what_to_do(
    content: Any, key: str, words: str, home: Path
) -> None:
    file = write(home / "c.json", content)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert caught.value.field == key
    line = str(caught.value)
    assert words in line
    assert str(file) in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("text", "words"), [("{'a': 1}", "is not JSON"), ("[]", "must hold one object"), (b"\xff".decode("latin1"), "JSON")]
)
def test_a_file_that_is_no_configuration_is_refused(text: str, words: str, home: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        load(write(home / "c.json", text))


def test_a_named_file_must_exist(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_CONFIG", str(home / "none.json"))
    with pytest.raises(ConfigError, match=r"none\.json: can't be read: No such file"):
        load()


def test_a_byte_order_mark_is_no_mistake(home: Path) -> None:
    file = home / "notepad.json"
    file.write_bytes(b'\xef\xbb\xbf{"server": {"port": 7}}')
    assert load(file).config.server.port == 7


def test_an_unknown_variable_is_refused_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_TEST_MONGODB", "mongodb://127.0.0.1")
    load()
    monkeypatch.setenv("AQDATA_SERVER_PROT", "5001")
    with pytest.raises(ConfigError, match=r"^AQDATA_SERVER_PROT: .*did you mean AQDATA_SERVER_PORT\?$"):
        load()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("AQDATA_DATA_BACKEND_PROTOCOL", "gcs", "gcs comes in a later version; use file or memory"),
        ("AQDATA_DATA_BACKEND_PROTOCOL", "s3", "s3 comes in a later version"),
        ("AQDATA_METADATA_BACKEND_URL", "mongodb+srv://lab.example", "use sqlite:///path"),
        ("AQDATA_SERVER_HOST", "0.0.0.0", "--allow-anonymous"),
        ("AQDATA_SERVER_HOST", "cryo2.lab", "--allow-anonymous"),
    ],
)
def test_what_this_version_cant_start_is_known_and_refused_at_start(
    variable: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    loaded = load()
    with pytest.raises(ConfigError) as caught:
        loaded.check()
    assert words in str(caught.value)
    assert f"from {variable}" in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    load(overrides={"server.host": host}).check()


def test_another_host_is_fine_once_someone_said_so() -> None:
    load(overrides={"server.host": "0.0.0.0", "server.allow_anonymous": True}).check()


OLDER: list[tuple[dict[str, Any], str]] = [
    ({"cls": "gcsfs.core.GCSFileSystem"}, "gcs"),
    ({"cls": "fsspec.implementations.memory.MemoryFileSystem"}, "memory"),
    ({"cls": "fsspec.implementations.local.LocalFileSystem"}, "file"),
    ({"cls": "s3fs.core.S3FileSystem"}, "s3"),
    ({"cls": "any.Thing", "protocol": "gcs"}, "gcs"),
]


@pytest.mark.parametrize(("block", "protocol"), OLDER)
def test_older_files_are_understood_and_explained(block: dict[str, Any], protocol: str, home: Path) -> None:
    older = {**block, "args": [], "access": "read_write", "path": "bucket", "token": None, "timeout": 1.0}
    loaded = load(write(home / "c.json", {"data_backend": older}))
    assert loaded.config.data_backend.protocol == protocol
    assert loaded.config.data_backend.timeout == 1.0
    assert [note.partition(":")[0] for note in loaded.notes] == [
        "data_backend.cls",
        "data_backend.args",
        "data_backend.access",
    ]


def test_named_arguments_of_older_files_become_keys(home: Path) -> None:
    older = {"cls": "GCSFileSystem", "args": {"project": "lab", "token": "anon", "cache": 1}, "path": "bucket/data"}
    loaded = load(write(home / "c.json", {"data_backend": older}))
    assert loaded.config.data_backend.project == "lab"
    assert loaded.config.data_backend.token is not None
    assert any("args.cache: not used" in note for note in loaded.notes)


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"cls": "zip.ZipFileSystem"}, "data_backend.cls"),
        ({"args": ["bucket"]}, "data_backend.args"),
        ({"access": "read_only"}, "data_backend.access"),
    ],
)
def test_older_keys_that_ask_for_something_else_are_refused(block: dict[str, Any], field: str, home: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(write(home / "c.json", {"data_backend": block}))
    assert caught.value.field == field
    assert "c.json" in str(caught.value)


SECRET = "hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://ana:{SECRET}@db.lab/admin?replicaSet=rs0",
        f"mongodb://ana:p@{SECRET}@a.lab,b.lab/",
        f"mongodb+srv://db.lab/?tlsCertificateKeyFilePassword={SECRET}&tls=true",
    ],
)
def test_secrets_are_never_printed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_METADATA_BACKEND_URL", url)
    monkeypatch.setenv("AQDATA_DATA_BACKEND_TOKEN", SECRET)
    monkeypatch.setenv("AQDATA_DATA_BACKEND_ENDPOINT_URL", f"https://key:{SECRET}@minio.lab")
    loaded = load()
    assert SECRET not in json.dumps(loaded.config.redacted())
    assert ".lab" in loaded.config.redacted()["metadata_backend"]["url"]
    assert SECRET not in repr(loaded)
    assert loaded.config.metadata_backend.url == url


def test_a_wrong_secret_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_METADATA_BACKEND_URL", f"mongo://ana:{SECRET}@db.lab")
    with pytest.raises(ConfigError) as caught:
        load()
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "url"),
    [
        ({}, "http://127.0.0.1:5000"),
        ({"AQDATA_SERVER_PORT": "5001", "AQDATA_SERVER_HOST": "0.0.0.0"}, "http://127.0.0.1:5001"),
        ({"AQDATA_SERVER_HOST": "::"}, "http://[::1]:5000"),
        ({"AQDATA_SERVER_HOST": "cryo2.lab"}, "http://cryo2.lab:5000"),
        ({"AQDATA_URL": "http://cryo2.lab:5000", "AQDATA_SERVER_PORT": "1"}, "http://cryo2.lab:5000"),
    ],
)
def test_a_client_finds_the_server(overrides: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in overrides.items():
        monkeypatch.setenv(variable, value)
    assert server_url() == url


def test_a_configuration_can_be_written_in_python() -> None:
    config = Config.model_validate({"data_backend": {"protocol": "memory"}, "server": {"port": 0}})
    assert config.metadata_backend.sqlite == ":memory:"
    config.check_available()
    config.check_binding()
