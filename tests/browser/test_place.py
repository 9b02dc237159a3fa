"""A click or a tap on the map of the form enters the place of the house."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from houseprice.market.sales import load_market
from houseprice.model.store.store import ModelStore
from houseprice.model.training import ensure_model
from tests.browser.conftest import record_problems, running_app
from tests.towns import town_sales, write_town

VALUES = """([x, y]) => {
  const { xaxis, yaxis } = document.querySelector(".st-key-place_map .js-plotly-plot")._fullLayout;
  return [xaxis.p2d(x), yaxis.p2d(y)];
}"""
IS_MARKED = """([x, y]) => {
  const map = document.querySelector(".st-key-place_map .js-plotly-plot");
  const mark = map?._fullData?.at(-1);  // a click draws the map again
  if (!mark?.x?.length) return false;
  const { xaxis, yaxis } = map._fullLayout;
  return Math.hypot(xaxis.d2p(mark.x[0]) - x, yaxis.d2p(mark.y[0]) - y) < 2;
}"""
IS_ENTERED = """(expected) => ["x", "y"].every((name, i) => {
  const field = document.querySelector(`.st-key-${name} input`);
  return Math.abs(Number.parseFloat(field?.value) - expected[i]) < 5;
})"""


@pytest.fixture(scope="module")
def town_url(chromium, root, tmp_path_factory):
    """An app of a town with coordinates, with a trained model."""
    del chromium
    folder = tmp_path_factory.mktemp("place")
    market = write_town(folder / "town", ("x", "y"))
    ensure_model(load_market(market), ModelStore(folder / "models"))
    settings = {"HOUSEPRICE_MARKET": str(market), "HOUSEPRICE_MODEL_DIR": str(folder / "models")}
    with running_app(root, folder / "app.log", **settings) as url:
        yield url


@pytest.mark.parametrize("has_touch", [False, True], ids=["click", "tap"])
def test_the_place_under_the_pointer_is_entered_and_marked(town_url, browser, has_touch):
    size = {"width": 390 if has_touch else 1280, "height": 1600}
    context = browser.new_context(viewport=size, has_touch=has_touch, is_mobile=has_touch)
    page = context.new_page()
    page.set_default_timeout(60_000)
    problems = record_problems(page, town_url)
    page.goto(f"{town_url}/house")
    place_map = page.locator(".st-key-place_map .nsewdrag")
    expect(place_map).to_be_visible(timeout=120_000)  # the first page of a new app
    origin = town_sales()[["x", "y"]].median().to_numpy()
    for share in (0.3, 0.7):
        # While the page runs, the map moves.
        expect(page.get_by_test_id("stStatusWidget")).to_have_count(0, timeout=60_000)
        box = place_map.bounding_box()
        at = [round(share * box["width"]), round((1 - share) * box["height"])]
        expected = origin + 1000 * np.array(page.evaluate(VALUES, at))
        press = place_map.tap if has_touch else place_map.click
        press(position={"x": at[0], "y": at[1]})
        page.wait_for_function(IS_MARKED, arg=at)
        page.wait_for_function(IS_ENTERED, arg=expected.tolist())
    assert problems == []
    context.close()
