"""Saves a simulated qubit spectroscopy on a running server and loads it back, showing each step; starts no server.

In one terminal:  aqdata serve
In another:       python examples/demo.py
"""

from __future__ import annotations

import sys
import time

import numpy as np

import aqdata
from aqdata.config import server_url
from aqdata.errors import AqdataError

PROGRAM = """\
OPENQASM 3;
defcalgrammar "openpulse";
cal { extern port q1_drive; }
input duration pulse_length;
qubit q1;
x q1;
measure q1;
"""


def simulate() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flux in Phi0, drive frequency in Hz and the readout signal in V, complex, of shape (flux, frequency).

    A transmon is driven while its resonator is read out. Where the drive meets the qubit, the qubit is excited half of
    the time, the resonator shifts by twice chi, and the transmitted signal with it.
    """
    rng = np.random.default_rng(seed=7)
    flux = np.linspace(-0.25, 0.25, 61)
    frequency = np.linspace(4.5e9, 5.7e9, 601)

    charging, josephson, coupling, resonator = 210e6, 20e9, 65e6, 6.9e9
    qubit = np.sqrt(8 * charging * josephson * np.abs(np.cos(np.pi * flux))) - charging
    detuning = qubit - resonator
    chi = coupling**2 / detuning * (-charging / (detuning - charging))

    linewidth = 6e6  # broadened by the drive's power
    excited = 0.5 / (1 + ((frequency - qubit[:, None]) / linewidth) ** 2)

    def transmission(shift: np.ndarray) -> np.ndarray:
        probe, quality, external = resonator, 8_000, 11_000
        return 1 - (quality / external) / (1 + 2j * quality * (probe - resonator - shift) / resonator)

    ground, shifted = transmission(-chi)[:, None], transmission(chi)[:, None]
    clean = 2e-3 * np.exp(0.4j) * (ground + excited * (shifted - ground))
    noise = rng.normal(scale=4e-5, size=(2, *clean.shape))
    return flux, frequency, clean + noise[0] + 1j * noise[1]


def describe(flux: np.ndarray, frequency: np.ndarray, s21: np.ndarray) -> aqdata.DataFile:
    """The measurement with everything that one wants to know about it in two years."""
    return aqdata.DataFile(
        metadata=aqdata.MetaData(
            kind="simulation",
            name="qubit spectroscopy",
            user="ana",
            station="cryo2",
            tags=["q1", "demo"],
            comment="readout against flux and drive frequency",
            cooldown="CD42",
            instruments={
                "vna": {
                    "model": "ZNB20",
                    "address": "TCPIP::10.0.0.12",
                    "settings": {
                        "power": {"value": -30.0, "unit": "dBm"},
                        "bandwidth": {"value": 1e3, "unit": "Hz"},
                        "averages": 16,
                        "calibrated": True,
                    },
                },
                "flux source": {
                    "model": "SIM928",
                    "settings": {
                        "range": {"value": "10 V", "options": ["1 V", "10 V"]},
                        "transfer": {"value": 0.31 - 0.02j, "unit": "V/V"},
                        "offset": {"value": float("nan"), "unit": "V"},
                    },
                },
            },
            program={
                "source": PROGRAM,
                "compiler": "aq_compiler",
                "version": "2.1",
                "setup": {"readout line": "R3"},
                "cores": {"q1_drive": {"settings": {"amplitude": 0.12}, "code": "playWave(w0);"}},
            },
            custom={"fridge temperature": {"value": 0.011, "unit": "K"}},
        ),
        data={
            "flux": aqdata.DataSet(flux, dims=("flux",), units="Phi0", long_name="reduced flux"),
            "frequency": aqdata.DataSet(frequency, dims=("frequency",), units="Hz", long_name="drive frequency"),
            "s21": aqdata.DataSet(s21, dims=("flux", "frequency"), units="V", long_name="transmission"),
        },
    )


def step(title: str) -> None:
    print(f"\n── {title} " + "─" * (76 - len(title)))


def picture(signal: np.ndarray, rows: int = 18, columns: int = 61) -> str:
    """A map in characters, of shape (rows, columns): the qubit's line is what differs from its column's median."""
    strength = np.abs(signal - np.median(signal, axis=1, keepdims=True)).T
    blocks = [np.array_split(part, columns, axis=1) for part in np.array_split(strength[::-1], rows)]
    values = np.array([[block.max() for block in row] for row in blocks])
    levels = np.clip(5 * (values / values.max() - 0.2), 0, 4).astype(int)
    return "\n".join("   " + "".join(" ·▒▓█"[level] for level in row) for row in levels)


def run(lab: aqdata.Lab, url: str) -> None:
    flux, frequency, s21 = simulate()
    step("Measure (simulated)")
    print(
        f"   s21: {s21.shape[0]} flux values × {s21.shape[1]} drive frequencies, {s21.dtype}, {s21.nbytes / 1e6:.1f} MB"
    )
    print(picture(s21))
    print("   drive frequency upward, flux to the right")

    step("Save")
    started = time.perf_counter()
    file_id = lab.save(describe(flux, frequency, s21))
    taken = time.perf_counter() - started
    print(
        f"   {file_id}\n   on disk after {1e3 * taken:.0f} ms, in which git and the installed packages were looked at"
    )

    step("List, newest first")
    for hit in lab.find(limit=3):
        shapes = ", ".join(f"{name} {'×'.join(map(str, shape))}" for name, shape in hit.shapes.items())
        print(f"   {hit.id[-6:]}  {hit.date.astimezone():%Y-%m-%d %H:%M}  {hit.name}  ({shapes})")

    step("Load: the document now, arrays when they are indexed")
    got = lab.load(file_id)
    print(f"   {got.metadata.name}, by {got.metadata.user} on {got.metadata.station}, {', '.join(got.metadata.tags)}")
    for name, instrument in got.metadata.instruments.items():
        settings = ", ".join(
            f"{key} = {one.value} {one.unit or ''}".rstrip() for key, one in instrument.settings.items()
        )
        print(f"   {name} ({instrument.model}): {settings}")
    if got.metadata.program and got.metadata.program.source:
        print(f"   program: {got.metadata.program.source.splitlines()[0]} … by {got.metadata.program.compiler}")
    print(f"   recorded by itself: {recorded(got)}")

    step("Load a slice: only these points travel")
    part = got["s21"][30, 100:110]
    print(f'   got["s21"][30, 100:110] in {got.data["s21"].units}:')
    print("   " + ", ".join(f"{point:.2e}" for point in part[:4]) + ", …")

    step("Compare, bit for bit")
    for name, sent in (("flux", flux), ("frequency", frequency), ("s21", s21)):
        same = got[name][:].tobytes() == sent.tobytes() and got[name].dtype == sent.dtype
        print(f"   {name}: {'equal' if same else 'DIFFERENT'}")
        if not same:
            raise SystemExit(1)

    step("Go on")
    short = file_id[-6:]
    print(f"   aqdata show {short}\n   aqdata get {short} -o spectroscopy.zarr.zip")
    print(f'   xarray.open_zarr("{url}/zarr/{file_id}")\n   {url}/docs')


def recorded(got: aqdata.DataFile) -> str:
    """What the client noted about the code that saved."""
    environment = got.metadata.environment
    if environment is None:
        return "nothing, it is turned off"
    commit = f"commit {environment.commit[:8]}{' (dirty)' if environment.dirty else ''}" if environment.commit else None
    known = (commit, environment.script, environment.host, environment.python and f"Python {environment.python}")
    return ", ".join(word for word in known if word)


def main() -> int:
    url = server_url()
    print(f"aqdata demo, on {url}")
    try:
        with aqdata.connect(url) as lab:
            run(lab, url)
    except AqdataError as error:
        print(f"\nThat didn't work: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
