"""The routes of the service."""

from __future__ import annotations

from fastapi import APIRouter

from houseprice.api.routes import documents, model, probes, questions, valuations

__all__ = ["routers"]

routers: tuple[APIRouter, ...] = (
    valuations.router,
    questions.router,
    model.router,
    probes.router,
    documents.router,
)
