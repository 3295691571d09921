"""The commands on DataFiles, against a server and against a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Callable[..., Any]
Put = Callable[..., str]

METADATA = {
    "name": "power rabi",
    "user": "ana",
    "station": "cryo2",
    "tags": ["q1"],
    "date": "2026-11-22T10:07:00Z",
    "instruments": {
        "vna": {
            "model": "ZNB20",
            "settings": {
                "power": {"value": -30.0, "unit": "dBm"},
                "phase": {"__complex__": {"re": 0.0, "im": 1.0}},
                "gap": {"__float__": "NaN"},
            },
        }
    },
    "program": {"source": "OPENQASM 3;\nqubit q;\nx q;\n", "compiler": "aq_compiler"},
    "custom": {"fridge": {"mixing chamber": 0.011}, "weights": list(range(100))},
    "datasets": {"s21": {"dims": ["flux", "frequency"], "units": "V", "long_name": "transmission"}},
}
S21 = (np.arange(12.0).reshape(3, 4) + 0.25j).astype("c16")


@pytest.fixture
def put(aqdata: Run, place: list[str], tmp_path: Path) -> Put:
    """Saves an array and returns its id."""

    def save(array: np.ndarray = S21, dataset: str = "s21", **metadata: Any) -> str:
        folder = tmp_path / "sources"
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{dataset}.npy", array)
        (folder / "m.json").write_text(json.dumps({**(METADATA if dataset == "s21" else {}), **metadata}))
        done = aqdata("put", folder / f"{dataset}.npy", "--metadata", folder / "m.json", *place)
        assert (done.code, done.err) == (0, "")
        return str(done.out.strip())

    return save


def test_an_array_goes_in_and_comes_back(aqdata: Run, put: Put, place: list[str], tmp_path: Path) -> None:
    file_id = put()
    done = aqdata("get", file_id, "--dataset", "s21", "-o", "back.npy", *place)
    assert (done.code, done.out) == (0, "back.npy\n")
    back = np.load(tmp_path / "back.npy")
    assert back.dtype == S21.dtype
    assert back.tobytes() == S21.tobytes()


def test_the_list_is_newest_first_and_readable(aqdata: Run, put: Put, place: list[str]) -> None:
    ids = [put(date=f"2099-01-0{day}T00:00:00Z", name=f"run {day}") for day in (1, 2, 3)]
    done = aqdata("ls", "--limit", "3", *place)
    header, *rows = done.lines
    assert header.split() == ["ID", "DATE", "NAME", "USER", "SHAPES"]
    assert ["run 3" in rows[0], "run 2" in rows[1], "run 1" in rows[2]] == [True] * 3
    assert "s21 3×4" in rows[0]
    assert "ana" in rows[0]
    assert f"{datetime.fromisoformat('2099-01-03T00:00:00Z').astimezone():%Y-%m-%d %H:%M}" in rows[0]
    assert ids[2].endswith(rows[0].split()[0])
    assert aqdata("show", rows[0].split()[0], *place).code == 0


def test_the_list_as_json_has_a_line_for_each(aqdata: Run, put: Put, place: list[str]) -> None:
    ids = [put(date=f"2098-01-0{day}T00:00:00Z") for day in (1, 2)]
    lines = [json.loads(line) for line in aqdata("ls", "--json", "-n", "50", *place).lines]
    found = [line for line in lines if line["id"] in ids]
    assert [line["id"] for line in found] == ids[::-1]
    assert found[0]["shapes"] == {"s21": [3, 4]}
    assert found[0]["date"] == "2098-01-02T00:00:00.000000Z"


def test_show_tells_everything_that_a_person_asks(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put()
    out = aqdata("show", file_id[-12:], *place).out
    assert out.startswith("power rabi  (measurement, complete, revision 1)\n")
    for words in (
        file_id,
        "ana",
        "cryo2",
        "q1",
        "vna  model ZNB20",
        "-30.0 dBm",
        "1j",
        "nan",
        "aq_compiler",
        "OPENQASM 3;",
        "mixing chamber  0.011",
        "(100 values)",
        "complex128",
        "(flux: 3, frequency: 4)",
        "transmission",
    ):
        assert words in out
    assert max(map(len, out.splitlines())) <= 100


def test_show_as_json_is_the_document(aqdata: Run, put: Put, place: list[str]) -> None:
    document = json.loads(aqdata("show", put(), "--json", *place).out)
    assert document["instruments"]["vna"]["settings"]["power"] == {"value": -30.0, "unit": "dBm", "dtype": "float"}
    assert document["instruments"]["vna"]["settings"]["gap"]["value"] == {"__float__": "NaN"}
    assert document["datasets"]["s21"]["shape"] == [3, 4]
    assert document["state"] == "complete"


def test_names_cant_move_the_cursor(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put(comment="\x1b[2J gone")
    assert "\x1b" not in aqdata("show", file_id, *place).out


def test_a_whole_datafile_moves_to_another_place(aqdata: Run, put: Put, place: list[str], tmp_path: Path) -> None:
    file_id = put()
    done = aqdata("get", file_id[-12:], "-o", "rabi.zarr.zip", *place)
    assert (done.code, done.err) == (0, "")
    other = ["--folder", tmp_path / "other"]
    assert aqdata("put", "rabi.zarr.zip", *other).out == f"{file_id}\n"
    there = json.loads(aqdata("show", file_id, "--json", *other).out)
    here = json.loads(aqdata("show", file_id, "--json", *place).out)
    assert {key: there[key] for key in METADATA} == {key: here[key] for key in METADATA}
    # the same again is the same save
    assert aqdata("put", "rabi.zarr.zip", *other).out == f"{file_id}\n"


def test_a_folder_as_output_gets_the_id_as_name(aqdata: Run, put: Put, place: list[str], tmp_path: Path) -> None:
    file_id = put()
    (tmp_path / "out").mkdir()
    assert aqdata("get", file_id, "-o", "out", *place).code == 0
    assert (tmp_path / "out" / f"{file_id}.zarr.zip").is_file()


def test_nothing_is_overwritten_unasked(aqdata: Run, put: Put, place: list[str], tmp_path: Path) -> None:
    file_id = put()
    for target, more in (("x.zarr.zip", []), ("x.npy", ["--dataset", "s21"])):
        (tmp_path / target).write_text("precious")
        done = aqdata("get", file_id, "-o", target, *more, *place)
        assert done.code == 1
        assert "--force" in done.err
        assert (tmp_path / target).read_text() == "precious"
        assert aqdata("get", file_id, "-o", target, "--force", *more, *place).code == 0
        assert (tmp_path / target).read_bytes() != b"precious"


def test_a_slice_goes_to_stdout_as_csv_or_json(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put()
    out = aqdata("get", file_id, "--dataset", "s21", "--slice", "1, ::2", "-o", "-", *place).out
    assert out.splitlines() == ["re(s21),im(s21)", "4.0,0.25", "6.0,0.25"]
    out = aqdata("get", file_id, "--dataset", "s21", "--slice", "-1,-1", "-o", "-", "--format", "json", *place).out
    assert json.loads(out) == {
        "dtype": "complex128",
        "shape": [],
        "units": "V",
        "data": {"__complex__": {"re": 11.0, "im": 0.25}},
    }


def test_the_ending_of_the_output_says_the_format(aqdata: Run, put: Put, place: list[str], tmp_path: Path) -> None:
    file_id = put(np.array([0.1, np.nan]), "noise")
    for name in ("noise.csv", "noise.json", "noise.npy"):
        assert aqdata("get", file_id, "--dataset", "noise", "-o", name, *place).code == 0
    assert (tmp_path / "noise.csv").read_text().splitlines() == ["noise", "0.1", "nan"]
    assert json.loads((tmp_path / "noise.json").read_text())["data"] == [0.1, {"__float__": "NaN"}]
    assert np.load(tmp_path / "noise.npy").tobytes() == np.array([0.1, np.nan]).tobytes()


def test_several_arrays_of_an_npz_become_one_datafile(aqdata: Run, place: list[str], tmp_path: Path) -> None:
    np.savez(tmp_path / "run.npz", x=np.arange(4), y=np.arange(4.0) ** 2)
    file_id = aqdata("put", "run.npz", "--name", "parabola", *place).out.strip()
    document = json.loads(aqdata("show", file_id, "--json", *place).out)
    assert document["name"] == "parabola"
    assert {name: spec["dtype"] for name, spec in document["datasets"].items()} == {"x": "int64", "y": "float64"}


def test_the_file_names_what_has_no_name(aqdata: Run, place: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "s21.npy", S21)
    file_id = aqdata("put", "s21.npy", *place).out.strip()
    assert json.loads(aqdata("show", file_id, "--json", *place).out)["name"] == "s21"


def test_the_login_is_the_user_unless_the_metadata_name_one(
    aqdata: Run, put: Put, place: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "eva")
    np.save(tmp_path / "s21.npy", S21)
    file_id = aqdata("put", "s21.npy", *place).out.strip()
    assert json.loads(aqdata("show", file_id, "--json", *place).out)["user"] == "eva"
    assert json.loads(aqdata("show", put(), "--json", *place).out)["user"] == "ana"


def test_the_bin(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put()
    assert aqdata("rm", file_id[-12:], *place).code == 0
    assert file_id not in aqdata("ls", "--json", "-n", "1000", *place).out
    assert file_id in aqdata("ls", "--json", "-n", "1000", "--state", "deleted", *place).out
    shown = aqdata("show", file_id, *place)
    assert shown.code == 1
    assert "restore" in shown.err
    assert aqdata("restore", file_id, *place).out == f"{file_id} is back\n"
    assert aqdata("show", file_id, *place).code == 0
    assert aqdata("restore", file_id, *place).out == f"{file_id} was not in the bin\n"


def test_purging_asks_and_needs_yes_where_nobody_can_answer(
    aqdata: Run, put: Put, place: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = put()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    refused = aqdata("rm", file_id, "--purge", *place)
    assert (refused.code, refused.out) == (2, "")
    assert "--yes" in refused.err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "n")
    assert aqdata("rm", file_id, "--purge", *place).code == 1
    assert aqdata("show", file_id, *place).code == 0
    monkeypatch.setattr("builtins.input", lambda question: "y")
    assert aqdata("rm", file_id, "--purge", *place).code == 0
    assert aqdata("show", file_id, *place).code == 1
    assert aqdata("restore", file_id, *place).code == 1


def test_one_wrong_id_and_nothing_is_removed(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put()
    assert aqdata("rm", file_id[-12:], "0123456789ab", *place).code == 1
    assert aqdata("show", file_id, *place).code == 0


FAILURES: list[tuple[list[str], int, str]] = [
    (["show", "0123456789ab"], 1, "no DataFile's id ends with 0123456789ab"),
    (["show", "019aab5e-7c4d-7f3a-9d2e-5b8c1f0a6e42"], 1, "no"),
    (["show", "not an id"], 1, "id"),
    (["get", "ID", "--dataset", "nope"], 1, "there are s21"),
    (["get", "ID", "--dataset", "s21", "--slice", "0:x", "-o", "-"], 1, "slice"),
    (["get", "ID", "--dataset", "s21", "--slice", "9", "-o", "-"], 1, "slice"),
    (["get", "ID", "--slice", "0"], 2, "--dataset"),
    (["get", "ID", "-o", "-"], 2, "stdout"),
    (["get", "ID", "--dataset", "s21", "-o", "x.mat"], 2, "--format"),
    (["get", "ID", "-o", "no/such/folder/x.zarr.zip"], 1, "no folder"),
    (["get", "ID", "-o", "x.h5"], 2, "x.h5: a whole DataFile is a .zarr.zip"),
    (["get", "ID", "--dataset", "s21", "--slice", "9", "-o", "s21.npy"], 1, "slice"),
    (["put", "none.npy"], 1, "there is no file none.npy"),
    (["put", "s21.npy", "none.npy"], 1, "there is no file none.npy"),
    (["put", "s21.npy", "--metadata", "none.json"], 1, "aqdata: none.json: No such file or directory"),
    (["put", "none.zarr.zip"], 1, "none.zarr.zip"),
    (["put", "x.mat"], 2, ".npz"),
    (["put", "pickle.npy"], 1, "pickle.npy"),
    (["put", "broken.zarr.zip"], 1, ""),
    (["put", "s21.npy", "--metadata", "broken.json"], 1, "(in broken.json)"),
    (["put", "s21.npy", "--metadata", "wrong.json"], 1, "instruments.vna.settings.power"),
    (["put", "s21.npy", "--metadata", "wrong.json"], 1, "(in wrong.json)"),
    (["put", "s21.npy", "--metadata", "other.json"], 1, "datasets.iq"),
    (["put", "s21.npy", "--metadata", "dims.json"], 1, "datasets.s21.dims"),
    (["put", "broken.zarr.zip", "--name", "x"], 2, "--name"),
    (["frobnicate"], 2, "frobnicate"),
    (["ls", "--limit", "0"], 2, "at least 1"),
    (["ls", "-n", "x"], 2, "a whole number, at least 1, not 'x'"),
    ([], 2, "COMMAND"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), FAILURES)
def test_failures_have_a_code_and_one_line(
    aqdata: Run, put: Put, place: list[str], tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    file_id = put()
    np.save(tmp_path / "s21.npy", S21)
    np.save(tmp_path / "pickle.npy", np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / "broken.zarr.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "wrong.json").write_text('{"instruments": {"vna": {"settings": {"power": {"unit": "dBm"}}}}}')
    (tmp_path / "other.json").write_text('{"datasets": {"iq": {}}}')
    (tmp_path / "dims.json").write_text('{"datasets": {"s21": {"dims": ["x"]}}}')
    done = aqdata(*(file_id if word == "ID" else word for word in arguments), *(place if arguments else ()))
    assert done.code == code
    assert words in done.err
    if arguments[:1] not in ([], ["frobnicate"], ["ls"]):
        assert done.err.startswith("aqdata: ")
        assert done.err.count("\n") == 1


def test_no_server_is_said_in_one_line(aqdata: Run) -> None:
    done = aqdata("ls", "--url", "http://127.0.0.1:9")
    assert done.code == 1
    assert "127.0.0.1:9" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    "where",
    [
        *(["--url", "ftp://x"], ["--url", "~/rabi"], ["--url", "http://x", "--folder", "y"]),
        *(["--folder", "nowhere"], ["--folder", "http://127.0.0.1:5000"], ["--folder", "~nobody-here/x"]),
    ],
)
def test_a_place_that_is_none_is_wrong_usage(aqdata: Run, where: list[str], tmp_path: Path) -> None:
    assert aqdata("ls", *where).code == 2
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_may_be_named_from_another_one(aqdata: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save("s21.npy", S21)
    file_id = aqdata("put", "s21.npy", "--folder", "../there").out.strip()
    assert (tmp_path / "there" / "datafiles.sqlite").exists()
    assert aqdata("show", file_id, "--folder", "../here/../there").code == 0


def test_options_may_stand_in_front_of_the_command(aqdata: Run, put: Put, place: list[str]) -> None:
    file_id = put()
    assert aqdata(*place, "show", file_id).code == 0


def test_the_server_of_the_configuration_is_used(
    aqdata: Run, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AQDATA_URL", server.url)
    assert aqdata("ls").code == 0
    monkeypatch.delenv("AQDATA_URL")
    (tmp_path / "c.json").write_text(json.dumps({"server": {"port": int(server.url.rpartition(":")[2])}}))
    assert aqdata("ls", "--config", "c.json").code == 0


def test_an_empty_place_says_so_on_stderr(aqdata: Run, put: Put, tmp_path: Path) -> None:
    if not (tmp_path / "lab").exists():
        put()
    done = aqdata("ls", "--state", "deleted", "--folder", tmp_path / "lab") if (tmp_path / "lab").exists() else None
    assert done is None or (done.code, done.out, done.err) == (0, "", "the bin is empty\n")


def test_config_prints_values_with_their_sources(aqdata: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AQDATA_SERVER_PORT", "5001")
    monkeypatch.setenv("AQDATA_DATA_BACKEND_TOKEN", "hunter2")
    out = aqdata("config").out
    assert [line.split() for line in out.splitlines() if line.startswith("server.port")] == [
        ["server.port", "5001", "AQDATA_SERVER_PORT"]
    ]
    assert "hunter2" not in out
    as_json = aqdata("config", "--json").out
    assert "hunter2" not in as_json
    assert json.loads(as_json)["config"]["server"]["port"] == 5001
    assert json.loads(as_json)["sources"]["server.port"] == "AQDATA_SERVER_PORT"


def test_config_says_which_server_clients_talk_to(aqdata: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "clients talk to http://127.0.0.1:5000 (from server.host and server.port)" in aqdata("config").out
    monkeypatch.setenv("AQDATA_URL", "http://cryo2.lab:5000")
    assert "clients talk to http://cryo2.lab:5000 (from AQDATA_URL)" in aqdata("config").out
    assert json.loads(aqdata("config", "--json").out)["client"] == {
        "url": "http://cryo2.lab:5000",
        "source": "AQDATA_URL",
    }
    # as the commands do
    (tmp_path / "c.json").write_text('{"server": {"port": 5001}}')
    assert json.loads(aqdata("config", "--json", "--config", "c.json").out)["client"]["url"] == "http://127.0.0.1:5001"
    monkeypatch.setenv("AQDATA_URL", "http://ana:hunter2@cryo2.lab")
    assert "hunter2" not in aqdata("config").out


@pytest.mark.skipif(os.name == "nt", reason="no SIGPIPE")
def test_a_reader_that_has_had_enough_is_no_error(server: Any, aqdata: Run, tmp_path: Path) -> None:
    np.save(tmp_path / "long.npy", np.arange(500_000))
    file_id = aqdata("put", "long.npy", "--url", server.url).out.strip()
    command = f"{sys.executable} -m aqdata.cli get {file_id} --dataset long -o - --url {server.url} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "long\n", "")


def test_the_version_is_known(aqdata: Run) -> None:
    assert aqdata("--version").out.startswith("aqdata 0.")


@pytest.mark.parametrize("command", ["serve", "config", "ls", "show", "put", "get", "rm", "restore"])
def test_help_teaches_with_examples(aqdata: Run, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = aqdata(command, "--help")
    assert done.code == 0
    examples = done.out.partition("examples:\n")[2]
    assert examples.count(f"aqdata {command}") >= 2 or command == "restore"
    assert [line for line in done.out.splitlines() if len(line) > 80] == []


def test_the_package_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "aqdata", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("aqdata 0.")
