"""A click or a tap on the map of the form enters the place of the house."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.browser.conftest import record_problems, running_app
from tests.towns import town_sales, write_town

VALUES = """([x, y]) => {
  const { xaxis, yaxis } = document.querySelector(".st-key-place_map .js-plotly-plot")._fullLayout;
  return [xaxis.p2d(x), yaxis.p2d(y)];
}"""
IS_MARKED = """([x, y]) => {
  const { _fullLayout, _fullData } = document.querySelector(".st-key-place_map .js-plotly-plot");
  const { x: [east], y: [north] } = _fullData.at(-1);
  const { xaxis, yaxis } = _fullLayout;
  return Math.hypot(xaxis.d2p(east) - x, yaxis.d2p(north) - y) < 2;
}"""


@pytest.fixture(scope="module")
def town_url(chromium, root, tmp_path_factory):
    """An app of a town with coordinates, with a trained model."""
    from houseprice.market.sales import load_market
    from houseprice.model.store.store import ModelStore
    from houseprice.model.training import ensure_model

    del chromium
    folder = tmp_path_factory.mktemp("place")
    market = write_town(folder / "town", ("x", "y", "location"))
    ensure_model(load_market(market), ModelStore(folder / "models"))
    settings = {"HOUSEPRICE_MARKET": str(market), "HOUSEPRICE_MODEL_DIR": str(folder / "models")}
    with running_app(root, folder / "app.log", **settings) as url:
        yield url


@pytest.mark.parametrize("has_touch", [False, True], ids=["click", "tap"])
def test_the_place_under_the_pointer_is_entered_and_marked(town_url, browser, has_touch):
    size = {"width": 390 if has_touch else 1280, "height": 1600}
    context = browser.new_context(viewport=size, has_touch=has_touch, is_mobile=has_touch)
    page = context.new_page()
    problems = record_problems(page, town_url)
    page.goto(f"{town_url}/house")
    place_map = page.locator(".st-key-place_map .nsewdrag")
    expect(place_map).to_be_visible(timeout=60_000)
    expect(page.get_by_text("What to add next")).to_be_visible(timeout=60_000)
    origin = town_sales()[["x", "y"]].median().to_numpy()
    for share in (0.3, 0.7):
        box = place_map.bounding_box()
        at = [share * box["width"], (1 - share) * box["height"]]
        expected = origin + 1000 * np.array(page.evaluate(VALUES, at))
        press = page.touchscreen.tap if has_touch else page.mouse.click
        press(box["x"] + at[0], box["y"] + at[1])
        page.wait_for_function(IS_MARKED, arg=at)
        for label, value in zip(("X", "Y"), expected, strict=True):
            entered = float(page.get_by_label(label, exact=True).input_value())
            assert entered == pytest.approx(value, abs=2)
    assert problems == []
    context.close()
