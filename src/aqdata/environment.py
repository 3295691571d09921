"""What this process runs in: git, script, packages, machine. Nothing is sent anywhere; nothing here raises."""

from __future__ import annotations

import getpass
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from aqdata.models.environment import Environment

# what labs want to know the version of: modules and, where they differ, the distributions that they come from
PACKAGES = {
    name: name
    for name in (
        *("aqdata", "numpy", "scipy", "pandas", "xarray", "zarr", "h5py", "matplotlib", "lmfit", "jax", "torch"),
        *("qcodes", "qililab", "labcore", "qblox_instruments", "laboneq", "pyvisa", "qiskit", "qutip", "scqubits"),
    )
}
PACKAGES |= {
    "cirq": "cirq-core",
    "qm": "qm-qua",
    "quantify_core": "quantify-core",
    "sklearn": "scikit-learn",
    "zhinst.core": "zhinst-core",
}
GIT_TIMEOUT = 2.0


def capture(script: str | Path | None = None) -> Environment:
    """The Environment of this process; `script` is the file that it runs (default: what Python was started with).

    What can't be found out is left out.
    """
    path = _script(script)
    commit, dirty = _git(path.parent if path else Path.cwd()) if path or script is None else (None, None)
    return Environment(
        commit=commit,
        dirty=dirty,
        script=str(path) if path else None,
        packages=_packages(),
        python=platform.python_version(),
        user=login(),
        host=platform.node() or None,
        os=platform.platform(),
    )


def _script(script: str | Path | None) -> Path | None:
    started = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        if script is not None:
            return Path(script).expanduser().resolve()
        path = Path(started).resolve() if started else None
    except (OSError, RuntimeError, ValueError):
        return None
    # a launcher, such as Jupyter's or pytest's: the work is in the current folder
    return None if path and path.is_relative_to(Path(sys.prefix).resolve()) else path


def _git(folder: Path) -> tuple[str | None, bool | None]:
    # one call; --no-optional-locks: a measurement must not disturb someone's git
    command = ["git", "--no-optional-locks", "status", "--porcelain=v2", "--branch", "--untracked-files=no"]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            command, cwd=folder, capture_output=True, timeout=GIT_TIMEOUT, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None, None
    lines = done.stdout.decode(errors="replace").splitlines()
    commit = next((line.removeprefix("# branch.oid ") for line in lines if line.startswith("# branch.oid ")), None)
    dirty = any(not line.startswith("#") for line in lines)
    # a repository without any commit
    return (commit, dirty) if commit and commit != "(initial)" else (None, None)


def _packages() -> dict[str, str]:
    versions = {}
    for module, distribution in PACKAGES.items():
        if module in sys.modules:
            try:
                versions[distribution] = metadata.version(distribution)
            except (metadata.PackageNotFoundError, OSError, ValueError):
                continue
    return versions


def login() -> str | None:
    """The name of the user whose process this is."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        # Python before 3.13 lets these through where there is no such user
        return None
