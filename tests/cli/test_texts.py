"""`aqdata get` of a DataSet of texts of any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import aqdata as package


def test_texts_as_npy_or_not_at_all(aqdata: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    plain = np.array(["a", "long text"], dtype=np.dtypes.StringDType())
    data = {"plain": package.DataSet(plain), "nul": package.DataSet(np.array(["a\0"], dtype=plain.dtype))}
    with package.open(folder) as lab:
        file_id = lab.save(package.DataFile({"name": "texts"}, data))
    where = ("--folder", folder, "get", file_id, "--dataset")
    assert aqdata(*where, "plain", "-o", tmp_path / "plain.npy").code == 0
    assert np.load(tmp_path / "plain.npy").tolist() == ["a", "long text"]
    refused = aqdata(*where, "nul", "-o", tmp_path / "nul.npy")
    assert refused.code == 1
    assert "ends with NUL" in refused.err
    assert not (tmp_path / "nul.npy").exists()
