"""A model behind a server, asked as every other model is, and the engine for it.

The harness has no tokenizer of such a model, and needs none: a server that gives the likelihoods of a prompt's tokens
tells their number too, and the tokens of a continuation are those that the whole text has beyond its context, by
the rule of `pairs`. A server that gives no such likelihoods is asked for texts alone.
"""

from __future__ import annotations

import json
import logging
import math
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lm_eval.api.instance import Instance

from harness.engines.answers import evaluate_with
from harness.engines.cell_model import in_one_context
from harness.engines.documents import DocumentCache
from harness.engines.pairs import Pair, check_scorable
from harness.engines.protocol import EngineSettings
from harness.engines.sampling import NEW_TOKENS, seed_of_text, writing_options
from harness.engines.server.client import Client, NotOfferedError, Patience, ServerError
from harness.engines.server.likelihoods import LikelihoodForm, Token, offered_form, tokens_of
from harness.errors import HarnessError, unknown
from harness.plan import Cell
from harness.records import CellResult
from harness.scoring.metrics import needs_likelihood
from harness.specs import ModelSpec, TaskSpec
from harness.wording import quoted

log = logging.getLogger(__name__)

_WRITER = "a server"
_MOST_STOPS = 4
"""Stop texts that OpenAI's protocol takes; texts are cut at all of them here."""
_ANY_LENGTH = 1 << 40
"""Context of a server that does not say how long it is: it refuses what is too long."""


class ServerLM:
    """One model behind a server."""

    fallback: str | None = None
    foreign_code: tuple[str, ...] = ()
    batch_size_used: int | None = None
    token_budget_used: int | None = None
    reading = encoded = None
    max_gen_toks = NEW_TOKENS
    context_needed = staticmethod(in_one_context)

    def __init__(self, client: Client, name: str) -> None:
        """Ask the server whether it has the model, and what it says about tokens.

        Raises:
            ServerError: the server does not answer, or does not have the model.
        """
        self._client, self.name = client, name
        self.max_length = _context(client, name) or _ANY_LENGTH
        self._form: LikelihoodForm | None = offered_form(client, name)
        self._tokens: dict[str, list[Token]] = {}
        self._cell_seed = 0
        self._in_turns = self._must_count = False

    @property
    def gives_likelihoods(self) -> bool:
        """Whether options and reference answers can be scored: not where the server writes the turns of a chat."""
        return self._form is not None and not self._in_turns

    def begin(self, cell: Cell, task: TaskSpec) -> None:
        """Start a cell."""
        self._cell_seed, self._in_turns = cell.seed, cell.chat is not None
        self._must_count = task.config.get("output_type") == "loglikelihood_rolling"
        self._tokens.clear()

    def learn(self, texts: Iterable[str]) -> None:
        """Nothing: the server has the tokenizer."""

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """The turns as JSON, which `respond` sends as they are: the server writes them by the model's template."""
        return json.dumps({"messages": [dict(turn) for turn in turns], "begins": begins_answer}, ensure_ascii=False)

    def tok_encode(self, string: str) -> list[int]:
        """As many numbers as the text has tokens; of a prompt that surely fits the context, no more than that.

        Where the server tells neither its context nor the tokens of a prompt, it refuses what is too long itself.
        """
        bound = len(string.encode("utf-8", "surrogatepass")) + 1  # no tokenizer makes more tokens
        if self._must_count or (self.gives_likelihoods and bound + self.max_gen_toks > self.max_length):
            return [0] * len(self._scored([string])[string])
        return [0] if not self.gives_likelihoods or self.max_length == _ANY_LENGTH else [0] * bound

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """As many numbers as context and continuation of each request have tokens.

        Raises:
            HarnessError: a continuation has none, or the server gives no likelihoods.
        """
        found = self._continuations(requests)
        pairs = [Pair([0] * n, [0] * len(tokens)) for n, tokens in found]
        check_scorable(requests, pairs, self.max_length)
        return pairs

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any type, in their order."""
        likelihoods = [request for request in requests if request.request_type == "loglikelihood"]
        scored = dict(zip(map(id, likelihoods), self._continuations(likelihoods), strict=True))
        whole = [request.args[0] for request in requests if request.request_type == "loglikelihood_rolling"]
        known = self._scored(whole) if whole else {}
        texts = iter(self._texts([r for r in requests if r.request_type == "generate_until"]))
        responses: list[Any] = []
        for request in requests:
            if request.request_type == "loglikelihood":
                responses.append(_of(scored[id(request)][1]))
            elif request.request_type == "generate_until":
                responses.append(next(texts))
            else:
                responses.append(_of(known[request.args[0]][1:])[0])
        return responses

    # --- likelihoods ---

    def _continuations(self, requests: Sequence[Instance]) -> list[tuple[int, list[Token]]]:
        """Number of tokens of each context, and the tokens of the continuation."""
        if not requests:
            return []
        moved = [(context.rstrip(), context + continuation) for context, continuation in (r.args for r in requests)]
        known = self._scored([text for pair in moved for text in pair if text])
        found = []
        for request, (context, whole) in zip(requests, moved, strict=True):
            tokens = known[whole] if whole else []
            # an empty context is the token that begins every text, if the tokenizer puts one there
            n = len(known[context]) if context else 1
            if not context and len(tokens) < 2:
                raise HarnessError(
                    f"task {request.task_name}: document {request.doc_id}: the question is empty, and the server gives "
                    "the first token of a text no likelihood"
                )
            found.append((n, tokens[n:]))
        return found

    def _scored(self, texts: Sequence[str]) -> Mapping[str, list[Token]]:
        if (form := self._form) is None or self._in_turns:
            raise ServerError(
                f"{self._client.url}: gives no likelihoods of a prompt's tokens, which options are scored by; ask "
                "tasks that generate texts, or a server with `echo` and `logprobs`, or vLLM's `prompt_logprobs`"
            )
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        found = self._client.each(lambda text: tokens_of(self._client, self.name, text, form), new)
        self._tokens.update(zip(new, found, strict=True))
        return self._tokens

    # --- texts ---

    def _texts(self, requests: Sequence[Instance]) -> list[str]:
        """The text that the model writes for each request; equal greedy requests are sent once."""
        asked: list[tuple[str, str, int]] = []
        seen: dict[tuple[str, str], int] = {}
        for request in requests:
            options = json.dumps(request.args[1], sort_keys=True, default=str)
            repeat = seen.get((request.args[0], options), 0)
            seen[request.args[0], options] = repeat + 1
            sampled = bool(writing_options(request.args[1], writer=_WRITER).options["temperature"])
            asked.append((request.args[0], options, repeat if sampled else 0))
        once = list(dict.fromkeys(asked))
        written = dict(zip(once, self._client.each(lambda one: self._text(*one), once), strict=True))
        return [written[one] for one in asked]

    def _text(self, prompt: str, given: str, repeat: int) -> str:
        options, until = writing_options(json.loads(given), writer=_WRITER)
        body = {"model": self.name, **options, "seed": seed_of_text(self._cell_seed, prompt, repeat)}
        if until:
            body["stop"] = until[:_MOST_STOPS]
        path = "/chat/completions" if self._in_turns else "/completions"
        body |= _turns(prompt) if self._in_turns else {"prompt": prompt}
        try:
            answer = self._client.post(path, body)
        except NotOfferedError as error:
            if self._in_turns or "404" not in str(error):
                raise
            raise ServerError(f"{error}; a server with chats alone is asked with --apply-chat-template") from error
        try:
            choice = answer["choices"][0]
            text = choice["message"]["content"] if self._in_turns else choice["text"]
        except (LookupError, TypeError) as error:
            raise ServerError(f"{self._client.url}{path}: the answer has no text") from error
        if not isinstance(text, str | None):
            raise ServerError(f"{self._client.url}{path}: the text of the answer is {quoted(text)}")
        return _cut_at(text or "", until)


def _of(tokens: Sequence[Token]) -> tuple[float, bool]:
    """The log-likelihood of tokens together, and whether greedy decoding would write them."""
    return math.fsum(token.loglikelihood or 0.0 for token in tokens), all(token.is_greedy for token in tokens)


def _cut_at(text: str, stops: Sequence[str]) -> str:
    """The text up to the first of its stop texts."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _turns(prompt: str) -> dict[str, Any]:
    """The messages of a chat, which the model continues or answers."""
    read = json.loads(prompt)
    going_on = {"add_generation_prompt": False, "continue_final_message": True} if read["begins"] else {}
    return {"messages": read["messages"], **going_on}


def _context(client: Client, name: str) -> int | None:
    """Tokens that the model reads, if the server says so.

    Raises:
        ServerError: the server lists its models, and this is none of them.
    """
    try:
        listed = client.get("/models").get("data")
    except NotOfferedError:
        return None
    models = {str(one.get("id")): one for one in listed or () if isinstance(one, dict)}
    if models and name not in models:
        raise ServerError(f"{client.url}: {unknown('model', name, models)}")
    length = models.get(name, {}).get("max_model_len")
    return length if isinstance(length, int) and 0 < length < _ANY_LENGTH else None


class ServerEngine:
    """An engine that asks a server; the model's weights are nowhere on this machine."""

    patience = Patience()
    """How long a server is waited for."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        """Look whether the server has the model.

        Raises:
            ServerError: it does not answer, or has no such model.
        """
        if settings.base_url is None:
            raise ServerError("--engine server: which server? Expected --base-url, such as http://host:8000/v1")
        client = Client(
            settings.base_url,
            key_variable=settings.api_key_env,
            concurrency=settings.concurrency,
            patience=self.patience,
        )
        self._settings, self._data = settings, DocumentCache()
        self._place = f"server {urllib.parse.urlsplit(client.url).netloc}"
        self._lm = ServerLM(client, model.name)

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell."""
        self._lm.begin(cell, task)
        if not self._lm.gives_likelihoods and any(needs_likelihood(metric.name) for metric in cell.metrics):
            cell = replace(cell, metrics=tuple(m for m in cell.metrics if not needs_likelihood(m.name)))
            log.warning(
                "task %s: without the metrics that need likelihoods, which this server does not give", cell.task
            )
        if not cell.metrics:
            raise ServerError(
                f"task {cell.task}: each of its metrics needs likelihoods, which the server does not give"
            )
        return evaluate_with(self._lm, cell, task, data=self._data, settings=self._settings, device=self._place)

    def close(self) -> None:
        """Nothing to free."""
