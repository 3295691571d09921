"""What the command line understands, with its help; imports nothing but argparse, so that help comes at once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """\
Keep every measurement of a lab: save it, list it, load it back.

  aqdata serve                       start a server on this machine
  aqdata put rabi.npy --name rabi    save an array; prints its id
  aqdata ls                          what was saved last
  aqdata show 9f3a                   everything about one DataFile
  aqdata get 9f3a -o rabi.zarr.zip   download it

An ID is a DataFile's id or any unique ending of it. Commands talk to the
server that --url names, else that of the file --config, else AQDATA_URL, else
that of the configuration (see `aqdata config`); with --folder they use the
stores in a folder, without a server. Exit codes: 0 done, 1 failed (the reason
is on stderr), 2 wrong usage or configuration, 130 interrupted.
"""


class _Version(argparse.Action):
    """Looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"aqdata {version('aqdata')}")
        parser.exit()


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments; `run` names the function to call."""
    given = _with_slices_joined(sys.argv[1:] if argv is None else argv)
    return build_parser().parse_args(given, argparse.Namespace(url=None, folder=None, config=None))


def _with_slices_joined(arguments: Sequence[str]) -> list[str]:
    """`--slice -1,:` as `--slice=-1,:`, for argparse takes a value with a dash in front for an option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] == "--slice":
            joined[-1] = f"--slice={argument}"
        else:
            joined.append(argument)
    return joined


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    where = argparse.ArgumentParser(add_help=False)
    place = where.add_mutually_exclusive_group()
    # suppressed, so that the same option in front of the command isn't reset behind it
    place.add_argument("--url", default=argparse.SUPPRESS, help="the server, such as http://cryo2.lab:5000")
    place.add_argument("--folder", default=argparse.SUPPRESS, help="use the stores in this folder, without a server")
    configured = argparse.ArgumentParser(add_help=False)
    configured.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help="a configuration file")

    parser = argparse.ArgumentParser(
        prog="aqdata",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[where, configured],
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    add = _Commands(commands)
    _serve(add, configured)
    _config(add, configured)
    _ls(add, where, configured)
    _show(add, where, configured)
    _put(add, where, configured)
    _get(add, where, configured)
    _rm(add, where, configured)
    _restore(add, where, configured)
    return parser


class _Commands:
    """Adds commands that look alike."""

    def __init__(self, commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
        self._commands = commands

    def __call__(
        self, name: str, run: str, about: str, examples: str, parents: Sequence[argparse.ArgumentParser]
    ) -> argparse.ArgumentParser:
        command = self._commands.add_parser(
            name,
            help=about,
            description=about[:1].upper() + about[1:] + ".",
            epilog="examples:\n" + examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=list(parents),
        )
        command.set_defaults(run=run)
        return command


def _serve(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "serve",
        "aqdata.cli.serve:serve",
        "start a server",
        """\
  aqdata serve                                 on 127.0.0.1:5000
  aqdata serve --data-dir /data/cryo2          keep everything in that folder
  aqdata serve --host 0.0.0.0 --allow-anonymous --allowed-host cryo2.lab
                                               for everyone in the network""",
        parents,
    )
    command.add_argument("--host", help="the address to listen on (default 127.0.0.1)")
    command.add_argument("--port", type=int, help="the port (default 5000; 0 takes a free one)")
    command.add_argument("--data-dir", metavar="FOLDER", help="keep arrays and records in this folder")
    command.add_argument(
        "--allow-anonymous", action="store_true", default=None, help="let everyone who can reach the host in"
    )
    command.add_argument(
        "--allowed-host",
        action="append",
        metavar="NAME",
        help="a name under which others reach the server; may be repeated",
    )
    command.add_argument(
        "--log-level",
        choices=("critical", "error", "warning", "info", "debug"),
        default="info",
        help="how much to log (default info); debug logs every request",
    )


def _config(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "config",
        "aqdata.cli.config:config",
        "print the configuration in force and where each value comes from",
        """\
  aqdata config
  aqdata config --config lab.json
  aqdata config --json | jq .config.server""",
        parents,
    )
    command.add_argument("--json", action="store_true", help="print JSON")


def _ls(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "ls",
        "aqdata.cli.show:ls",
        "list DataFiles, newest first",
        """\
  aqdata ls
  aqdata ls --limit 5 --url http://cryo2.lab:5000
  aqdata ls --state deleted          what is in the bin
  aqdata ls --json | jq -r .id       one JSON object a line""",
        parents,
    )
    command.add_argument("-n", "--limit", type=_positive, default=50, metavar="N", help="at most so many (default 50)")
    command.add_argument(
        "--state", choices=("open", "complete", "interrupted", "deleted"), help="only those (default all but deleted)"
    )
    command.add_argument("--json", action="store_true", help="print a JSON object a line")


def _show(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "show",
        "aqdata.cli.show:show",
        "print everything about a DataFile but its arrays",
        """\
  aqdata show 9f3a
  aqdata show 9f3a --json | jq .instruments.vna.settings.power""",
        parents,
    )
    command.add_argument("id", metavar="ID", help="its id, or a unique ending of it")
    command.add_argument("--json", action="store_true", help="print the document as JSON")


def _put(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "put",
        "aqdata.cli.transfer:put",
        "save files and print an id for each",
        """\
  aqdata put rabi.zarr.zip                     what `aqdata get` wrote
  aqdata put s21.npy --name "resonator scan"   one array, as DataSet s21
  aqdata put run.npz --metadata m.json         several arrays by their names""",
        parents,
    )
    command.add_argument("paths", metavar="PATH", nargs="+", help="a .zarr.zip, .npy or .npz; each becomes a DataFile")
    command.add_argument(
        "--name", help="the DataFile's name (default the metadata's, else the file's); not for .zarr.zip"
    )
    command.add_argument("--metadata", metavar="FILE", help="a JSON file with the metadata; not for .zarr.zip")


def _get(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "get",
        "aqdata.cli.transfer:get",
        "download a DataFile, or a part of one DataSet",
        """\
  aqdata get 9f3a -o rabi.zarr.zip           all of it; xarray and zarr open it
  aqdata get 9f3a --dataset s21 -o s21.npy   one array
  aqdata get 9f3a --dataset s21 --slice 0:10,::2 -o - --format csv""",
        parents,
    )
    command.add_argument("id", metavar="ID", help="its id, or a unique ending of it")
    command.add_argument(
        "-o", "--output", metavar="PATH", help="where to (default ID.zarr.zip, NAME.npy); - is stdout, for a DataSet"
    )
    command.add_argument("--dataset", metavar="NAME", help="only this DataSet")
    command.add_argument("--slice", metavar="SLICE", help="only these elements, as numpy writes them: 0:10,::2")
    command.add_argument(
        "--format", choices=("npy", "csv", "json"), help="of a DataSet (default by PATH's ending; csv on stdout)"
    )
    command.add_argument("-f", "--force", action="store_true", help="overwrite PATH")


def _rm(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "rm",
        "aqdata.cli.remove:rm",
        "put DataFiles into the bin, or remove them for ever",
        """\
  aqdata rm 9f3a 77c0            `aqdata restore 9f3a` brings it back
  aqdata rm 9f3a --purge         for ever; asks first
  aqdata rm 9f3a --purge --yes   for scripts""",
        parents,
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="an id, or a unique ending of it")
    command.add_argument("--purge", action="store_true", help="remove for ever, from the bin too")
    command.add_argument("--yes", action="store_true", help="don't ask")


def _restore(add: _Commands, *parents: argparse.ArgumentParser) -> None:
    command = add(
        "restore",
        "aqdata.cli.remove:restore",
        "take DataFiles out of the bin",
        """\
  aqdata restore 9f3a
  aqdata ls --state deleted --json | jq -r .id | xargs aqdata restore""",
        parents,
    )
    command.add_argument("ids", metavar="ID", nargs="+", help="an id, or a unique ending of it")


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"a whole number, at least 1, not {text!r}")
    return number
