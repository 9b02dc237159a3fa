"""Take the pictures of the docs anew, while the app runs: ``python docs/pictures.py``.

``CHROMIUM`` may name the browser, and ``PORT`` the app's port.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

IMAGES = Path(__file__).parent / "images"
PAGES = {"house": "/house?GrLivArea=2100&KitchenQual=Excellent"}


def main() -> None:
    """Save a picture of each page."""
    address = f"http://127.0.0.1:{os.environ.get('PORT', '8501')}"
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, address_of_page in PAGES.items():
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(address + address_of_page)
            expect(page.get_by_test_id("stMetricValue").first).to_be_visible(timeout=60_000)
            expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=60_000)
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
