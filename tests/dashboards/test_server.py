"""The dashboard's server on the loopback device: whom it answers, and what its error boxes offer."""

import base64
import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from harness.dashboards.serve import HOSTS, settings

from harness.store import Store
from tests.builders import grown, result
from tests.builders.dashboards import served

PAGES = ("/", "/verdicts", "/_stcore/health", "/_stcore/host-config", "/_stcore/stream", "/media/any.csv")
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": base64.b64encode(b"0" * 16).decode(),
    "Sec-WebSocket-Protocol": "streamlit",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where `emergence dashboard` answers, on a small store."""
    store = Store(tmp_path_factory.mktemp("server") / "results")
    for header in grown((50, 90)):
        store.write(result(header.cell))
    with served(store.root, "--allow-host", "gateway.example") as there:
        yield urlsplit(there).netloc


def status(address: str, path: str, **headers: str) -> int:
    """Of the answer to a request with these headers."""
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_request_that_calls_the_machine_otherwise_gets_nothing(address: str, host: str) -> None:
    assert {status(address, path, Host=host) for path in PAGES} == {400}
    assert status(address, "/_stcore/stream", Host=host, **SOCKET) == 400
    assert status(address, "/_stcore/stream", Host=host, Origin=f"http://{host}", **SOCKET) == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1234", "gateway.example"])
def test_a_browser_here_or_behind_a_forwarded_port_or_a_named_proxy_is_answered(address: str, host: str) -> None:
    assert {status(address, path, Host=host) for path in PAGES[:3]} == {200}
    assert status(address, "/_stcore/stream", Host=host, Origin=f"http://{host}", **SOCKET) == 101


def test_it_listens_on_the_loopback_device_and_error_boxes_link_nowhere() -> None:
    options = settings(8501, HOSTS)
    assert (options["server.address"], options["client.showErrorLinks"]) == ("127.0.0.1", "false")
    assert options["client.disableDataExport"]  # the buttons of tables would write formulas as they are
    assert options["server.enableCORS"]
    assert options["server.enableXsrfProtection"]


def test_options_are_those_of_the_oldest_streamlit_that_is_allowed() -> None:
    from streamlit import config

    assert settings(8501, HOSTS).keys() <= config.get_config_options().keys()
