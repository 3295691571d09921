"""Which Lab a command works on, by its options; what it does there is in the other modules."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

import aqdata
from aqdata.addresses import check_folder
from aqdata.config import embedded, load
from aqdata.errors import ConfigError, Invalid

if TYPE_CHECKING:
    from aqdata import Lab


def open_lab(arguments: Namespace, *, make: bool = False) -> Lab:
    """The Lab of `--folder`, `--url`, AQDATA_URL or the configuration; only with `make` a folder may be new.

    Raises:
        ConfigError: the options don't name one.
    """
    if arguments.folder is not None:
        if arguments.url is not None:
            raise ConfigError("--url names a server and --folder needs none: give one of them")
        return _open_folder(arguments.folder, make)
    url = arguments.url
    if url is None and arguments.config is not None:
        url = load(arguments.config).config.server.url
    try:
        return aqdata.connect(url)
    except Invalid as error:
        raise ConfigError(str(error)) from error


def _open_folder(folder: str, make: bool) -> Lab:
    try:
        check_folder(folder)
        records = embedded(folder).metadata_backend.sqlite
        if not make and not (records and Path(records).exists()):
            raise ConfigError(f"there are no DataFiles in the folder {folder}", field="--folder")
        return aqdata.open(folder)
    except (Invalid, ModuleNotFoundError) as error:
        raise ConfigError(str(error)) from error
