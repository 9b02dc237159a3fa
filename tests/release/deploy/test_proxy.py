"""The Caddyfile in Caddy, with app and API processes and Chromium."""

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.conftest import NO_CHROMIUM, SWITCHES, find_chromium, record_problems
from tests.loopback import free_port, get, post, wait_until
from tests.release.deploy.processes import find_program, skip_or_fail
from tests.release.deploy.stack import ADDRESSES, COOKIE, UPLOAD_MB, Stack

SAMPLE = Path(__file__).parents[3] / "houseprice" / "market" / "ames" / "to_value.csv"
ROW = {"Neighborhood": "NAmes", "OverallQual": 6, "YearBuilt": 1962, "GrLivArea": 1250}
VALUE = re.compile(r"^\$[\d,]+$")
MEBIBYTE = 1024**2


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    chromium = find_chromium() or skip_or_fail(NO_CHROMIUM)
    return browser_type_launch_args | {"executable_path": chromium, "args": SWITCHES}


@pytest.fixture(scope="module")
def module_stack(root, model_dir, tmp_path_factory):
    stack = Stack(find_program("caddy"), root, model_dir, tmp_path_factory.mktemp("stack"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(module_stack):
    """All processes; those that a test has killed are restarted."""
    module_stack.start()
    return module_stack


@pytest.fixture
def visitor(stack, browser):
    context = browser.new_context(base_url=stack.url, ignore_https_errors=True)
    context.set_default_timeout(30_000)
    yield context
    context.close()


@pytest.fixture
def page(visitor):
    return visitor.new_page()


def client(stack):
    """Return an HTTP session that trusts only the certificate of the proxy."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(stack.certificate)
    return session


def replica(stack, visitor):
    """Return the address of the app in the visitor's cookie."""
    cookie_value = next(cookie["value"] for cookie in visitor.cookies() if cookie["name"] == COOKIE)
    return stack.addresses_by_cookie()[cookie_value]


def value_on(page):
    metric = page.get_by_test_id("stMetricValue").first
    expect(metric).to_have_text(VALUE, timeout=30_000)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)
    return metric.inner_text()


def test_a_cookie_keeps_each_visitor_on_one_of_both_apps(stack):
    addresses: set[str] = set()

    def both_seen():
        with client(stack) as visitor:
            for _ in range(4):
                answer = visitor.get(f"{stack.local_url}/_stcore/health", timeout=30)
                assert answer.text == "ok"
            assert COOKIE not in answer.cookies  # set only once
            addresses.add(stack.addresses_by_cookie()[visitor.cookies[COOKIE]])
        return len(addresses) == 2

    wait_until(both_seen)
    assert addresses == set(ADDRESSES)


def test_a_house_and_a_table_are_valued_in_a_browser_behind_the_proxy(stack, page):
    problems = record_problems(page, stack.url)
    sockets: list[str] = []
    page.on("websocket", lambda opened: sockets.append(opened.url))

    page.goto("/house")
    value_on(page)
    assert sockets == [stack.url.replace("https", "wss") + "/_stcore/stream"]
    expect(page.get_by_test_id("stSidebar")).to_contain_text("answered by the server at")

    page.goto("/csv")
    head = b"".join(SAMPLE.read_bytes().splitlines(keepends=True)[:21])
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "homes.csv", "mimeType": "text/csv", "buffer": head}
    )
    button = page.get_by_role("button", name=re.compile("^Download the valued table"))
    with page.expect_download() as download_info:
        button.click()
    table = list(
        csv.DictReader(io.StringIO(Path(download_info.value.path()).read_text("utf-8-sig")))
    )
    assert len(table) == 20
    assert all(float(row["predicted_price"]) > 0 for row in table)
    assert problems == []


def test_a_visitor_of_a_killed_app_continues_on_the_other(stack, visitor, page):
    page.goto("/house")
    value = value_on(page)
    killed = replica(stack, visitor)
    stack.kill("app", killed)
    wait_until(lambda: replica(stack, visitor) != killed)
    field = page.get_by_role("textbox").first
    expect(field).to_be_enabled()
    field.fill("2000")
    field.press("Enter")
    expect(page.get_by_test_id("stMetricValue").first).not_to_have_text(value)
    value_on(page)


def test_api_requests_are_balanced_and_survive_a_killed_api(stack):
    def request_values(key):
        return post(
            f"{stack.api_url}/v1/valuations", json={"rows": [ROW]}, headers={"X-API-Key": key}
        )

    assert request_values("no key of ours").status_code == 401
    wait_until(
        lambda: (
            request_values(stack.key).ok
            and all('"/v1/valuations"' in stack.log("serve", address) for address in ADDRESSES)
        )
    )
    stack.kill("serve", ADDRESSES[0])
    headers = {"X-API-Key": stack.key}
    assert all(get(f"{stack.api_url}/v1/model", headers=headers).ok for _ in range(10))
    # An older Caddy does not retry a request with a body and responds with 502: our client retries.
    wait_until(lambda: request_values(stack.key).ok)
    assert stack.key not in stack.log("caddy", "")


def test_the_proxy_refuses_files_over_the_limit(stack):
    address = f"{stack.local_url}/_stcore/upload_file/unknown-session/unknown-file"
    with client(stack) as visitor:
        assert visitor.put(address, data=b"." * ((UPLOAD_MB + 1) * MEBIBYTE)).status_code == 413
        assert visitor.put(address, data=iter([b"of no length"])).status_code == 411
        assert visitor.post(stack.local_url, data=b"." * MEBIBYTE).status_code == 413
        # A file at the limit reaches the app, which does not know the session.
        assert visitor.put(address, data=b"." * (UPLOAD_MB * MEBIBYTE)).status_code in {400, 403}


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, deflate, br, zstd", "zstd"), ("gzip", "gzip")]
)
def test_static_files_are_compressed(stack, accepted, encoding):
    with client(stack) as visitor:
        page = visitor.get(stack.local_url, headers={"Accept-Encoding": "identity"}).text
        script = re.search(r'src="\.?(/static/js/index[^"]+\.js)"', page)
        assert script
        answer = visitor.get(
            stack.local_url + script[1], headers={"Accept-Encoding": accepted}, stream=True
        )
    assert answer.headers["Content-Encoding"] == encoding


def test_responses_have_security_headers(stack):
    with client(stack) as visitor:
        headers = visitor.get(stack.local_url).headers
        assert "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "SAMEORIGIN"
        assert headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in headers
        assert "Strict-Transport-Security" not in headers  # it would apply to all of localhost
        assert visitor.get(f"{stack.local_url}/_stcore/metrics").status_code == 404
        named_host = visitor.get(
            stack.local_url, headers={"Host": stack.url.removeprefix("https://")}
        )
        assert named_host.headers["Strict-Transport-Security"] == "max-age=31536000"
        stream = f"{stack.local_url}/_stcore/stream"
        assert (
            visitor.get(stream, headers={"Origin": "https://elsewhere.example"}).status_code == 403
        )
        assert visitor.get(stream, headers={"Origin": stack.local_url}).status_code != 403
    redirect = get(f"http://localhost:{stack.http_port}/house", allow_redirects=False)
    assert redirect.status_code == 308
    assert redirect.headers["Location"].startswith("https://localhost")


def test_the_health_check_of_the_image_supports_app_and_api(root, stack):
    def check(port):
        command = [sys.executable, "-I", "-S", str(root / "deploy" / "image" / "healthy.py")]
        return subprocess.run(command, env={"PORT": str(port)}, check=False).returncode

    assert (check(stack.app_port), check(stack.api_port)) == (0, 0)
    assert check(free_port()) == 1
