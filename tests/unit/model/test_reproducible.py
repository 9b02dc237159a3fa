"""The same sales and the same seed give the same model, whatever the environment."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.hamlet import write_hamlet

RTOL = 1e-9  # sums in another order differ in the last digits

TRAINING = """
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
masked = market.houses.copy()
masked.loc[::2, ["grade", "garden", "boiler"]] = np.nan
np.savez(
    sys.argv[2] + ".npz",
    values=loaded.model.value(market.houses),
    masked=loaded.model.value(masked),
    held_out=loaded.model.held_out_values(),
    metrics=[value for _, value in sorted(loaded.manifest.metrics.items())],
)
"""


def trained(root: Path, folder: Path, threads: int, hash_seed: int) -> dict[str, np.ndarray]:
    """Train the hamlet in another process, and return the values of the model."""
    models = folder / f"models-{threads}-{hash_seed}"
    environment = {
        **os.environ,
        "PYTHONPATH": str(root),
        "PYTHONHASHSEED": str(hash_seed),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TZ": "Asia/Tokyo" if threads > 1 else "UTC",
    }
    command = [sys.executable, "-c", TRAINING, folder / "hamlet", models, threads]
    subprocess.run([*map(str, command)], env=environment, cwd=folder, check=True)
    with np.load(f"{models}.npz") as arrays:
        return dict(arrays)


def test_processes_with_other_threads_hash_seeds_and_time_zones_train_the_same_model(
    root, tmp_path
):
    write_hamlet(tmp_path / "hamlet", n_sales=150)
    one = trained(root, tmp_path, threads=1, hash_seed=1)
    other = trained(root, tmp_path, threads=2, hash_seed=2)
    for name, values in one.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(other[name], values, rtol=RTOL, atol=0, err_msg=name)
