"""The exchange between a test and the program that it judges, each in a process of its own; see `dialogue`.

The test asks, the program answers, one line for one line. This host passes the lines on without reading what is in
them, and keeps to the limits: a program that answers more than it was asked, or too much, or too late, is ended. Only
what the test's process says last counts, and only when every one of its questions was answered.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import time
from typing import Any, NamedTuple

from harness.scoring.fence import Limits, SandboxError
from harness.scoring.server import READY, Cut, framed

_START_SECONDS = 30.0
_MESSAGES = 16
"""How often `Limits.output_bytes` may be exchanged in each direction: a test makes many calls."""
_PASSED = b'={"passed":true}'
_NO_WORDS = b"{}"
"""Stands for the last words of a program that has ended without any."""


class Exchanged(NamedTuple):
    """How an exchange ended."""

    passed: bool
    """True when the test ended without an error, every question answered."""
    cut: Cut | None
    """Why this host ended it; None when it ended by itself."""
    words: bytes
    """What the test or the program said last: JSON with `failed`, or with `status` and `message`; perhaps nothing."""
    broken: str | None = None
    """Why the test itself cannot run, whatever the program; None when it can."""


def exchange(judge: socket.socket, program: socket.socket, requests: tuple[bytes, bytes], limits: Limits) -> Exchanged:
    """Let a test judge a program.

    Args:
        judge: connection to the process of the test.
        program: connection to the process of the program.
        requests: what each of them reads first.
        limits: of each of them.

    Raises:
        SandboxError: one of the processes did not start.
    """
    try:
        for connection, request in zip((judge, program), requests, strict=True):
            connection.settimeout(_START_SECONDS)
            connection.sendall(framed(request))
        for connection in (judge, program):
            _await_ready(connection)
    except OSError as error:  # a timeout among them
        raise SandboxError(f"a process for a test did not start: {error}") from error
    return _Exchange(judge, program, limits).run()


def _await_ready(connection: socket.socket) -> None:
    said = b""
    while len(said) < len(READY):
        part = connection.recv(len(READY) - len(said))
        if not part:
            raise ConnectionResetError("it ended at once")
        said += part
    if said != READY:
        raise ConnectionResetError("it is not ready")


class _Exchange:
    """An exchange that is going on."""

    def __init__(self, judge: socket.socket, program: socket.socket, limits: Limits) -> None:
        self._judge, self._program = judge, program
        self._deadline = time.monotonic() + limits.wall_seconds
        self._most = limits.output_bytes * _MESSAGES
        self._asked = self._answered = self._bytes = 0
        self._begun = b""  # a line of the test's of which the end has not come yet
        self._verdict: bytes | None = None
        self._last_words = b""
        self._at_line_start = True

    def run(self) -> Exchanged:
        """Pass lines on until the test has ended, or a limit is reached."""
        poll = select.poll()
        poll.register(self._judge, select.POLLIN)
        poll.register(self._program, select.POLLIN)
        try:
            while (left := self._deadline - time.monotonic()) > 0:
                ready = {number for number, _ in poll.poll(left * 1000)}
                if self._judge.fileno() in ready:
                    if not (chunk := self._judge.recv(65536)):
                        return self._ended()
                    if (cut := self._from_judge(chunk)) is not None:
                        return self._stopped(cut)
                if self._program.fileno() in ready:
                    if not (chunk := self._heard()):
                        poll.unregister(self._program)
                        self._program_is_gone()
                    elif (cut := self._from_program(chunk)) is not None:
                        return self._stopped(cut)
        except TimeoutError:
            pass
        except ConnectionError:
            return self._stopped("error")
        return self._stopped("timeout")

    def _heard(self) -> bytes:
        """What the program says; nothing when it has ended, perhaps with a question unread."""
        try:
            return self._program.recv(65536)
        except ConnectionError:
            return b""

    def _from_judge(self, chunk: bytes) -> Cut | None:
        *lines, self._begun = (self._begun + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"="):
                self._verdict = line
            elif self._last_words not in (b"", _NO_WORDS) or self._verdict is not None or not line.startswith(b"?"):
                return "error"
            else:
                self._asked += 1
                with contextlib.suppress(ConnectionError):  # it has ended, and the poll says so
                    self._send(self._program, line[1:] + b"\n")
        return "output" if self._counted(len(chunk)) or len(self._begun) > self._most else None

    def _from_program(self, chunk: bytes) -> Cut | None:
        if self._last_words or (self._at_line_start and chunk.startswith(b"{")):  # it ends, and says why
            self._program_is_gone(chunk)
            return None
        self._answered += chunk.count(b"\n")
        self._at_line_start = chunk.endswith(b"\n")
        if self._answered + (not self._at_line_start) > self._asked or self._counted(len(chunk)):
            return "output"
        self._send(self._judge, chunk)
        return None

    def _program_is_gone(self, words: bytes = b"") -> None:
        """Let the test read the end of its connection, so that a question without an answer fails it."""
        if not self._last_words:
            self._judge.shutdown(socket.SHUT_WR)
        self._last_words = (self._last_words + words or _NO_WORDS)[:1000]

    def _counted(self, length: int) -> bool:
        self._bytes += length
        return self._bytes > 2 * self._most

    def _send(self, connection: socket.socket, data: bytes) -> None:
        connection.settimeout(max(0.001, self._deadline - time.monotonic()))
        connection.sendall(data)

    def _ended(self) -> Exchanged:
        whole = self._asked == self._answered and self._at_line_start and not self._begun
        return Exchanged(whole and self._verdict == _PASSED, None, self._words(), self._broken())

    def _stopped(self, cut: Cut) -> Exchanged:
        return Exchanged(False, cut, self._words())

    def _broken(self) -> str | None:
        verdict = _object((self._verdict or b"=")[1:])
        return str(verdict["broken"]) if "broken" in verdict else None

    def _words(self) -> bytes:
        """Why the program ended, or why the test failed; nothing where neither is known."""
        if self._last_words not in (b"", _NO_WORDS):
            return self._last_words
        return b"" if self._verdict is None else self._verdict[1:]


def _object(text: bytes) -> dict[str, Any]:
    """The keys and values that a text holds; none where it is something else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def status_of(said: Exchanged) -> tuple[str, str]:
    """Status and message of an exchange that did not end with success, as `Execution` has them."""
    words = _object(said.words)
    message = str(words.get("message") or words.get("failed") or "").partition("\n")[0][:200]
    status = words.get("status") if isinstance(words.get("status"), str) else None
    return said.cut or status or "error", message or ("stopped" if said.cut else "no answer")
