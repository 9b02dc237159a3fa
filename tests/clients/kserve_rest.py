"""Value the houses of a file with KServe's client: ``python kserve_rest.py HOST:PORT HOUSES``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


def tensor(name: str, values: list[Any], *, binary: bool) -> InferInput:
    is_text = isinstance(values[0], str)
    made = InferInput(name, [len(values)], "BYTES" if is_text else "FP64")
    array = np.array(values, dtype=object if is_text else np.float64)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


async def main(address: str, houses: list[dict[str, Any]]) -> None:
    url, client = f"http://{address}", InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "house")
    for binary in (True, False):
        inputs = [
            tensor(name, [house[name] for house in houses], binary=binary) for name in houses[0]
        ]
        request = InferRequest(model_name="house", infer_inputs=inputs)
        response = await client.infer(url, request, model_name="house")
        prices = {output.name: output.as_numpy() for output in response.outputs}["predict"]
        sys.stdout.write(f"{json.dumps(prices.tolist())}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8"))))
