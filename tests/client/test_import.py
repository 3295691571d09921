"""What importing costs, and what happens where the server's packages are missing."""

from __future__ import annotations

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_importing_aqdata_alone_loads_next_to_nothing() -> None:
    before = set(run("import sys; print(*sys.modules)").split())
    after = set(run("import aqdata, sys; dir(aqdata); print(*sys.modules)").split())
    assert after - before == {"aqdata", "__future__"}


def test_every_public_name_is_there_and_listed() -> None:
    run("import aqdata; assert {getattr(aqdata, name) for name in aqdata.__all__} and dir(aqdata) == aqdata.__all__")


def test_star_import_leaves_out_nothing() -> None:
    assert run("from aqdata import *; print(DataFile.__name__, connect.__name__, aio.__name__)") == (
        "DataFile connect aqdata.aio"
    )


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert run("import aqdata; print(hasattr(aqdata, 'nothing'))") == "False"


def test_open_without_the_servers_packages_says_what_to_install() -> None:
    code = """
import sys, aqdata
sys.modules["tensorstore"] = None
try:
    aqdata.open("x")
except ImportError as error:
    print(error)
"""
    assert run(code) == (
        "aqdata.open needs the server's packages (tensorstore is missing): pip install 'aqdata[server]'"
    )


def test_connect_takes_the_configured_server() -> None:
    code = """
import os
os.environ["AQDATA_URL"] = "http://cryo2.lab:5000"
import aqdata
print(aqdata.connect())
"""
    assert run(code) == "<Lab over <HttpTransport http://cryo2.lab:5000>>"
