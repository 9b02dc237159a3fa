"""The API in the words of others, so that their clients work unchanged: thin doors to one engine.

Each takes rows in its own form, has them valued like all rows, and writes the same answer down in
its own form. None leaves a row out.
"""

from __future__ import annotations

from fastapi import APIRouter

from houseprice.api.compat import mlflow, oip, tutorial

__all__ = ["routers"]

routers: tuple[APIRouter, ...] = (
    tutorial.router,
    tutorial.router,
    mlflow.router,
    oip.router,
)
