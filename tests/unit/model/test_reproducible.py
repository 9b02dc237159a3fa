"""The same sales and the same seed give the same values, whatever else differs around them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.hamlet import write_hamlet

CLOSE = 1e-9
"""In shares of a figure: sums in another order differ in the last digits."""

TRAINED = """
import sys
import numpy as np
from joblib import parallel_config
from pathlib import Path
from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import train

market, store = load_market(sys.argv[1]), ModelStore(Path(sys.argv[2]))
with parallel_config(backend="threading", n_jobs=int(sys.argv[3])):
    train(market, store, random_state=3)
loaded = store.load()
unknown = market.houses.copy()
unknown.loc[::2, ["grade", "garden", "boiler"]] = np.nan
np.savez(
    sys.argv[2] + ".npz",
    values=loaded.model.value(market.houses),
    of_blanks=loaded.model.value(unknown),
    held_out=loaded.model.held_out_values(),
    metrics=[value for _, value in sorted(loaded.manifest.metrics.items())],
)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("place")
    write_hamlet(folder / "hamlet", n_sales=150)
    return folder


def trained(root: Path, place: Path, threads: int, hashes: int) -> dict[str, np.ndarray]:
    """Train in a process of its own, and return what the model says."""
    models = place / f"models-{threads}-{hashes}"
    surroundings = {
        **os.environ,
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": str(hashes),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TZ": "Asia/Tokyo" if threads > 1 else "UTC",
    }
    command = [sys.executable, "-c", TRAINED, place / "hamlet", models, threads]
    subprocess.run([*map(str, command)], env=surroundings, cwd=place, check=True)
    with np.load(f"{models}.npz") as said:
        return dict(said)


def test_two_processes_with_other_threads_and_hashes_train_the_same_model(
    root: Path, place: Path
) -> None:
    one = trained(root, place, threads=1, hashes=1)
    other = trained(root, place, threads=2, hashes=2)
    for name, values in one.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(other[name], values, rtol=CLOSE, atol=0, err_msg=name)
