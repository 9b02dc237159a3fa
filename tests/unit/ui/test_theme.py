"""The app's configuration, and its two looks: can everybody read them?"""

from __future__ import annotations

import tomllib
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st

if TYPE_CHECKING:
    from pathlib import Path

READABLE = 4.5  # WCAG 2.2, 1.4.3: normal text at level AA
VISIBLE = 2.2  # a mark of a chart, which a label or an axis names besides
CAPTION = 0.6  # Streamlit's captions are the text colour, so opaque
LOOKS = ("light", "dark")


def look(root: Path, name: str) -> dict[str, Any]:
    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    chosen: dict[str, Any] = config["theme"][name]
    return chosen


def rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(text: str, surface: str, opacity: float = 1.0) -> float:
    """The contrast ratio of WCAG 2.2, of a colour laid over another."""
    under = rgb(surface)
    over = [opacity * a + (1 - opacity) * b for a, b in zip(rgb(text), under, strict=True)]
    dark, bright = sorted((luminance(over), luminance(under)))
    return (bright + 0.05) / (dark + 0.05)


def surfaces(of: dict[str, Any]) -> list[str]:
    return [of["backgroundColor"], of["secondaryBackgroundColor"]]


def test_streamlit_knows_every_option_that_is_set(root: Path) -> None:
    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    set_here = {f"{part}.{key}" for part in config for key in config[part] if part != "theme"}
    assert "runner.postScriptGC" in set_here
    for option in set_here:
        st.get_option(option)  # raises for a name that it does not have


@pytest.mark.parametrize("name", LOOKS)
def test_every_text_colour_is_readable_on_both_surfaces(root: Path, name: str) -> None:
    for part in (look(root, name), look(root, name)["sidebar"]):
        texts = {
            key: colour
            for key, colour in part.items()
            if key.endswith("TextColor") or key in {"textColor", "linkColor", "primaryColor"}
        }
        weak = {
            (key, surface): ratio
            for (key, colour), surface in product(texts.items(), surfaces(part))
            if (ratio := round(contrast(colour, surface), 2)) < READABLE
        }
        assert weak == {}


@pytest.mark.parametrize("name", LOOKS)
def test_captions_are_readable_on_both_surfaces(root: Path, name: str) -> None:
    for part in (look(root, name), look(root, name)["sidebar"]):
        for surface in surfaces(part):
            assert contrast(part["textColor"], surface, CAPTION) >= READABLE


@pytest.mark.parametrize("name", LOOKS)
def test_code_and_table_headers_are_readable_on_their_own_grounds(root: Path, name: str) -> None:
    told = look(root, name)
    assert contrast(told["codeTextColor"], told["codeBackgroundColor"]) >= READABLE
    header = contrast(told["dataframeHeaderTextColor"], told["dataframeHeaderBackgroundColor"])
    assert header >= READABLE


@pytest.mark.parametrize("name", LOOKS)
def test_no_colour_of_a_chart_fades_into_the_page(root: Path, name: str) -> None:
    told = look(root, name)
    colours = told["chartCategoricalColors"][:6]
    assert min(contrast(colour, told["backgroundColor"]) for colour in colours) >= VISIBLE
