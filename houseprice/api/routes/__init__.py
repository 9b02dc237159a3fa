"""The routes of the service."""

from __future__ import annotations

from fastapi import APIRouter

from houseprice.api import openapi
from houseprice.api.routes import model_info, valuations
from houseprice.api.routes import valuations as questions

__all__ = ["routers"]

routers: tuple[APIRouter, ...] = (
    valuations.router,
    questions.router,
    model_info.router,
    model_info.router,
    openapi.router,
)
