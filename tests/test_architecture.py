"""What may import what, how light the client and `--help` stay, and that the public names are there."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import aqdata

SOURCE = Path(aqdata.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# a layer may import layers of a lower rank; those of equal rank don't know each other
RANKS = {
    "errors": 0,
    "addresses": 1,
    "config": 1,
    "models": 1,
    "query": 2,
    "environment": 2,
    "wire": 3,
    "stores": 4,
    "attempt": 5,
    "documents": 5,
    "body": 5,
    "opened": 6,
    "service": 7,
    "lab": 6,
    "backends": 8,
    "client": 7,
    "api": 9,
    "testing": 9,
    # in both worlds: a Lab over the service, in one process
    "embedded": 9,
    "aio": 9,
    "cli": 10,
    "__main__": 11,
}
PUBLIC = "aqdata"
CLIENT_SIDE = {"lab", "client"}
SERVER_SIDE = {"stores", "attempt", "body", "documents", "opened", "service", "backends", "api"}
CLIENT_MAY_IMPORT = {"numpy", "pydantic", "pydantic_core", "urllib3", "tqdm"}
SERVER_ONLY = {"apsw", "fastapi", "httptools", "multipart", "starlette", "tensorstore", "uvicorn", "uvloop", "xxhash"}
INPUT_AND_OUTPUT = {
    "apsw", "asyncio", "fastapi", "http", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "tensorstore",
    "urllib", "urllib3",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import statement of one file."""

    file: Path
    line: int
    module: str
    at_top: bool

    def __str__(self) -> str:
        return f"{self.file.relative_to(SOURCE.parent)}:{self.line} imports {self.module}"


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(module: str) -> str:
    """The part of the package that a module belongs to; `aqdata` itself is the public one."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else PUBLIC


def imports_of(file: Path) -> Iterator[Import]:
    tree = ast.parse(file.read_text("utf-8"))
    at_top = {id(node) for node in tree.body}
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            # `from aqdata import lab` names a module
            names = [f"aqdata.{alias.name}" for alias in node.names] if base == "aqdata" else [base]
        yield from (Import(file, node.lineno, name, id(node) in at_top) for name in names if isinstance(node, ast.stmt))


IMPORTS = [one for file in FILES for one in imports_of(file)]


def test_every_part_of_the_package_has_its_layer() -> None:
    parts = {layer_of(module_of(file)) for file in FILES} - {PUBLIC}
    assert parts <= set(RANKS), "add the new part to RANKS, where it belongs"


def test_imports_go_downward() -> None:
    wrong = []
    for one in IMPORTS:
        importer, imported = layer_of(module_of(one.file)), layer_of(one.module)
        if not one.module.startswith("aqdata.") or importer in (PUBLIC, imported) or imported not in RANKS:
            continue
        if RANKS[imported] >= RANKS[importer]:
            wrong.append(str(one))
    assert not wrong


def test_client_and_server_dont_know_each_other() -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        for mine, theirs in ((CLIENT_SIDE, SERVER_SIDE), (SERVER_SIDE, CLIENT_SIDE))
        if layer_of(module_of(one.file)) in mine and one.module.startswith("aqdata.") and layer_of(one.module) in theirs
    ]
    assert not wrong


def test_models_do_no_input_or_output() -> None:
    wrong = [
        str(one)
        for one in IMPORTS
        if layer_of(module_of(one.file)) in ("models", "errors", "query")
        and one.module.partition(".")[0] in INPUT_AND_OUTPUT
    ]
    assert not wrong


def test_what_the_client_imports_is_what_it_installs() -> None:
    """At the top of a file, that is; what is imported in a function is for those who call it."""
    wrong = [
        str(one)
        for one in IMPORTS
        if layer_of(module_of(one.file)) not in (*SERVER_SIDE, "testing")
        and one.at_top
        and (root := one.module.partition(".")[0]) not in CLIENT_MAY_IMPORT
        and root not in sys.stdlib_module_names
        and root not in ("aqdata", "__future__")
    ]
    assert not wrong


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_every_module_says_what_it_is(file: Path) -> None:
    first = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
    assert len(first) > 10


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after this code."""
    command = f"{code}\nimport sys\nprint('\\n', ' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=60)
    return set(done.stdout.rpartition("\n ")[2].split())


@pytest.mark.parametrize("module", ["aqdata", "aqdata.aio", "aqdata.lab", "aqdata.client", "aqdata.models"])
def test_the_client_is_light(module: str) -> None:
    names = f"import {module}; [getattr({module}, name) for name in getattr({module}, '__all__', ())]"
    assert not loaded_after(names) & (SERVER_ONLY | {"xarray", "zarr", "pandas", "orjson"})


@pytest.mark.parametrize("command", ["", "serve", "config", "ls", "show", "put", "get", "rm", "restore"])
def test_help_waits_for_nothing_heavy(command: str) -> None:
    arguments = [*([command] if command else []), "--help"]
    run = (
        f"from aqdata.cli import main\ntry:\n    main({arguments})\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert not loaded_after(run) & ({"numpy", "pydantic", "pydantic_core", "urllib3", "asyncio"} | SERVER_ONLY)


def public_modules() -> list[str]:
    """Modules without an underscore in their name that declare what they offer."""
    return [
        module_of(file)
        for file in FILES
        if not file.name.startswith("_") or file.name == "__init__.py"
        if any(
            isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets)
            for node in ast.parse(file.read_text("utf-8")).body
        )
    ]


@pytest.mark.parametrize("name", public_modules())
def test_every_name_offered_is_there(name: str) -> None:
    module = importlib.import_module(name)
    missing = [offered for offered in module.__all__ if not hasattr(module, offered)]
    assert not missing
    assert len(set(module.__all__)) == len(module.__all__)


def test_the_words_of_the_interface_are_public() -> None:
    words = {"DataFile", "DataSet", "MetaData", "connect", "open"}
    assert words <= set(aqdata.__all__)
