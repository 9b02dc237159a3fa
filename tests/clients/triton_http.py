"""Value the houses of a file with Triton's client: ``python triton_http.py HOST:PORT HOUSES``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tritonclient.http as triton


def tensor(name: str, values: list[Any], *, binary: bool) -> triton.InferInput:
    is_text = isinstance(values[0], str)
    array = np.array(values, dtype=object if is_text else np.float64)
    made = triton.InferInput(name, [len(values)], "BYTES" if is_text else "FP64")
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def main(address: str, houses: list[dict[str, Any]]) -> None:
    client = triton.InferenceServerClient(address)
    version = client.get_model_metadata("house")["versions"][0]
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("house", version)
    assert client.get_model_config("house", version)["max_batch_size"] == 0
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    for binary in (True, False):
        inputs = [
            tensor(name, [house[name] for house in houses], binary=binary) for name in houses[0]
        ]
        outputs = [
            triton.InferRequestedOutput(name, binary_data=binary) for name in ("predict", "error")
        ]
        for result in (
            client.infer("house", inputs),
            client.infer("house", inputs, model_version=version, outputs=outputs),
        ):
            assert len(result.as_numpy("error")) == len(houses)
            sys.stdout.write(f"{json.dumps(result.as_numpy('predict').tolist())}\n")


if __name__ == "__main__":
    main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")))
