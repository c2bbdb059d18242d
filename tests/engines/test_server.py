"""A model behind a server has the scores that it has here; whatever else the server does is waited for or one line."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import ladder
from harness.catalog import load_catalog, select
from harness.engines.protocol import EngineSettings, attempt, open_engine
from harness.engines.server.client import Client, NotOfferedError, Patience, ServerError
from harness.engines.server.lm import ServerEngine
from harness.errors import HarnessError, PlanError
from harness.plan import Cell, RunPlan
from harness.records import CellFailure, CellResult
from tests.builders.commands import Emergence
from tests.builders.servers import Served, Words, cut_short, hung_up, refused, reply, serving, slow

MODEL = "ladder-12k"
QUICK = Patience(tries=4, first_pause=0.001, longest_pause=0.05, reply_seconds=30.0)
TASKS = ("sentiment", "add_2")


@pytest.fixture(scope="module")
def words() -> Words:
    """The smallest embedded model."""
    return Words(Path(ladder.__file__).parent / "weights/12k")


@pytest.fixture
def served(words: Words, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server with that model; the engine has little patience with it."""
    monkeypatch.setattr(ServerEngine, "patience", QUICK)
    with serving(words, name=MODEL) as running:
        yield running


@functools.cache
def plan(*tasks: str, engine: str = "server", **options: Any) -> RunPlan:
    return select(
        load_catalog(), families=["embedded"], models=[MODEL], tasks=tasks, engine=engine, seeds=1, limit=6, **options
    )


def evaluated(chosen: RunPlan, cell: Cell, served: Served, **settings: Any) -> CellResult:
    engine = open_engine(cell.engine, cell.model, EngineSettings(base_url=served.url, **settings))
    outcome = attempt(engine, cell, chosen.tasks[cell.task])
    engine.close()
    if isinstance(outcome, CellFailure):
        raise HarnessError(outcome.message)
    assert isinstance(outcome, CellResult)
    return outcome


@pytest.mark.parity
@pytest.mark.parametrize("form", ["echo", "prompt_logprobs"])
@pytest.mark.parametrize("context", [None, 256])
def test_scores_and_texts_are_those_of_the_tree_engine(served: Served, form: str, context: int | None) -> None:
    served.forms, served.context = (form,), context
    here, there = (plan(*TASKS, engine=engine, shots=(0, 2)) for engine in ("tree", "server"))
    for mine, theirs in zip(here.cells, there.cells, strict=True):
        one, other = evaluated(here, mine, served), evaluated(there, theirs, served)
        assert mine.key != theirs.key
        assert [s.metric for s in one.scores] == [s.metric for s in other.scores]
        assert [s.value for s in other.scores] == pytest.approx([s.value for s in one.scores], abs=1e-5)
        for a, b in zip(one.samples, other.samples, strict=True):
            assert (a.output, a.prompt_hash, a.truncated) == (b.output, b.prompt_hash, b.truncated)
            assert b.option_loglikelihoods == pytest.approx(a.option_loglikelihoods, abs=1e-4)
    assert other.provenance.device == f"server {served.url.split('/')[2]}"


def test_a_server_without_likelihoods_is_asked_for_texts_alone(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    served.forms = ()
    chosen = plan("add_2", shots=(2,))
    with caplog.at_level(logging.WARNING):
        result = evaluated(chosen, chosen.cells[0], served)
    assert "without the metrics that need likelihoods" in caplog.text
    assert {score.metric for score in result.scores} == {"exact_match", "edit_similarity"}
    options = plan("sentiment", shots=(0,))
    with pytest.raises(HarnessError, match="gives no likelihoods of a prompt's tokens, which options are scored by"):
        evaluated(options, options.cells[0], served)


def test_a_chat_is_sent_in_turns_and_the_server_writes_the_template(served: Served) -> None:
    chosen = plan("add_2", shots=(1,), chat=True, system="Be short.")
    result = evaluated(chosen, chosen.cells[0], served)
    chats = [body for path, body in served.asked if path == "/v1/chat/completions"]
    assert len(chats) == 6
    assert [turn["role"] for turn in chats[0]["messages"]] == ["system", "user", "assistant", "user"]
    assert chats[0]["messages"][0]["content"] == "Be short."
    assert "loglikelihood_per_token" not in {score.metric for score in result.scores}


def test_texts_are_asked_for_greedily_with_four_stops_at_most_and_cut_at_all_of_them(served: Served) -> None:
    chosen = plan("add_2", shots=(2,))
    evaluated(chosen, chosen.cells[0], served)
    bodies = [body for _, body in served.asked if body.get("max_tokens", 1) > 1]
    assert len(bodies) == 6
    assert all(body["temperature"] == 0.0 and body["model"] == MODEL for body in bodies)
    assert all(1 <= len(body["stop"]) <= 4 for body in bodies)


@pytest.mark.parametrize(
    "faults",
    [
        [refused(429, Retry_After="0.01")] * 3,
        [refused(503), hung_up, cut_short],
        [lambda handler: reply(handler, 200, b"<html>busy</html>")],
        [refused(500), refused(529, Retry_After="Sun, 06 Nov 1994 08:49:37 GMT")],
    ],
    ids=["rate limit", "dying", "no JSON", "a date"],
)
def test_a_server_that_is_not_ready_is_waited_for(served: Served, faults: list[Any]) -> None:
    chosen = plan("sentiment", shots=(0,))
    before = evaluated(chosen, chosen.cells[0], served)
    served.faults = list(faults)
    after = evaluated(chosen, chosen.cells[0], served)
    assert served.faults == []
    assert [score.value for score in after.scores] == [score.value for score in before.scores]


def test_a_reply_that_does_not_come_is_asked_for_again(served: Served) -> None:
    served.faults = [slow(2.0)]
    quick = Client(served.url, patience=Patience(tries=20, first_pause=0.001, reply_seconds=1.0))
    answer = quick.post("/completions", {"model": MODEL, "prompt": "1 2", "max_tokens": 1})
    assert isinstance(answer["choices"][0]["text"], str)
    assert [path for path, _ in served.asked][:2] == ["/v1/completions"] * 2


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([refused(429, "too many")] * 9, "/completions: is not ready (429 too many), 4 times"),
        ([hung_up] * 9, "/completions: does not answer ("),
        ([refused(429, Retry_After="3600")], "asks to come back in 3,600 s; start the run again then"),
        ([lambda h: reply(h, 200, b"<html>")] * 9, "/completions: the answer is not JSON, 4 times"),
        ([lambda h: reply(h, 200, [1])], "/completions: the answer is no JSON object"),
        ([lambda h: reply(h, 302, b"", Location="http://127.0.0.1:1/")], "leads elsewhere (302)"),
        ([refused(403, "no\x1b[31m")], "asks for a key; expected it in OPENAI_API_KEY (403 no"),
    ],
)
def test_what_does_not_pass_is_one_line(served: Served, faults: list[Any], said: str) -> None:
    served.faults = list(faults)
    with pytest.raises(ServerError) as refusal:
        open_engine("server", plan("sentiment").cells[0].model, EngineSettings(base_url=served.url))
    assert said in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


def _with_logs(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def changed(answer: dict[str, Any]) -> dict[str, Any]:
        logs = answer["choices"][0].get("logprobs")
        if logs is not None:
            change(logs)
        return answer

    return changed


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        (lambda logs: logs["token_logprobs"].__setitem__(2, 0.7), "token 2 of a prompt has the log-likelihood 0.7"),
        (lambda logs: logs["token_logprobs"].__setitem__(2, float("nan")), "the log-likelihood nan"),
        (lambda logs: logs["token_logprobs"].__setitem__(1, None), "token 1 of a prompt has the log-likelihood None"),
        (
            lambda logs: logs["token_logprobs"].__delitem__(slice(2, None)),
            "gives no likelihoods of the prompt's tokens",
        ),
        (lambda logs: logs["token_logprobs"].__setitem__(2, "likely"), "gives no likelihoods of the prompt's tokens"),
    ],
)
def test_numbers_that_cannot_be_fail_the_cell(served: Served, lie: Any, said: str) -> None:
    chosen = plan("sentiment", shots=(0,))
    engine = open_engine("server", chosen.cells[0].model, EngineSettings(base_url=served.url))
    served.change = _with_logs(lie)
    outcome = attempt(engine, chosen.cells[0], chosen.tasks["sentiment"])
    assert isinstance(outcome, CellFailure)
    assert said in outcome.message


def test_the_key_is_sent_and_shown_nowhere(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = plan("sentiment", shots=(0,))
    served.key = "sk-secret"
    monkeypatch.setenv("MY_KEY", "sk-wrong")
    with pytest.raises(ServerError, match="refuses the key in MY_KEY") as refusal:
        open_engine("server", chosen.cells[0].model, EngineSettings(base_url=served.url, api_key_env="MY_KEY"))
    assert "sk-wrong" not in str(refusal.value)
    monkeypatch.setenv("MY_KEY", "sk-secret")
    result = evaluated(chosen, chosen.cells[0], served, api_key_env="MY_KEY")
    assert served.headers[-1]["Authorization"] == "Bearer sk-secret"
    assert "sk-secret" not in f"{result} {caplog.text}"
    monkeypatch.delenv("MY_KEY")
    with pytest.raises(ServerError, match="--api-key-env MY_KEY: this variable is not set"):
        Client(served.url, key_variable="MY_KEY")


def test_no_more_requests_are_under_way_than_were_allowed(served: Served) -> None:
    chosen = plan("sentiment", shots=(0,))
    served.faults = [slow(0.02)] * 20
    evaluated(chosen, chosen.cells[0], served, concurrency=3)
    assert 1 < served.most <= 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "expected an address such as http://host:8000/v1"),
        ("ftp://host/v1", "expected an address"),
        ("http://user:word@host/v1", "has more than host, port and path"),
        ("http://host/v1?key=word", "has more than host, port and path"),
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused(url: str, said: str) -> None:
    with pytest.raises(ServerError) as refusal:
        Client(url)
    assert said in str(refusal.value)
    assert "word" not in str(refusal.value)


def test_a_server_without_the_model_or_the_path_says_so(served: Served) -> None:
    served.name = "another"
    with pytest.raises(ServerError, match="unknown model 'ladder-12k'; known: another"):
        open_engine("server", plan("sentiment").cells[0].model, EngineSettings(base_url=served.url))
    with pytest.raises(NotOfferedError, match=r"refused \(404 no such path\)"):
        Client(served.url, patience=QUICK).post("/embeddings", {})
    with pytest.raises(ServerError, match="which server"):
        open_engine("server", plan("sentiment").cells[0].model, EngineSettings())


def test_a_model_that_no_family_describes_needs_its_size(served: Served) -> None:
    with pytest.raises(PlanError, match="--model 'org/new': how large is it"):
        select(load_catalog(), models=["org/new"], tasks=["add_2"], engine="server")
    with pytest.raises(PlanError, match="only for --engine server"):
        select(load_catalog(), tasks=["add_2"], params=7)
    with pytest.raises(PlanError, match="which model"):
        select(load_catalog(), tasks=["add_2"], engine="server")
    (cell, *_) = select(load_catalog(), models=["org/new"], tasks=["add_2"], engine="server", params=7_000).cells
    assert (cell.model.name, cell.model.family, cell.model.params, cell.model.path) == ("org/new", "new", 7_000, None)


def test_the_command_line_asks_a_server(served: Served, emergence: Emergence, tmp_path: Path) -> None:
    served.name = "org/small"
    asked = ("--engine", "server", "--base-url", served.url, "--model", "org/small", "--params", "12k")
    chosen = ("--task", "sentiment", "--shots", "0", "--limit", "4", "--results", tmp_path / "results")
    done = emergence("run", *asked, *chosen, "--executor", "inline")
    assert done.code == 0, done.err
    (row,) = json.loads(emergence("leaderboard", "--results", tmp_path / "results", "--format", "json").out)[:1]
    assert (row["model"], row["params"], row["engine"]) == ("org/small", 12_000, "server")
