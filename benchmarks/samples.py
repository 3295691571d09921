"""The DataFiles that are saved: a small one, a large document, a large array that takes little memory; no timing."""

from __future__ import annotations

from typing import Any

import numpy as np

import aqdata

_QASM = "".join(f"delay[{100 + 20 * i}ns] q[{i % 8}];\ncx q[{i % 8}], q[{(i + 3) % 8}];\n" for i in range(280))


def small_datafile() -> aqdata.DataFile:
    """4 × 1,000 float64 and 20 kB of metadata, a new id each time: 120 settings, a program, a lab's own fields."""
    rng = np.random.default_rng(seed=5)
    frequency = np.linspace(4.9e9, 5.1e9, 1_000)
    return aqdata.DataFile(
        metadata=aqdata.MetaData(
            name="qubit spectroscopy",
            user="ana",
            station="cryo2",
            tags=["q1", "golden"],
            comment="after the second cooldown",
            instruments={f"awg {i}": _instrument(i, 30) for i in range(4)},
            program={"source": f"OPENQASM 3;\nqubit[8] q;\n{_QASM}", "compiler": "aq_compiler", "version": "2.1"},
            custom={"fridge": {"mxc": 0.011, "still": 0.83}, "operator": "night shift"},
        ),
        data={
            "frequency": aqdata.DataSet(frequency, dims=("frequency",), units="Hz", long_name="drive frequency"),
            **{
                name: aqdata.DataSet(rng.standard_normal(1_000), dims=("frequency",), units="V")
                for name in ("i", "q", "reference")
            },
        },
    )


def large_document() -> dict[str, Any]:
    """175 kB of metadata: 20 instruments with 50 settings each, and two long texts."""
    return {
        "name": "calibration",
        "user": "ana",
        "instruments": {f"awg {i}": _instrument(i, 50) for i in range(20)},
        "program": {"source": f"OPENQASM 3;\nqubit[8] q;\n{_QASM * 4}", "compiler": "aq_compiler", "version": "2.1"},
        "custom": {"notes": "the resonator moved by 12 MHz since the last cooldown. " * 1_048},
    }


def _instrument(number: int, settings: int) -> dict[str, Any]:
    floats = (-30.0 + number / 7, 6.1e9 + number / 3, 0.0, 1e-6 * number, 50.0)
    kinds: tuple[Any, ...] = (*floats, number + 7, 1024, True, "internal", 0.31 - number / 3 * 1j)
    return {
        "model": "ZNB20",
        "serial": f"10{number:04}",
        "address": f"TCPIP::10.0.0.{number}",
        "settings": {f"channel {i} level": {"value": kinds[i % 10], "unit": "dBm"} for i in range(settings)},
    }


class SameRows:
    """A lazy array of shape (rows, len(values)) whose rows are all alike, so that it takes one row's memory."""

    def __init__(self, rows: int, values: np.ndarray) -> None:
        self.shape = (rows, len(values))
        self.dtype = values.dtype
        self._values = values

    def __getitem__(self, index: Any) -> np.ndarray:
        """What two slices give."""
        rows, columns = (range(length)[part] for length, part in zip(self.shape, index, strict=True))
        same: np.ndarray = np.broadcast_to(self._values[columns.start : columns.stop], (len(rows), len(columns)))
        return same

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        """All of it in memory."""
        return np.array(self[:, :], dtype)
