"""A server on loopback that speaks OpenAI's protocol and answers with a small model, or as badly as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

Answer = dict[str, Any]
Fault = Callable[[BaseHTTPRequestHandler], bool]
"""Does something else with a request; True when that was the answer to it."""


@dataclass
class Served:
    """A server that runs, and what it was asked."""

    url: str = ""
    """Address up to the version."""
    name: str = "small"
    """Name of its model."""
    forms: tuple[str, ...] = ("echo",)
    """Ways in which it tells likelihoods: `echo`, `prompt_logprobs`."""
    context: int | None = None
    """Tokens that it says its model reads."""
    key: str | None = None
    """Key that it asks for."""
    faults: list[Fault] = field(default_factory=list)
    """What becomes of the next requests, one each, before it answers as it should."""
    change: Callable[[Answer], Any] = lambda answer: answer
    """What it makes of each right answer."""
    asked: list[tuple[str, Answer]] = field(default_factory=list)
    """Path and body of each request."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    """Headers of each request."""
    most: int = 0
    """Most requests at one time."""
    under_way: int = 0
    """Requests at this time."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while a number is changed, or the model computes."""


class Words:
    """A model and its tokenizer."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def completion(self, body: Answer, forms: Sequence[str]) -> Answer:
        """What the server answers to a request for a completion."""
        ids = self._tokenizer(body["prompt"]).input_ids
        new = self._written(ids, int(body.get("max_tokens", 16)), body.get("stop") or ())
        choice: Answer = {"index": 0, "text": self._text(ids, new), "finish_reason": "length"}
        logs = self._logs(ids)
        if body.get("echo") and "echo" in forms:
            choice["text"] = body["prompt"] + choice["text"]
            choice["logprobs"] = self._echoed(ids, new, logs)
        if "prompt_logprobs" in body and "prompt_logprobs" in forms:
            choice["prompt_logprobs"] = [None, *(self._beside(logs[i], t) for i, t in enumerate(ids[1:]))]
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(new)}
        return {"object": "text_completion", "choices": [choice], "usage": usage}

    def chat(self, body: Answer) -> Answer:
        """What the server answers to a chat: it goes on after all turns, one in each line."""
        turns = "".join(f"{turn['role']}: {turn['content']}\n" for turn in body["messages"])
        text = self.completion({**body, "prompt": turns}, ())["choices"][0]["text"]
        return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}

    def _logs(self, ids: Sequence[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self._model(torch.tensor([list(ids)])).logits[0].double().log_softmax(-1)  # type: ignore[no-any-return]

    def _written(self, ids: Sequence[int], most: int, stops: Sequence[str]) -> list[int]:
        new: list[int] = []
        while len(new) < most and not any(stop in self._text(ids, new) for stop in stops):
            token = int(self._logs([*ids, *new])[-1].argmax())
            if token == self._tokenizer.eos_token_id:
                break
            new.append(token)
        return new

    def _text(self, ids: Sequence[int], new: Sequence[int]) -> str:
        whole, before = (self._tokenizer.decode(part, skip_special_tokens=True) for part in ([*ids, *new], ids))
        return str(whole)[len(before) :]

    def _echoed(self, ids: Sequence[int], new: Sequence[int], logs: torch.Tensor) -> Answer:
        logs = torch.cat([logs, self._logs([*ids, *new])[len(ids) :]])
        tokens = [*ids, *new]
        values = [float(logs[i, token]) for i, token in enumerate(tokens[1:])]
        tops = [{str(int(row.argmax())): float(row.max())} for row in logs[: len(tokens) - 1]]
        named = [self._tokenizer.decode([token]) for token in tokens]
        return {"tokens": named, "token_logprobs": [None, *values], "top_logprobs": [None, *tops]}

    def _beside(self, row: torch.Tensor, token: int) -> Answer:
        rank = int((row > row[token]).sum()) + 1
        return {str(token): {"logprob": float(row[token]), "rank": rank, "decoded_token": "x"}}


@contextmanager
def serving(words: Words, **how: Any) -> Iterator[Served]:
    """A server that runs until the end of the block."""
    served = Served(**how)
    httpd = _Quiet(("127.0.0.1", 0), _handler(words, served))
    httpd.daemon_threads = True
    served.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Whoever asked may have gone: nothing is printed."""


def _handler(words: Words, served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing is logged."""

        def do_GET(self) -> None:
            self._handle({})

        def do_POST(self) -> None:
            self._handle(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _handle(self, body: Answer) -> None:
            with served.lock:
                served.asked.append((self.path, body))
                served.headers.append(dict(self.headers))
                served.under_way += 1
                served.most = max(served.most, served.under_way)
                fault = served.faults.pop(0) if served.faults and self.command == "POST" else None
            answered = fault is not None and fault(self)
            answer = None if answered else self._answer(body)
            with served.lock:  # before whoever asked can ask again
                served.under_way -= 1
            if answer is not None:
                reply(self, *answer)

        def _answer(self, body: Answer) -> tuple[int, Any]:
            if served.key is not None and self.headers.get("Authorization") != f"Bearer {served.key}":
                return 401, {"error": {"message": f"wrong key {self.headers.get('Authorization')}"}}
            if self.path == "/v1/models":
                return 200, {"data": [{"id": served.name, "max_model_len": served.context}]}
            if self.path not in ("/v1/completions", "/v1/chat/completions"):
                return 404, {"error": {"message": "no such path"}}
            with served.lock:
                chat = self.path.endswith("/chat/completions")
                return 200, served.change(words.chat(body) if chat else words.completion(body, served.forms))

    return Handler


def reply(handler: BaseHTTPRequestHandler, status: int, content: Any, **headers: str) -> bool:
    """Answer a request with JSON, or with these bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)
    return True


def refused(status: int, message: str = "later", **headers: str) -> Fault:
    """A fault that answers with a status code."""
    return lambda handler: reply(handler, status, {"error": {"message": message}}, **headers)


def hung_up(handler: BaseHTTPRequestHandler) -> bool:
    """A fault: the connection ends without an answer, as when the server dies."""
    handler.connection.close()
    return True


def cut_short(handler: BaseHTTPRequestHandler) -> bool:
    """A fault: the answer is shorter than it says."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.connection.close()
    return True


def slow(seconds: float) -> Fault:
    """A fault: the answer comes late."""

    def wait(handler: BaseHTTPRequestHandler) -> bool:
        time.sleep(seconds)
        return False

    return wait
