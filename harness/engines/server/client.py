"""Requests to a server that speaks OpenAI's protocol: some at a time, each repeated while the server is not ready.

A server of others can be busy, restart, cut an answer short or give one that is none. What passes is waited for, with
pauses that grow and differ between requests, so that not all come back at once; what does not pass is one line. The key
comes from a variable of the environment, and stands in no message, record or result.
"""

from __future__ import annotations

import email.utils
import http.client
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.bounded.json_text import parsed_json
from harness.bounded.limits import UnreadableError
from harness.errors import HarnessError, MachineError
from harness.wording import cut, quoted

KEY = "OPENAI_API_KEY"
"""Variable with the key, unless another is named."""
_NOT_READY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Status codes of a server that may answer later."""
_LARGEST_REPLY = 256_000_000
_ITEMS = TypeVar("_ITEMS")
_MADE = TypeVar("_MADE")


class ServerError(MachineError):
    """A server does not answer, refuses a request, or gives what is no answer."""


class NotOfferedError(ServerError):
    """The server has no such request, or refuses one of its options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a server is waited for."""

    tries: int = 8
    """Times that a request is sent before the server is given up."""
    first_pause: float = 0.5
    """Seconds before the second time; each further pause is twice as long, a half more or less by chance."""
    longest_pause: float = 60.0
    """Seconds of one pause; also the most that a server may ask for with Retry-After."""
    reply_seconds: float = 600.0
    """Seconds without a byte after which a reply counts as lost."""


def base_address(url: str) -> str:
    """The address that the paths of requests are put behind, without a slash at its end.

    Raises:
        ServerError: it is no address of a server, or holds a name, a password or a query.
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ServerError(f"--base-url {quoted(url)}: expected an address such as http://host:8000/v1")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ServerError(f"--base-url: {parts.hostname}: has more than host, port and path; a key belongs into {KEY}")
    return url.rstrip("/")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirection, since the key would go along."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """None for every redirection: it is told as the error that it is."""


class Client:
    """A server at one address."""

    def __init__(
        self,
        url: str,
        *,
        key_variable: str | None = None,
        concurrency: int = 8,
        patience: Patience | None = None,
    ) -> None:
        """The client of a server; nothing is sent yet.

        Args:
            url: address up to the version, such as `http://host:8000/v1`.
            key_variable: variable of the environment with the key; None takes `KEY`, and no key where that is not set.
            concurrency: requests under way at a time.
            patience: how long the server is waited for.

        Raises:
            ServerError: the address is none, or a variable that was named is not set.
        """
        self.url = base_address(url)
        self.patience = patience or Patience()
        self._variable = key_variable or KEY
        key = os.environ.get(self._variable, "").strip()
        if key_variable is not None and not key:
            raise ServerError(
                f"--api-key-env {key_variable}: this variable is not set; expected the server's key in it"
            )
        self._key = key
        self._concurrency = concurrency
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._random = random.Random()

    def get(self, path: str) -> Any:
        """The answer to GET; errors as of `post`."""
        return self._asked(path, None)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a request, sent again while the server is not ready.

        Raises:
            NotOfferedError: the server does not know the path, or refuses the request.
            ServerError: it does not answer, refuses the key, or gives no JSON.
        """
        return self._asked(path, json.dumps(body).encode())

    def each(self, function: Callable[[_ITEMS], _MADE], items: Iterable[_ITEMS]) -> list[_MADE]:
        """The function's values for all items, computed some at a time; the first error ends it."""
        with ThreadPoolExecutor(self._concurrency) as pool:
            waiting = [pool.submit(function, item) for item in items]
            try:
                return [one.result() for one in waiting]
            except BaseException:
                for one in waiting:
                    one.cancel()
                raise

    def _asked(self, path: str, body: bytes | None) -> dict[str, Any]:
        pause = self.patience.first_pause
        for left in reversed(range(self.patience.tries)):
            try:
                return self._once(path, body)
            except _LaterError as later:
                if not left:
                    raise ServerError(f"{self.url}{path}: {later}, {self.patience.tries} times") from later
                asked = later.seconds
            if asked is not None and asked > self.patience.longest_pause:
                raise ServerError(f"{self.url}{path}: asks to come back in {asked:,.0f} s; start the run again then")
            time.sleep(max(asked or 0.0, pause * self._random.uniform(0.5, 1.5)))
            pause = min(2 * pause, self.patience.longest_pause)
        raise AssertionError("the last try raises")

    def _once(self, path: str, body: bytes | None) -> dict[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        request = urllib.request.Request(self.url + path, data=body, headers=headers)  # http alone
        try:
            with self._opener.open(request, timeout=self.patience.reply_seconds) as reply:
                content = reply.read(_LARGEST_REPLY + 1)
        except urllib.error.HTTPError as error:
            raise self._refused(path, error) from error
        except (OSError, http.client.HTTPException) as error:
            raise _LaterError(f"does not answer ({self._shown(getattr(error, 'reason', error))})") from error
        if len(content) > _LARGEST_REPLY:
            raise ServerError(f"{self.url}{path}: the answer has more than {_LARGEST_REPLY:,} bytes")
        try:
            answer = parsed_json(content)
        except UnreadableError as error:
            raise _LaterError(f"the answer {error}") from error
        if not isinstance(answer, dict):
            raise ServerError(f"{self.url}{path}: the answer is no JSON object")
        return answer

    def _refused(self, path: str, error: urllib.error.HTTPError) -> Exception:
        """What a status code stands for, with what the server says about it."""
        try:
            said = self._shown(_message(error.read(100_000)))
        except (OSError, http.client.HTTPException):
            said = ""
        told = f"{error.code} {said}".strip()
        if error.code in _NOT_READY:
            return _LaterError(f"is not ready ({told})", _seconds(error.headers.get("Retry-After")))
        if error.code in (401, 403):
            with_key = "refuses the key in" if self._key else "asks for a key; expected it in"
            return ServerError(f"{self.url}{path}: {with_key} {self._variable} ({told})")
        if 300 <= error.code < 400:
            return ServerError(f"{self.url}{path}: leads elsewhere ({told}); expected the address itself")
        return NotOfferedError(f"{self.url}{path}: refused ({told})")

    def _shown(self, said: object) -> str:
        """What somebody else says, in a line that the key is not in."""
        text = str(said)
        return cut(text.replace(self._key, "…") if self._key else text)


class _LaterError(HarnessError):
    """The server may answer later."""

    def __init__(self, message: str, seconds: float | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


def _message(body: bytes) -> str:
    """What the body of an error says: the message of OpenAI's form, or the text."""
    text = body.decode(errors="replace")
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    while isinstance(said, dict):
        said = next((said[key] for key in ("error", "message", "detail") if key in said), str(said))
    return str(said)


def _seconds(after: str | None) -> float | None:
    """Seconds that Retry-After asks for, given as a number or a date."""
    if after is None:
        return None
    try:
        return max(0.0, float(after)) if after.strip().replace(".", "", 1).isdigit() else _until(after)
    except (ValueError, TypeError, OverflowError):
        return None


def _until(date: str) -> float:
    return max(0.0, email.utils.parsedate_to_datetime(date).timestamp() - time.time())
