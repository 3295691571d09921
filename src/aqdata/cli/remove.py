"""`aqdata rm` and `aqdata restore`: into the bin, out of it, and gone."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from aqdata.cli.place import open_lab
from aqdata.errors import ConfigError, Deleted

if TYPE_CHECKING:
    from aqdata import Lab


def rm(arguments: Namespace) -> int:
    """Put DataFiles into the bin, or remove them for ever; a wrong id stops before anything happens."""
    if arguments.purge and not arguments.yes and not sys.stdin.isatty():
        raise ConfigError("--purge removes for ever and there is nobody to ask: say --yes")
    with open_lab(arguments) as lab:
        ids = [lab.resolve(one) for one in arguments.ids]
        if arguments.purge and not arguments.yes and not _agreed(ids):
            return 1
        for file_id in ids:
            lab.delete(file_id)
            if arguments.purge:
                lab.purge(file_id)
            print(f"{file_id} {'is gone' if arguments.purge else 'is in the bin'}", flush=True)
    return 0


def restore(arguments: Namespace) -> int:
    """Take DataFiles out of the bin; a wrong id stops before anything happens."""
    with open_lab(arguments) as lab:
        for file_id in [lab.resolve(one) for one in arguments.ids]:
            was_deleted = _is_deleted(lab, file_id)
            lab.restore(file_id)
            print(f"{file_id} {'is back' if was_deleted else 'was not in the bin'}", flush=True)
    return 0


def _is_deleted(lab: Lab, file_id: str) -> bool:
    try:
        lab.load(file_id)
    except Deleted:
        return True
    return False


def _agreed(ids: list[str]) -> bool:
    print("\n".join(ids))
    try:
        answer = input(f"Remove {'this DataFile' if len(ids) == 1 else f'these {len(ids)} DataFiles'} for ever? [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
