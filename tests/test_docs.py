"""What the documentation names exists: commands, options, keys, variables and Python names."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import aqdata
from aqdata.cli.parser import parse
from aqdata.config import KEYS, OTHER_VARIABLES, VARIABLES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text("utf-8")


def code_of(page: Path) -> Iterator[tuple[str, str]]:
    """Language and text of every code block, fenced or indented."""
    text = page.read_text("utf-8")
    yield from re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    fenceless = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from (("", block) for block in re.findall(r"(?:^ {4}.*\n?)+", fenceless, re.MULTILINE))


def commands_of(page: Path) -> Iterator[str]:
    """Every `aqdata …` command, in code blocks and in the running text."""
    for _, code in code_of(page):
        for line in re.sub(r"\\\n\s*", " ", code).splitlines():
            for part in re.split(r"&&|\||;", line):
                if re.match(r"(\$ )?aqdata( |$)", part.strip()):
                    yield part.strip().removeprefix("$ ")
    yield from re.findall(r"`(aqdata [a-z][^`\n]*)`", page.read_text("utf-8"))


COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands_of(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_every_command_is_understood(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    if ">" in words:
        words = words[: words.index(">")]
    # a command that is only named has no arguments yet
    needed = {"show": ["ID"], "get": ["ID"], "rm": ["ID"], "restore": ["ID"], "put": ["PATH"]}
    words += needed.get(words[0], []) if len(words) == 1 else []
    if "--help" in words:
        with pytest.raises(SystemExit, match=r"^0$"):
            parse(words)
    else:
        assert parse(words).run


def test_the_readme_shows_every_command() -> None:
    shown = {command.split()[1] for page, command in COMMANDS if page == "README.md"}
    assert {"serve", "ls", "show", "put", "get", "rm", "restore", "config"} <= shown


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_documented_with_its_variable(key: str) -> None:
    row = next((line for line in CONFIGURATION.splitlines() if line.startswith(f"| `{key}` |")), "")
    variables = {variable: dotted for variable, dotted in VARIABLES.items() if dotted == key}
    assert [variable for variable in variables if f"| `{variable}` |" in row] == list(variables)
    assert len(row.split("|")) == 6


def test_nothing_is_documented_that_does_not_exist() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+)` \| `(\w+)` \|", CONFIGURATION, re.MULTILINE)
    assert [key for key, _ in rows] == list(KEYS)
    named = {name for page in PAGES for name in re.findall(r"\bAQDATA_[A-Z_]*[A-Z]\b", page.read_text("utf-8"))}
    assert {name for name in named if not name.startswith("AQDATA_TEST")} <= {*VARIABLES, *OTHER_VARIABLES}


@pytest.mark.parametrize("variable", OTHER_VARIABLES)
def test_every_other_variable_is_documented(variable: str) -> None:
    assert variable in CONFIGURATION


PYTHON = [(page.name, code) for page in PAGES for language, code in code_of(page) if language == "python"]


@pytest.mark.parametrize(("page", "code"), PYTHON)
def test_python_examples_use_names_that_exist(page: str, code: str) -> None:
    tree = ast.parse(code)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "aqdata"
    }
    assert [name for name in used if not hasattr(aqdata, name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text("utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
