"""What a backend does not offer, said in words where it would stand."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from houseprice.backend.base import About, Capability

__all__ = ["WITHOUT", "offered"]

WITHOUT: Mapping[Capability, str] = {
    "range": "This server gives no range and no confidence, only a value.",
    "evidence": "This server names no reasons and no comparable sales for the houses of a table.",
    "explain": "This server gives no reasons for its values.",
    "comparables": "This server finds no comparable sales.",
    "what_if": "This server does not say how sure the difference between two values is.",
    "effect": "This server does not say what another value of one fact would do.",
    "importance": "This server does not say how much each fact matters.",
    "card": "This server gives no model card.",
    "study": "This server gives no study of its model.",
}
"""A sentence for each capability that a backend may lack."""


def offered(about: About, capability: Capability) -> bool:
    """Whether the backend offers something; if not, the page says so here."""
    if capability in about.capabilities:
        return True
    st.info(WITHOUT[capability], icon=":material/cloud_off:")
    return False
