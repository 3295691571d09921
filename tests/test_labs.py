"""The contract on every Lab: HTTP and embedded, sync and awaited."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_contract import Blocking, LabContract

import aqdata
from aqdata import Lab


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    command = [sys.executable, "-m", "aqdata.cli", "serve", "--port", "0", "--data-dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found
        yield found[0]
        process.terminate()


@pytest.fixture(scope="module")
def over_http(url: str) -> Iterator[Lab]:
    with aqdata.connect(url) as lab:
        yield lab


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with aqdata.open(tmp_path_factory.mktemp("embedded")) as lab:
        yield lab


@pytest.fixture(scope="module")
def other_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with aqdata.open(tmp_path_factory.mktemp("other")) as lab:
        yield lab


@pytest.fixture(scope="module")
def awaited_over_http(url: str) -> Iterator[Blocking]:
    with Blocking(aqdata.aio.connect(url)) as lab:
        yield lab


@pytest.fixture(scope="module")
def awaited_embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocking]:
    with Blocking(aqdata.aio.open(tmp_path_factory.mktemp("awaited"))) as lab:
        yield lab


class TestHttp(LabContract):
    @pytest.fixture
    def lab(self, over_http: Lab) -> Lab:
        return over_http


class TestEmbedded(LabContract):
    @pytest.fixture
    def lab(self, embedded: Lab) -> Lab:
        return embedded


class TestHttpAwaited(LabContract):
    @pytest.fixture
    def lab(self, awaited_over_http: Blocking) -> Blocking:
        return awaited_over_http


class TestEmbeddedAwaited(LabContract):
    @pytest.fixture
    def lab(self, awaited_embedded: Blocking) -> Blocking:
        return awaited_embedded


async def test_awaiting(url: str) -> None:
    async with aqdata.aio.connect(url) as lab:
        df = aqdata.DataFile({"name": "awaited"}, {"x": range(200_000)})
        await lab.save(df)
        got = await lab.load(df.id)
        assert (await lab.read(got["x"], slice(3, 5))).tolist() == [3, 4]
        assert len(await lab.read(got["x"])) == 200_000
        assert lab.save.__doc__ == Lab.save.__doc__


def test_a_folder_is_made(tmp_path: Path) -> None:
    with aqdata.open(tmp_path / "new" / "lab") as lab:
        assert lab.find() == []
    with pytest.raises(aqdata.AqdataError, match="closed"):
        lab.find()
