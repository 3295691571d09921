"""A bar on the terminal for transfers that take long; transfers themselves are elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

LARGE = 64 << 20
"""Bytes from which a transfer gets its bar at once."""

LONG = 2.0
"""Seconds after which any transfer gets one."""


class Progress:
    """Counts the bytes of one transfer. `wanted`: True shows a bar, False none, None one that is due, on a terminal."""

    def __init__(self, label: str = "", wanted: bool | None = False) -> None:
        self._label = label
        # there is no stderr under pythonw
        self._wanted = (sys.stderr is not None and sys.stderr.isatty()) if wanted is None else wanted
        self._at_once = wanted is True
        self._total: int | None = None
        self._done = 0
        self._started = time.monotonic()
        self._bar: tqdm[NoReturn] | None = None

    def start(self, total: int | None) -> None:
        """Begin, or begin again after a failed attempt; `total` is the number of bytes if it is known."""
        self._total, self._done = total, 0
        if self._bar is not None:
            self._bar.reset(total)

    def advance(self, count: int) -> None:
        """Count bytes that have been transferred."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self._wanted and self._is_due():
            self._bar = self._open()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def _is_due(self) -> bool:
        return self._at_once or (self._total or 0) > LARGE or time.monotonic() - self._started > LONG

    def _open(self) -> tqdm[NoReturn]:
        from tqdm import tqdm

        return tqdm(
            desc=self._label, total=self._total, initial=self._done, unit="B", unit_scale=True, unit_divisor=1024
        )
