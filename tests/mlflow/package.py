"""Package a model for MLflow: ``python package.py MARKET MODELS TARGET``, three folders."""

from __future__ import annotations

import sys
from pathlib import Path

import mlflow


def main(market: str, models: str, target: str) -> None:
    mlflow.pyfunc.save_model(
        target,
        python_model=str(Path(__file__).with_name("houses.py")),
        artifacts={"market": market, "models": models},
        pip_requirements=["houseprice"],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
