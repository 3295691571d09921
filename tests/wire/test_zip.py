"""The ZIP's large forms, without their data."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from aqdata.errors import Invalid
from aqdata.wire.pack import Parser, feed
from aqdata.wire.zip import ZipEntries, ZipWriter, header_size, zip_size


def test_entries_beyond_four_gib(tmp_path: Path) -> None:
    """The data are holes of a sparse file."""
    path = tmp_path / "x.zip"
    writer = ZipWriter()
    size = 3 << 30
    with path.open("wb") as file:
        for number in range(3):
            file.write(writer.header_for(f"{number}", size, number))
            file.seek(size, os.SEEK_CUR)
        file.write(writer.header("last", b"hello") + b"hello")
        file.write(writer.end())
    assert path.stat().st_size == zip_size([("0", size), ("1", size), ("2", size), ("last", 5)])
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["0", "1", "2", "last"]
        assert [entry.file_size for entry in archive.infolist()] == [size, size, size, 5]
        assert archive.infolist()[2].header_offset == 2 * (size + header_size("0"))
        assert archive.read("last") == b"hello"


def test_more_entries_than_sixteen_bits_count(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    writer = ZipWriter()
    names = [f"c.{number}" for number in range(70_000)]
    with path.open("wb") as file:
        file.write(b"".join(writer.header(name, b"x") + b"x" for name in names))
        file.write(writer.end())
    assert path.stat().st_size == zip_size((name, 1) for name in names)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == names
        assert archive.read(names[-1]) == b"x"


def read_all(names: list[str]) -> Parser:
    """Parse entries of these names, then the end."""
    entries = ZipEntries()
    for name in names:
        yield from _skip(entries, name)
    yield from entries.end((yield 4))


def _skip(entries: ZipEntries, name: str) -> Parser:
    _, size, _ = yield from entries.local(name)
    yield size


@pytest.mark.parametrize("count", [0, 1, 65_534, 65_535, 65_536, 70_000])
def test_our_parser_reads_any_number_of_entries(count: int) -> None:
    writer = ZipWriter()
    names = [f"{number}" for number in range(count)]
    data = b"".join(writer.header(name, b"") for name in names) + writer.end()
    assert list(feed(read_all(names), memoryview(data))) == []


@pytest.mark.parametrize("large", [(1 << 32) - 40, (1 << 32) - 31, 1 << 32, 5 << 32])
def test_our_parser_reads_offsets_beyond_four_gib(large: int) -> None:
    writer = ZipWriter()
    parser = read_all(["a", "b"])
    size = min(large, (1 << 32) - 2)
    rest = large - size
    first = writer.header_for("a", size, 0)
    writer.offset += rest
    # the parser has to believe that it saw as much
    entries = ZipEntries()
    sizes: list[int] = []

    def parse() -> Parser:
        yield from _skip(entries, "a")
        entries._offset += rest
        yield from _skip(entries, "b")
        yield from entries.end((yield 4))

    parser = parse()
    second = writer.header_for("b", 0, 0)
    stream = memoryview(first + second + writer.end())
    at = 0
    step = next(parser)
    while True:
        assert isinstance(step, int)
        sizes.append(step)
        if step == size:
            piece = memoryview(b"")
        else:
            piece = stream[at : at + step]
            at += step
        try:
            step = parser.send(piece)
        except StopIteration:
            break
    assert at == len(stream)


def test_a_central_directory_that_lies_is_refused() -> None:
    writer = ZipWriter()
    data = writer.header("a", b"x") + b"x"
    liar = ZipWriter()
    liar.header("b", b"x")
    with pytest.raises(Invalid, match="central directory"):
        list(feed(read_all(["a"]), memoryview(data + liar.end())))
