"""`aqdata serve`: what it says, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]

NPY = b"\x93NUMPY\x01\x00\x36\x00{'descr': '<f8', 'fortran_order': False, 'shape': ()} \n" + bytes(8)


def test_the_first_lines_name_address_docs_and_both_stores(serve: Run, tmp_path: Path) -> None:
    server = serve("--data-dir", str(tmp_path / "lab"))
    assert f"{server.url}/docs" in server.first_line
    with urllib.request.urlopen(f"{server.url}/docs", timeout=10) as response:
        assert response.status == 200
    code, out, err = server.stop()
    assert str(tmp_path / "lab" / "data") in out
    assert str(tmp_path / "lab" / "datafiles.sqlite") in out
    assert "no configuration file" in out
    assert (code, err) == (0, "")


def test_the_folder_may_lie_beside_the_current_one(serve: Run, aqdata: Run, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "m.npy").write_bytes(NPY)
    server = serve("--data-dir", f"{tmp_path}/here/../there")
    assert aqdata("put", tmp_path / "m.npy", "--url", server.url).code == 0
    assert (tmp_path / "there" / "datafiles.sqlite").exists()


def test_ctrl_c_ends_it_quietly(serve: Run, tmp_path: Path) -> None:
    code, _, err = serve("--data-dir", str(tmp_path)).stop(signal.SIGINT)
    assert (code, err) == (130, "")


def test_an_answer_under_way_is_finished_before_it_stops(serve: Run, tmp_path: Path) -> None:
    server = serve("--data-dir", str(tmp_path))
    host, port = server.url.removeprefix("http://").split(":")
    body = b'{"name":"slow"}'
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        boundary = b"--x\r\nContent-Disposition: form-data; name=metadata\r\n\r\n"
        content = boundary + body + b"\r\n--x--\r\n"
        head = f"POST /api/v1/datafiles HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {len(content)}\r\n"
        connection.sendall(head.encode() + b"Content-Type: multipart/form-data; boundary=x\r\n\r\n" + content[:20])
        # an answer to another request shows that the server has begun with this one
        urllib.request.urlopen(f"{server.url}/healthz", timeout=10).close()
        server.process.send_signal(signal.SIGTERM)
        connection.sendall(content[20:])
        assert b" 201 " in connection.recv(4096).partition(b"\r\n")[0]
    assert server.process.wait(30) == 0
    server.stop()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "--allow-anonymous"),
        (["--host", "no.such.host.invalid", "--allow-anonymous"], "no address of this machine"),
        (["--host", "192.0.2.1", "--allow-anonymous"], "--host is an address of this machine"),
        (["--port", "70000"], "65535"),
        (["--config", "none.json"], "No such file"),
    ],
)
def test_what_cant_be_served_is_refused_in_one_line(aqdata: Run, arguments: list[str], words: str) -> None:
    done = aqdata("serve", *arguments)
    assert done.code == 2
    assert words in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"data_backend": {"protocol": "gcs", "path": "b"}}, "gcs comes in a later version; use file or memory"),
        ({"metadata_backend": {"url": "mongodb://ana:hunter2@db"}}, "MongoDB comes in a later version"),
        ({"server": {"prot": 1}}, "did you mean port?"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_file(aqdata: Run, tmp_path: Path, content: Any, words: str) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps(content))
    done = aqdata("serve", "--config", file)
    assert done.code == 2
    assert words in done.err
    assert str(file) in done.err
    assert "hunter2" not in done.err
    assert done.err.count("\n") == 1


def test_a_port_in_use_is_refused(aqdata: Run, server: Any) -> None:
    done = aqdata("serve", "--port", server.url.rpartition(":")[2])
    assert done.code == 2
    assert "stop the other server there" in done.err
    assert "--port" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="needs a folder nobody can write to")
def test_stores_that_cant_be_opened_are_refused_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder is needed")
    command = [sys.executable, "-m", "aqdata.cli", "serve", "--port", "0", "--data-dir", str(blocked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert str(blocked) in done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


def test_others_reach_an_open_server_under_the_names_it_was_told(serve: Run, tmp_path: Path) -> None:
    server = serve("--data-dir", str(tmp_path), "--host", "0.0.0.0", "--allow-anonymous", "--allowed-host", "cryo2.lab")

    def status(host: str) -> int:
        request = urllib.request.Request(f"{server.url}/healthz", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code

    assert [status(host) for host in ("127.0.0.1", "cryo2.lab:5000", socket.gethostname(), "evil.example")] == [
        200,
        200,
        200,
        403,
    ]
    _, out, _ = server.stop()
    [line] = [line for line in out.splitlines() if "open to everyone" in line]
    assert "cryo2.lab" in line
    assert "0.0.0.0" not in line


def test_older_files_are_explained_when_the_server_starts(serve: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_text(json.dumps({"data_backend": {"cls": "fsspec.implementations.memory.MemoryFileSystem"}}))
    server = serve("--config", str(file))
    _, out, _ = server.stop()
    assert "arrays:   memory" in out
    assert "data_backend.cls" in out
