"""The proxy's own configuration in a real Caddy, before real processes and a real browser."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import NO_CHROMIUM, SWITCHES, find_chromium, record_problems
from tests.loopback import free_port, get, post, wait_until
from tests.release.deploy.house import ADDRESSES, COOKIE, UPLOAD_MB, House
from tests.release.deploy.tools import find_tool, miss

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE = Path(__file__).parents[3] / "houseprice" / "market" / "ames" / "to_value.csv"
ROW = {"Neighborhood": "NAmes", "OverallQual": 6, "YearBuilt": 1962, "GrLivArea": 1250}
VALUE = re.compile(r"^\$[\d,]+$")
MB = 1024**2


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    chromium = find_chromium() or miss(NO_CHROMIUM)
    return browser_type_launch_args | {"executable_path": chromium, "args": SWITCHES}


@pytest.fixture(scope="module")
def running(
    root: Path, model_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    house = House(find_tool("caddy"), root, model_dir, tmp_path_factory.mktemp("house"))
    try:
        house.start()
        yield house
    finally:
        house.stop()


@pytest.fixture
def house(running: House) -> House:
    """All of it at work: what a test has ended is started again."""
    running.start()
    return running


@pytest.fixture
def visitor(house: House, browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(base_url=house.url, ignore_https_errors=True)
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Page:
    return visitor.new_page()


def caller(house: House) -> requests.Session:
    """A visitor without a browser, who trusts the proxy's own authority and nobody else."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(house.authority)
    return session


def replica(house: House, visitor: BrowserContext) -> str:
    """The address of the app that this visitor's cookie names."""
    named = next(cookie["value"] for cookie in visitor.cookies() if cookie["name"] == COOKIE)
    return house.dials()[named]


def value_on(page: Page) -> str:
    metric = page.get_by_test_id("stMetricValue").first
    expect(metric).to_have_text(VALUE, timeout=30_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return metric.inner_text()


def test_each_visitor_stays_with_one_app_and_both_have_visitors(house: House) -> None:
    seen: set[str] = set()

    def both() -> bool:
        with caller(house) as visitor:
            for _ in range(4):
                answer = visitor.get(f"{house.local_url}/_stcore/health", timeout=30)
                assert answer.text == "ok"
            assert COOKIE not in answer.cookies  # it is set once, and then known
            seen.add(house.dials()[visitor.cookies[COOKIE]])
        return len(seen) == 2

    wait_until(both)
    assert seen == set(ADDRESSES)


def test_a_house_and_a_table_are_valued_in_a_browser_behind_the_proxy(
    house: House, page: Page
) -> None:
    wrong = record_problems(page, house.url)
    sockets: list[str] = []
    page.on("websocket", lambda opened: sockets.append(opened.url))

    page.goto("/house")
    value_on(page)
    assert sockets == [house.url.replace("https", "wss") + "/_stcore/stream"]
    expect(page.get_by_test_id("stSidebar")).to_contain_text("answered by the server at")

    page.goto("/csv")
    head = b"".join(SAMPLE.read_bytes().splitlines(keepends=True)[:21])
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "homes.csv", "mimeType": "text/csv", "buffer": head}
    )
    button = page.get_by_role("button", name=re.compile("^Download the valued table"))
    with page.expect_download() as coming:
        button.click()
    table = list(csv.DictReader(io.StringIO(Path(coming.value.path()).read_text("utf-8-sig"))))
    assert len(table) == 20
    assert all(float(row["predicted_price"]) > 0 for row in table)
    assert wrong == []


def test_a_visitor_whose_app_dies_goes_on_with_the_other(
    house: House, visitor: BrowserContext, page: Page
) -> None:
    page.goto("/house")
    value = value_on(page)
    lost = replica(house, visitor)
    house.kill("app", lost)
    wait_until(lambda: replica(house, visitor) != lost)
    field = page.get_by_role("spinbutton").first
    expect(field).to_be_enabled()
    field.fill("2000")
    field.press("Enter")
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(value)
    value_on(page)


def test_requests_to_the_services_are_shared_and_outlive_one_of_them(house: House) -> None:
    def ask(key: str) -> requests.Response:
        return post(
            f"{house.api_url}/v1/valuations", json={"rows": [ROW]}, headers={"X-API-Key": key}
        )

    assert ask("no key of ours").status_code == 401
    wait_until(
        lambda: (
            ask(house.key).ok
            and all('"/v1/valuations"' in house.log("serve", address) for address in ADDRESSES)
        )
    )
    house.kill("serve", ADDRESSES[0])
    headers = {"X-API-Key": house.key}
    assert all(get(f"{house.api_url}/v1/model", headers=headers).ok for _ in range(10))
    # An older Caddy can't send a body a second time, and says 502: our client asks again.
    wait_until(lambda: ask(house.key).ok)
    assert house.key not in house.log("caddy", "")


def test_a_file_over_the_limit_is_refused_at_the_door(house: House) -> None:
    address = f"{house.local_url}/_stcore/upload_file/nobody/nothing"
    with caller(house) as visitor:
        assert visitor.put(address, data=b"." * ((UPLOAD_MB + 1) * MB)).status_code == 413
        assert visitor.put(address, data=iter([b"of no length"])).status_code == 411
        assert visitor.post(house.local_url, data=b"." * MB).status_code == 413
        # As large as may be, it reaches the app, which knows no such visitor.
        assert visitor.put(address, data=b"." * (UPLOAD_MB * MB)).status_code in {400, 403}


@pytest.mark.parametrize(
    ("accepted", "packed"), [("gzip, deflate, br, zstd", "zstd"), ("gzip", "gzip")]
)
def test_what_pages_are_made_of_comes_packed(house: House, accepted: str, packed: str) -> None:
    with caller(house) as visitor:
        page = visitor.get(house.local_url, headers={"Accept-Encoding": "identity"}).text
        script = re.search(r'src="\.?(/static/js/index[^"]+\.js)"', page)
        assert script
        answer = visitor.get(
            house.local_url + script[1], headers={"Accept-Encoding": accepted}, stream=True
        )
    assert answer.headers["Content-Encoding"] == packed


def test_browsers_are_told_what_a_page_may_do(house: House) -> None:
    with caller(house) as visitor:
        said = visitor.get(house.local_url).headers
        assert "default-src 'self'" in said["Content-Security-Policy"]
        assert said["X-Content-Type-Options"] == "nosniff"
        assert said["X-Frame-Options"] == "SAMEORIGIN"
        assert said["Referrer-Policy"] == "same-origin"
        assert "Server" not in said
        assert "Strict-Transport-Security" not in said  # it would hold for all of localhost
        assert visitor.get(f"{house.local_url}/_stcore/metrics").status_code == 404
        named = visitor.get(house.local_url, headers={"Host": house.url.removeprefix("https://")})
        assert named.headers["Strict-Transport-Security"] == "max-age=31536000"
        stream = f"{house.local_url}/_stcore/stream"
        assert (
            visitor.get(stream, headers={"Origin": "https://elsewhere.example"}).status_code == 403
        )
        assert visitor.get(stream, headers={"Origin": house.local_url}).status_code != 403
    plain = get(f"http://localhost:{house.http_port}/house", allow_redirects=False)
    assert plain.status_code == 308
    assert plain.headers["Location"].startswith("https://localhost")


def test_the_health_check_of_the_image_knows_both_commands(root: Path, house: House) -> None:
    def check(port: int) -> int:
        command = [sys.executable, "-I", "-S", str(root / "deploy" / "image" / "healthy.py")]
        return subprocess.run(command, env={"PORT": str(port)}, check=False).returncode

    assert (check(house.app_port), check(house.api_port)) == (0, 0)
    assert check(free_port()) == 1
