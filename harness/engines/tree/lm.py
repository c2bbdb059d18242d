"""The tree engine as an lm-eval model, so that every lm-eval task runs on it unchanged."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from torch import Tensor

from harness.engines.lm_eval_engine import LmEvalEngine
from harness.engines.loading import load_model
from harness.engines.transformers_lm import TransformersLM
from harness.engines.tree.answering import Likelihood, LikelihoodAnswer, answer_requests
from harness.engines.tree.attention import tree_attention_on
from harness.engines.tree.generation import NotNumbersError, Pieces, Text
from harness.engines.tree.model import TreeModel, Work
from harness.engines.tree.options import NotFollowedError, TextRules, rules
from harness.engines.tree.passes import KeysValues
from harness.engines.tree.soft_prompt import SoftPrompt
from harness.engines.tree.support import why_not
from harness.engines.writing import no_numbers
from harness.errors import ModelError
from harness.specs import ModelSpec

CPU_BUDGET = 2048
GPU_BUDGET = 16384
LEAST_BUDGET = 32
"""The token budget is halved when memory runs out, but not when it is already as small as this."""


class TreeLM(TransformersLM):
    """An `HFLM` that runs the tokens that requests share only once.

    Models and options that it does not support run through `HFLM`'s own code. The same requests give
    log-likelihoods within floating-point error of `HFLM` and the same greedy texts.
    """

    def __init__(self, *, token_budget: int | None = None, deterministic: bool = False, **kwargs: Any) -> None:
        """Load the model and test whether it gives correct results on token trees.

        Args:
            token_budget: the most tokens in one forward pass; None takes 2048 on a CPU and 16384 on a GPU.
            deterministic: True runs every request alone, so that its result does not depend on the others in any bit.
            kwargs: arguments of `HFLM`.
        """
        super().__init__(**kwargs)
        self.token_budget = token_budget or (GPU_BUDGET if self.device.type == "cuda" else CPU_BUDGET)
        self.deterministic = deterministic
        self.seed = 0
        self._max_length = self.max_length  # lm-eval computes it again on every access
        self.why_not = self._asked_otherwise() or why_not(self.model, self.max_length)
        self._tree = None if self.why_not else TreeModel(self.model)
        self._first: tuple[int, ...] = ()
        self._vectors: SoftPrompt | None = None
        self._pieces = Pieces(self._decode, merges_spaces=bool(self.tokenizer.clean_up_tokenization_spaces))

    @property
    def work(self) -> Work:
        """The amount of computation since this property was last set."""
        return self._tree.work if self._tree else Work()

    @work.setter
    def work(self, work: Work) -> None:
        if self._tree:
            self._tree.work = work

    @property
    def batch_size_used(self) -> int | None:
        """Requests per forward pass; None when the size of a pass is limited in tokens."""
        return None if self._tree else super().batch_size_used

    @property
    def token_budget_used(self) -> int | None:
        """Tokens per forward pass; None when the size of a pass is limited in requests."""
        return self.token_budget if self._tree else None

    @property
    def can_shrink(self) -> bool:
        """True when a forward pass can still be made smaller."""
        return self.token_budget > LEAST_BUDGET if self._tree else super().can_shrink

    def shrink(self) -> None:
        """Halve the size of a forward pass, because memory ran out."""
        self.token_budget //= 2
        if super().can_shrink:
            super().shrink()

    def begin(self, seed: int) -> None:
        """Start a cell; `seed` is the seed of all random sampling in it."""
        self.seed = seed
        self.fallback = self.why_not

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any kinds, in their order; tokens that the requests share are run only once."""
        if self._tree is None or self.class_head is not None:
            return super().respond(requests)
        asked = _SortedRequests(self, requests)
        return asked.responses(self._answer(asked.likelihoods, asked.texts))

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether greedy decoding would generate it."""
        if self._tree is None:
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        return self.respond(requests)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of each whole text, summed over windows that predict disjoint parts of it."""
        if self._tree is None:
            return super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]
        return self.respond(requests)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The generated text for each prompt, without its stop string."""
        if self._tree is None:
            return super().generate_until(requests, disable_tqdm=disable_tqdm)
        return self.respond(requests)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        if self._tree is None:
            return super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, override_bs=override_bs)
        likelihoods = [self.likelihood(context, continuation) for _, context, continuation in requests]
        return [tuple(each) for each in self._answer(likelihoods, [])]  # type: ignore[misc]

    def _answer(self, likelihoods: Sequence[Likelihood], texts: Sequence[Text]) -> list[LikelihoodAnswer]:
        assert self._tree is not None
        try:
            with torch.inference_mode(), tree_attention_on(self.model):
                return answer_requests(
                    self._tree, likelihoods, texts, budget=self.token_budget, alone=self.deterministic
                )
        except NotNumbersError:
            raise no_numbers(self.name, self.model.dtype) from None

    def likelihood(self, context: Sequence[int], continuation: Sequence[int]) -> Likelihood:
        """The request in tokens; a context that is too long is truncated at its beginning, as with `HFLM`."""
        assert context, "lm-eval puts one token before an empty prompt"
        assert 0 < len(continuation) <= self.max_length, f"{len(continuation)} tokens to predict"
        return Likelihood([*self._first, *[*context, *continuation][-(self.max_length + 1) :][:-1]], continuation)

    def read_first(self, vectors: Tensor | None, layers: Mapping[int, KeysValues] | None = None) -> None:
        """Read these vectors [tokens, width] before every prompt from now on; none for None.

        Args:
            vectors: what stands in place of embeddings of words.
            layers: keys and values by layer that stand in place of those that the model would make of the vectors.
        """
        self._max_length += len(self._first)
        if self._vectors is None:
            self._vectors = SoftPrompt(self.model.get_input_embeddings())
        self._first = self._vectors.take(vectors)
        self._max_length -= len(self._first)
        if self._tree is not None:
            self._tree.learnt = layers
        self.__dict__.pop("reading", None)  # which knows the length

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text of the tokens written after a prompt, up to its stop string."""
        return super().finished(prompt[len(self._first) :], tokens, stop)

    def windows(self, text: str) -> list[Likelihood]:
        """A text split into windows, each predicted from as many preceding tokens as fit the model's context."""
        pairs = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return [self.likelihood(*make_disjoint_window(pair)) for pair in pairs]

    def rules(self, options: Mapping[str, Any]) -> TextRules:
        """The rules for generating a text that lm-eval's generation options ask for.

        Raises:
            NotFollowedError: only lm-eval's own code can follow these options.
        """
        if self.think_end_token is not None:
            raise NotFollowedError("a thinking part that is cut off")
        return rules(
            options,
            self.model,
            most=self.max_gen_toks,
            eos_text=self.eos_text or None,
            eos_token=self.eot_token_id,
            pieces=self._pieces,
        )

    def text(self, prompt: str, how: TextRules, repeat: int) -> Text:
        """A text to generate after a prompt; a prompt that is too long is truncated at its beginning.

        Args:
            prompt: the prompt that the text continues.
            how: the rules for generating the text.
            repeat: how many equal requests came before this one, so that repeated samples get different seeds.
        """
        room = self.max_length - how.stop.limit
        assert room > 0, f"{how.stop.limit} new tokens leave no room for a prompt in {self.max_length}"
        number = int.from_bytes(hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).digest()[:8])
        context = [*self._first, *self.prompt_tokens(prompt)[-room:]]
        return Text(context=context, stop=how.stop, sampling=how.sampling, seed=(self.seed, number, repeat))

    def left_to_lm_eval(self, requests: list[Instance], reason: str) -> list[str]:
        """Generate texts with `HFLM`'s own code, and note the reason."""
        if self._first:
            raise ModelError(
                f"{self.name}: a tuned prompt is not read by lm-eval's code, which generates with {reason}"
            )
        self.fallback = f"it generates with {reason}"
        written: list[str] = super().generate_until(requests, disable_tqdm=True)
        return written

    def _asked_otherwise(self) -> str | None:
        """The reason why settings of `HFLM` rule out token trees; None if they do not."""
        if self.softmax_dtype is not None or self.mixed_precision_dtype is not None:
            return "softmax_dtype or mixed_precision_dtype is set"
        return None

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens))


class TreeEngine(LmEvalEngine):
    """An engine for one transformers model that runs requests along token trees."""

    def _load(self, model: ModelSpec) -> TreeLM:
        settings = self._settings
        return load_model(
            TreeLM,
            model,
            settings,
            self._device,
            token_budget=settings.token_budget,
            deterministic=settings.deterministic,
        )


class _SortedRequests:
    """Translates lm-eval requests to likelihoods and texts, and their results back to lm-eval responses."""

    def __init__(self, lm: TreeLM, requests: Sequence[Instance]) -> None:
        self.likelihoods: list[Likelihood] = []
        self.texts: list[Text] = []
        self._lm = lm
        self._requests = requests
        self._parts: dict[int, range] = {}
        self._written: dict[int, Text] = {}
        self._texts: dict[tuple[str, str], list[Text]] = {}
        self._rules: dict[str, TextRules | None] = {}
        self._left: list[int] = []
        self._reason = ""
        self._sort_out()

    def responses(self, found: Sequence[LikelihoodAnswer]) -> list[Any]:
        """One response for each request, in lm-eval's types."""
        responses: dict[int, Any] = {}
        if self._left:
            written = self._lm.left_to_lm_eval([self._requests[i] for i in self._left], self._reason)
            responses = dict(zip(self._left, written, strict=True))
        done: dict[int, str] = {}
        for i, text in self._written.items():
            if id(text) not in done:
                done[id(text)] = self._lm.finished(text.context, text.tokens, text.stop.strings)
            responses[i] = done[id(text)]
        for i, part in self._parts.items():
            if self._requests[i].request_type == "loglikelihood":
                responses[i] = (found[part[0]].loglikelihood, found[part[0]].is_greedy)
            else:
                responses[i] = math.fsum(found[number].loglikelihood for number in part)
        ordered = [responses[i] for i in range(len(self._requests))]
        for request, response in zip(self._requests, ordered, strict=True):
            self._lm.cache_hook.add_partial(request.request_type, request.args, response)
        return ordered

    def _sort_out(self) -> None:
        pairs = iter(self._lm.pair_tokens([r for r in self._requests if r.request_type == "loglikelihood"]))
        self._lm.learn(r.args[0] for r in self._requests if r.request_type != "loglikelihood")
        for i, request in enumerate(self._requests):
            if request.request_type == "generate_until":
                self._sort_out_text(i, *request.args)
                continue
            before = len(self.likelihoods)
            if request.request_type == "loglikelihood":
                self.likelihoods.append(self._lm.likelihood(*next(pairs)))
            else:
                self.likelihoods += self._lm.windows(request.args[0])
            self._parts[i] = range(before, len(self.likelihoods))

    def _sort_out_text(self, i: int, prompt: str, options: Mapping[str, Any]) -> None:
        asked = json.dumps(options, sort_keys=True, default=str)
        if asked not in self._rules:
            try:
                self._rules[asked] = self._lm.rules(options)
            except NotFollowedError as error:
                self._rules[asked] = None
                self._reason = str(error)
        how = self._rules[asked]
        if how is None:
            self._left.append(i)
            return
        same = self._texts.setdefault((prompt, asked), [])
        # equal greedy requests share one text, which is generated once
        if how.sampling is not None or not same:
            same.append(self._lm.text(prompt, how, len(same)))
            self.texts.append(same[-1])
        self._written[i] = same[-1]
