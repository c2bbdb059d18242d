"""The engine `vllm`: vLLM loads the model in the worker, over as many GPUs as it has, and answers.

Texts, and answers of one token such as letters, read what prompts share once (prefix caching). The letters after one
question are one request, by `logprob_token_ids` where this vLLM has it. The likelihoods of longer answers come by
`prompt_logprobs`, for which vLLM reads the whole prompt each time: it keeps no likelihoods beside what it has cached.

It has not been run on a GPU yet: its tests use a stand-in with vLLM's classes and arguments.
"""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.utils import has_bos_prefix, postprocess_generated_text

from harness.catalog import check_local_model
from harness.engines.answers import evaluate_with
from harness.engines.cell_model import in_one_context
from harness.engines.chats import written_turns
from harness.engines.documents import DocumentCache
from harness.engines.encoding import TokenCache
from harness.engines.pairs import Pair, check_scorable, encode_pairs
from harness.engines.protocol import EngineSettings
from harness.engines.sampling import NEW_TOKENS, seed_of_text, writing_options
from harness.engines.tried_tokenizer import check_before_loading, tried
from harness.engines.unreadable import unreadable
from harness.errors import HarnessError, MachineError, ModelError
from harness.plan import Cell
from harness.records import CellResult
from harness.specs import ModelSpec, TaskSpec

log = logging.getLogger(__name__)

_MOST_LETTERS = 128
"""Tokens whose likelihoods vLLM gives in one request (`MAX_LOGPROB_TOKEN_IDS` there)."""


class VllmLM:
    """A model that vLLM has loaded, with its tokenizer."""

    fallback: str | None = None
    foreign_code: tuple[str, ...] = ()
    batch_size_used: int | None = None
    token_budget_used: int | None = None
    reading = encoded = None
    gives_likelihoods = True
    context_needed = staticmethod(in_one_context)
    max_gen_toks = NEW_TOKENS

    def __init__(self, library: Any, llm: Any, tokenizer: Any, name: str) -> None:
        """A model ready to be asked.

        Args:
            library: the module `vllm`.
            llm: its `LLM`.
            tokenizer: transformers' tokenizer of the model.
            name: name of the model, for messages.
        """
        self._params, self._llm, self._tokenizer, self.name = library.SamplingParams, llm, tokenizer, name
        self.max_length = int(llm.llm_engine.model_config.max_model_len)
        self._by_letter = "logprob_token_ids" in _arguments(library.SamplingParams)
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        self._prefix: int | None = start
        self._bos_text = None if start is None else tokenizer.decode(start)
        self._tokens = TokenCache(tokenizer, self._special_tokens)
        self._seed = 0

    def begin(self, seed: int) -> None:
        """Start a cell; `seed` is the seed of all random sampling in it."""
        self._seed = seed

    def forget(self) -> None:
        """Drop the encoded texts of the last cell."""
        self._tokens.forget()

    def learn(self, texts: Iterable[str]) -> None:
        """Encode, in one batch, texts whose tokens will later be requested one by one."""
        self._tokens.learn(texts)

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """Turns of a chat as the model's template writes them; errors as of `chats.written_turns`."""
        return written_turns(self._tokenizer, turns, begins_answer=begins_answer)

    def tok_encode(self, string: str) -> list[int]:
        """Token ids of a prompt."""
        ids = self._tokens.ids(string)
        return ids or ([] if self._prefix is None else [self._prefix])

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """Token ids of the context and the continuation of each likelihood request, split by lm-eval's rule.

        Raises:
            HarnessError: a continuation has no tokens to score.
        """
        pairs = encode_pairs([request.args for request in requests], self._tokens, self._prefix)
        check_scorable(requests, pairs, self.max_length)
        return pairs

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any type, in their order."""
        by_kind: dict[str, list[Any]] = {}
        for kind, answer in (("loglikelihood", self._likelihoods), ("generate_until", self._texts)):
            by_kind[kind] = answer([request for request in requests if request.request_type == kind])
        by_kind["loglikelihood_rolling"] = self._whole([r for r in requests if r.request_type not in by_kind])
        waiting = {kind: iter(answers) for kind, answers in by_kind.items()}
        return [next(waiting[request.request_type]) for request in requests]

    def _special_tokens(self, text: str, add_special_tokens: bool | None) -> Mapping[str, bool]:
        """Arguments by lm-eval's rule: never a second token that begins a text."""
        if add_special_tokens is None and has_bos_prefix(text, self._bos_text):
            return {"add_special_tokens": False}
        return {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}

    # --- likelihoods ---

    def _likelihoods(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        pairs = [_cut(pair, self.max_length) for pair in self.pair_tokens(requests)] if requests else []
        letters = [i for i, pair in enumerate(pairs) if self._by_letter and len(pair.continuation) == 1]
        found = dict(zip(letters, self._letters([pairs[i] for i in letters]), strict=True))
        rest = [i for i in range(len(pairs)) if i not in found]
        found |= dict(zip(rest, self._spans([pairs[i] for i in rest]), strict=True))
        return [found[i] for i in range(len(pairs))]

    def _letters(self, pairs: Sequence[Pair]) -> list[tuple[float, bool]]:
        """Answers of one token: all that follow the same context are one request."""
        after: dict[tuple[int, ...], list[int]] = {}
        for pair in pairs:
            after.setdefault(tuple(pair.context), []).append(pair.continuation[0])
        asked: list[tuple[tuple[int, ...], list[int]]] = []
        for context, tokens in after.items():
            once = list(dict.fromkeys(tokens))
            asked += [(context, once[i : i + _MOST_LETTERS]) for i in range(0, len(once), _MOST_LETTERS)]
        outputs = self._generate(
            [list(context) for context, _ in asked],
            [self._greedy(max_tokens=1, logprob_token_ids=tokens) for _, tokens in asked],
        )
        known: dict[tuple[tuple[int, ...], int], tuple[float, bool]] = {}
        for (context, tokens), output in zip(asked, outputs, strict=True):
            (given,), (written,) = output.outputs[0].logprobs, output.outputs[0].token_ids
            known.update({(context, token): (float(given[token].logprob), token == written) for token in tokens})
        return [known[tuple(pair.context), pair.continuation[0]] for pair in pairs]

    def _spans(self, pairs: Sequence[Pair]) -> list[tuple[float, bool]]:
        """Answers of any length: the likelihood of each token of the prompt that they end."""
        prompts = [[*pair.context, *pair.continuation] for pair in pairs]
        found = []
        for pair, prompt, output in zip(pairs, prompts, self._scored(prompts), strict=True):
            first = len(pair.context)
            tokens = [output.prompt_logprobs[i][prompt[i]] for i in range(first, len(prompt))]
            found.append((math.fsum(one.logprob for one in tokens), all(one.rank == 1 for one in tokens)))
        return found

    def _whole(self, requests: Sequence[Instance]) -> list[float]:
        """The log-likelihood of whole texts, each after the token that begins a text."""
        prompts = []
        for request in requests:
            tokens = self._tokens.ids(request.args[0], False)
            if self._prefix is None or len(tokens) + 1 > self.max_length:
                raise HarnessError(
                    f"document {request.doc_id}: the text takes {len(tokens)} tokens, the model reads "
                    f"{self.max_length}; the engine vllm cuts no text into windows, the tree engine does"
                )
            prompts.append([self._prefix, *tokens])
        scored = zip(prompts, self._scored(prompts), strict=True)
        return [math.fsum(o.prompt_logprobs[i][p[i]].logprob for i in range(1, len(p))) for p, o in scored]

    def _scored(self, prompts: Sequence[list[int]]) -> list[Any]:
        return self._generate(prompts, [self._greedy(max_tokens=1, prompt_logprobs=0)] * len(prompts))

    # --- texts ---

    def _texts(self, requests: Sequence[Instance]) -> list[str]:
        prompts, params, stops = [], [], []
        seen: dict[str, int] = {}
        for request in requests:
            prompt, given = request.args
            repeat = seen[prompt] = seen.get(prompt, -1) + 1
            options, stop = writing_options(given, writer="vLLM")
            stops.append(stop)
            prompts.append(self.tok_encode(prompt)[-(self.max_length - options["max_tokens"]) :])
            params.append(self._params(**options, stop=stop, seed=seed_of_text(self._seed, prompt, repeat)))
        outputs = self._generate(prompts, params)
        texts = (str(output.outputs[0].text) for output in outputs)
        return [str(postprocess_generated_text(text, stop, None)) for text, stop in zip(texts, stops, strict=True)]

    def _greedy(self, **options: Any) -> Any:
        return self._params(temperature=0.0, detokenize=False, **options)

    def _generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> list[Any]:
        if not prompts:
            return []
        asked = [{"prompt_token_ids": prompt} for prompt in prompts]
        return list(self._llm.generate(asked, list(params), use_tqdm=False))


def _arguments(kind: Any) -> frozenset[str]:
    """Names of the arguments of a class."""
    return frozenset(inspect.signature(kind).parameters) | frozenset(getattr(kind, "__struct_fields__", ()))


def _cut(pair: Pair, most: int) -> Pair:
    """A pair whose context begins later, where both do not fit the model and the token that it writes."""
    excess = len(pair.context) + len(pair.continuation) + 1 - most
    return pair if excess <= 0 else Pair(pair.context[excess:], pair.continuation)


class VllmEngine:
    """An engine for one model that vLLM has loaded on the GPUs of this worker."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        """Load the model.

        Raises:
            MachineError: vLLM is not installed.
            ModelError: the model cannot be read, or comes with code that the user did not agree to.
        """
        try:
            import vllm
        except ImportError as error:
            raise MachineError(
                "--engine vllm: vLLM is not installed here; pip install 'emergence-harness[vllm]'"
            ) from error
        if model.path is not None:
            check_local_model(model)
        elif model.variant is not None:
            raise ModelError(f"{model.name}: variant {model.variant!r} needs a folder with the treated weights")
        self._settings, self._data = settings, DocumentCache()
        revision = "main" if model.path else model.revision
        if not settings.allow_tokenizer_code:
            check_before_loading(model.source, revision)
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                model.source, revision=revision, trust_remote_code=settings.allow_tokenizer_code
            )
            llm = vllm.LLM(
                model=model.source,
                revision=None if model.path else revision,
                tokenizer_revision=None if model.path else revision,
                dtype=model.dtype,
                tensor_parallel_size=max(1, torch.cuda.device_count()),
                enable_prefix_caching=True,
                trust_remote_code=settings.trust_remote_code,
                load_format="auto" if settings.allow_pickle else "safetensors",
                seed=0,
            )
        except Exception as error:  # a damaged folder can make both libraries raise any exception
            if isinstance(error, HarnessError):
                raise
            raise unreadable(model, error) from error
        if not settings.allow_tokenizer_code:
            tried(tokenizer)
        self._lm = VllmLM(vllm, llm, tokenizer, model.name)

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell."""
        self._lm.begin(cell.seed)
        try:
            return evaluate_with(
                self._lm,
                cell,
                task,
                data=self._data,
                settings=self._settings,
                device=f"{torch.cuda.device_count()} GPUs",
            )
        finally:
            self._lm.forget()

    def close(self) -> None:
        """Free the model; a GPU worker's process ends after it, and with it the memory."""
        del self._lm
