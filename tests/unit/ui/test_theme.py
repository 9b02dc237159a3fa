"""The configuration of the app, and the contrast of its two themes."""

from __future__ import annotations

import tomllib
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
import streamlit as st

if TYPE_CHECKING:
    from pathlib import Path

MIN_TEXT = 4.5  # WCAG 2.2, 1.4.3: normal text at level AA
MIN_MARK = 2.2  # a mark of a chart, which also has a label or an axis
CAPTION = 0.6  # the opacity of Streamlit's captions
THEMES = ("light", "dark")


def theme(root: Path, name: str) -> dict[str, Any]:
    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    options: dict[str, Any] = config["theme"][name]
    return options


def rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(text: str, surface: str, opacity: float = 1.0) -> float:
    """The contrast ratio of WCAG 2.2 of a colour over another."""
    under = rgb(surface)
    over = [opacity * a + (1 - opacity) * b for a, b in zip(rgb(text), under, strict=True)]
    dark, bright = sorted((luminance(over), luminance(under)))
    return (bright + 0.05) / (dark + 0.05)


def surfaces(of: dict[str, Any]) -> list[str]:
    return [of["backgroundColor"], of["secondaryBackgroundColor"]]


def test_every_option_is_one_of_streamlit(root):
    config = tomllib.loads((root / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    set_here = {f"{part}.{key}" for part in config for key in config[part] if part != "theme"}
    assert "runner.postScriptGC" in set_here
    for option in set_here:
        st.get_option(option)  # raises for an unknown name


@pytest.mark.parametrize("name", THEMES)
def test_every_text_colour_is_readable_on_both_surfaces(root, name):
    for part in (theme(root, name), theme(root, name)["sidebar"]):
        texts = {
            key: colour
            for key, colour in part.items()
            if key.endswith("TextColor") or key in {"textColor", "linkColor", "primaryColor"}
        }
        weak = {
            (key, surface): ratio
            for (key, colour), surface in product(texts.items(), surfaces(part))
            if (ratio := round(contrast(colour, surface), 2)) < MIN_TEXT
        }
        assert weak == {}


@pytest.mark.parametrize("name", THEMES)
def test_captions_are_readable_on_both_surfaces(root, name):
    for part in (theme(root, name), theme(root, name)["sidebar"]):
        for surface in surfaces(part):
            assert contrast(part["textColor"], surface, CAPTION) >= MIN_TEXT


@pytest.mark.parametrize("name", THEMES)
def test_code_and_table_headers_are_readable_on_their_backgrounds(root, name):
    options = theme(root, name)
    assert contrast(options["codeTextColor"], options["codeBackgroundColor"]) >= MIN_TEXT
    header = contrast(
        options["dataframeHeaderTextColor"], options["dataframeHeaderBackgroundColor"]
    )
    assert header >= MIN_TEXT


@pytest.mark.parametrize("name", THEMES)
def test_chart_colours_are_visible_on_the_background(root, name):
    options = theme(root, name)
    colours = options["chartCategoricalColors"][:6]
    assert min(contrast(colour, options["backgroundColor"]) for colour in colours) >= MIN_MARK
