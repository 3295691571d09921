"""The system calls of a save: everything is fsynced before the first byte of the acknowledgement goes out."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from faults.harness import Sample, running, stored_files

CALLS = "openat,write,pwrite64,writev,pwritev,sendto,sendmsg,fsync,fdatasync,rename,renameat,renameat2,mkdir,mkdirat"
# 12345 1695.123456 openat(AT_FDCWD</cwd>, "/x", O_RDWR) = 3</x>
LINE = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?).*$")
UNFINISHED = re.compile(r"^(?P<thread>\d+) +(?P<head>\w+\(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"^(?P<thread>\d+) +<\.\.\. \w+ resumed>(?P<tail>.*)$")
# with -yy an fd is shown with what it is open on: 7</data/x> or 9<TCP:[127.0.0.1:5000->…]>
DESCRIPTOR = re.compile(r"^\d+<(?P<path>(?:\\.|[^>\\]|->)*)>")
NAMES = re.compile(r'"((?:\\.|[^"\\])*)"')

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")


@dataclass(frozen=True)
class Call:
    """One system call; it began at line `begin` of the trace and was over at line `end`."""

    name: str
    arguments: str
    begin: int
    end: int

    @property
    def path(self) -> str:
        """What its file descriptor is open on: strace tells it, so that nothing must be followed."""
        found = DESCRIPTOR.match(self.arguments)
        return found["path"] if found else ""

    @property
    def names(self) -> list[str]:
        return NAMES.findall(self.arguments)


def parse(trace: str) -> list[Call]:
    """The calls that succeeded, put together again where another thread's stand between their ends."""
    calls: list[Call] = []
    open_calls: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(trace.splitlines()):
        begin, text = number, line
        if unfinished := UNFINISHED.match(line):
            open_calls[unfinished["thread"]] = (number, unfinished["head"])
            continue
        if resumed := RESUMED.match(line):
            begin, head = open_calls.pop(resumed["thread"])
            text = f"{resumed['thread']} {head}{resumed['tail']}"
        if (whole := LINE.match(text)) and not whole["result"].startswith(("-", "?")):
            calls.append(Call(whole["call"], whole["arguments"], begin, number))
    return calls


@dataclass
class Disk:
    """What of the files and folders is durable, by the calls up to some moment; paths as they are named in the end."""

    root: str
    known: set[str] = field(default_factory=set)
    unsynced: dict[str, int] = field(default_factory=dict)

    def apply(self, call: Call) -> None:
        if call.name in ("write", "pwrite64", "writev", "pwritev") and self._ours(call.path):
            self.unsynced[call.path] = call.end
        elif call.name.startswith("mkdir") or (call.name == "openat" and "O_CREAT" in call.arguments):
            self._appears(call.names[0], call)
        elif call.name.startswith("rename"):
            old, new = call.names
            if self._ours(new):
                self.known.add(new)
                self.unsynced[str(Path(new).parent)] = call.end
            if old in self.unsynced:
                self.unsynced[new] = self.unsynced.pop(old)
        elif call.name in ("fsync", "fdatasync") and self.unsynced.get(call.path, call.begin + 1) < call.begin:
            del self.unsynced[call.path]

    def _appears(self, path: str, call: Call) -> None:
        """A name that was not there is one more entry of its folder."""
        if self._ours(path) and path not in self.known:
            self.known.add(path)
            self.unsynced[path] = self.unsynced[str(Path(path).parent)] = call.end

    def _ours(self, path: str) -> bool:
        return path.startswith(self.root) and not path.endswith("-shm")


def test_all_is_durable_before_the_answer(tmp_path: Path, strace: str) -> None:
    trace = tmp_path / "trace"
    prefix = (strace, "-f", "-yy", "-s", "64", "-o", str(trace), "-e", f"trace={CALLS}")
    folder = tmp_path / "lab"
    samples = [Sample.new(kind, number) for number, kind in enumerate(["small", "large", "files"])]
    with running(folder, fork=False, faults=False, prefix=prefix) as server:
        for one in samples:
            assert one.save(server) == 201
        assert server.answers("PUT", f"{samples[0].path}/files/fit.png", b"x" * 70_000) == 200
        assert server.answers("DELETE", samples[1].path) == 204
    calls = parse(trace.read_text())
    # the requests came one after the other on one connection, so answers are what goes out on it
    answers = [call for call in calls if call.path.startswith("TCP:") and '"HTTP/1.1 20' in call.arguments]
    assert ["HTTP/1.1 201" in answer.arguments for answer in answers] == [True, True, True, False, False]
    disk = Disk(str(folder))
    seen: set[str] = set()
    done = 0
    for answer in answers:
        # calls are in the order of their ends: what is not over when the answer begins does not count
        before = [call for call in calls[done:] if call.end < answer.begin]
        done += len(before)
        for call in before:
            disk.apply(call)
            if call.name in ("fsync", "fdatasync"):
                seen.add(call.path)
        assert disk.unsynced == {}, answer
    # and the parser has seen what it judges
    assert str(folder / "datafiles.sqlite-wal") in seen
    root = folder / "data"
    written = {call.names[1] for call in calls if call.name.startswith("rename")}
    files = {str(root / name) for name in stored_files(folder) if (root / name).is_file()}
    assert files <= written
    folders = {str(root / name) for name in stored_files(folder) if (root / name).is_dir()} | {str(root), str(folder)}
    assert folders <= seen
    for one in samples:
        assert any(one.id in name for name in files)
