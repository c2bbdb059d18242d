"""Token trees behind lm-eval's interface, so that any of its tasks runs on them unchanged."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from harness.engines.lm_eval_bridge import LmEvalEngine, TransformersLM, load
from harness.engines.tree.answering import Found, Likelihood, answer
from harness.engines.tree.attention import tree_attention_on
from harness.engines.tree.generation import Pieces, Sampling, Stop, Text
from harness.engines.tree.model import TreeModel, Work
from harness.engines.tree.support import why_not
from harness.specs import ModelSpec

CPU_BUDGET = 2048
GPU_BUDGET = 16384
LEAST_BUDGET = 32
"""Token budget below which running out of memory is final."""

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "num_beam_groups": (1,),
    "num_return_sequences": (1,),
    "penalty_alpha": (),
    "dola_layers": (),
    "constraints": (),
    "force_words_ids": (),
    "guidance_scale": (1, 1.0),
    "repetition_penalty": (1, 1.0),
    "encoder_repetition_penalty": (1, 1.0),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "bad_words_ids": (),
    "min_length": (0,),
    "min_new_tokens": (0,),
    "forced_bos_token_id": (),
    "forced_eos_token_id": (),
    "suppress_tokens": ([],),
    "begin_suppress_tokens": ([],),
    "sequence_bias": (),
    "exponential_decay_length_penalty": (),
    "remove_invalid_values": (False,),
    "renormalize_logits": (False,),
    "token_healing": (False,),
    "watermarking_config": (),
    "prompt_lookup_num_tokens": (),
    "stop_strings": (),
    "max_time": (),
    "typical_p": (1, 1.0),
    "epsilon_cutoff": (0, 0.0),
    "eta_cutoff": (0, 0.0),
    "top_h": (),
}
"""Generation options that are left to lm-eval's code, with the values beside None that switch them off."""


class TreeLM(TransformersLM):
    """`HFLM` that runs what requests share once; what it cannot take runs as `HFLM` runs it.

    The same requests give log-likelihoods within float noise of `HFLM` and the same greedy texts.
    """

    def __init__(self, *, token_budget: int | None = None, deterministic: bool = False, **kwargs: Any) -> None:
        """Load the model and try whether token trees are right for it.

        Args:
            token_budget: tokens of one forward pass; None takes 2048 on a CPU and 16384 on a GPU.
            deterministic: every request alone, so that its numbers depend on nothing else, bit by bit.
            kwargs: as for `HFLM`.
        """
        super().__init__(**kwargs)
        self.token_budget = token_budget or (GPU_BUDGET if self.device.type == "cuda" else CPU_BUDGET)
        self.deterministic = deterministic
        self.seed = 0
        self.why_not = why_not(self.model, self.max_length)
        self._tree = None if self.why_not else TreeModel(self.model)
        self._pieces = Pieces(self._decode, merges_spaces=bool(self.tokenizer.clean_up_tokenization_spaces))
        self._eos_text = self.tok_decode(self.eot_token_id, skip_special_tokens=False)

    @property
    def work(self) -> Work:
        """What was run since it was last set."""
        return self._tree.work if self._tree else Work()

    @work.setter
    def work(self, work: Work) -> None:
        if self._tree:
            self._tree.work = work

    @property
    def batch_size_used(self) -> int | None:
        """Requests per forward pass; None where tokens are counted."""
        return None if self._tree else super().batch_size_used

    @property
    def token_budget_used(self) -> int | None:
        """Tokens per forward pass; None where requests are counted."""
        return self.token_budget if self._tree else None

    @property
    def can_shrink(self) -> bool:
        """True when a pass can still be made smaller."""
        return self.token_budget > LEAST_BUDGET if self._tree else super().can_shrink

    def shrink(self) -> None:
        """Make a pass half as large, because memory ran out."""
        self.token_budget //= 2
        if super().can_shrink:
            super().shrink()

    def begin(self, seed: int) -> None:
        """A cell starts; `seed` fixes what is drawn by chance."""
        self.seed = seed
        self.fallback = self.why_not

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any kinds, in their order; what they share is run once for all of them."""
        if self._tree is None:
            return super().respond(requests)
        asked = _Asked(self, requests)
        with torch.inference_mode(), tree_attention_on(self.model):
            found = answer(
                self._tree, asked.likelihoods, asked.texts, budget=self.token_budget, alone=self.deterministic
            )
        return asked.responses(found)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether it is what greedy decoding would write."""
        if self._tree is None or self.enable_thinking:
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]
        return self.respond(requests)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of each whole text, in windows that do not overlap in what they predict."""
        if self._tree is None:
            return super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]
        return self.respond(requests)

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """A text for each prompt, without its stop string."""
        if self._tree is None:
            return super().generate_until(requests, disable_tqdm=disable_tqdm)  # type: ignore[no-any-return]
        return self.respond(requests)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        if self._tree is None:
            return super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, override_bs=override_bs)
        likelihoods = [self.likelihood(context, continuation) for _, context, continuation in requests]
        with torch.inference_mode(), tree_attention_on(self.model):
            found = answer(self._tree, likelihoods, [], budget=self.token_budget, alone=self.deterministic)
        return [tuple(each) for each in found]  # type: ignore[misc]

    def likelihood(self, context: Sequence[int], continuation: Sequence[int]) -> Likelihood:
        """The request in tokens; a context that is too long loses its beginning, as with `HFLM`."""
        assert context, "lm-eval puts one token before an empty prompt"
        assert 0 < len(continuation) <= self.max_length, f"{len(continuation)} tokens to predict"
        return Likelihood([*context, *continuation][-(self.max_length + 1) :][:-1], continuation)

    def windows(self, text: str) -> list[Likelihood]:
        """A text in windows, each predicted from what the model can read before it."""
        pairs = get_rolling_token_windows(
            token_list=self.tok_encode(text),
            prefix_token=self.prefix_token_id,
            max_seq_len=self.max_length,
            context_len=1,
        )
        return [self.likelihood(*make_disjoint_window(pair)) for pair in pairs]

    def text(self, prompt: str, options: Mapping[str, Any], repeat: int) -> Text | None:
        """The text to write after a prompt; None, and `fallback` says why, when only lm-eval's code can.

        Args:
            prompt: what it continues.
            options: lm-eval's generation options.
            repeat: how often the same was asked before; sampled texts then differ.
        """
        settings = dict(normalize_gen_kwargs(dict(options), self.max_gen_toks))
        until = handle_stop_sequences(settings.pop("until"), eos=self._eos_text)
        limit = settings.pop("max_gen_toks")
        room = self.max_length - limit
        assert room > 0, f"{limit} new tokens leave no room for a prompt in {self.max_length}"
        sampled = bool(settings.get("do_sample"))
        config = copy.deepcopy(self.model.generation_config)
        reason = _not_ours(config, config.update(**settings)) or ("thinking" if self.think_end_token else None)
        if reason:
            self.fallback = f"it generates with {reason}"
            return None
        ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
        stop = Stop(
            strings=tuple(until),
            tokens=frozenset({self.eot_token_id, *ends} - {None}),
            limit=limit,
            pieces=self._pieces,
        )
        return Text(
            context=self.tok_encode(prompt)[-room:],
            stop=stop,
            sampling=_sampling(config) if sampled else None,
            seed=(self.seed, _number(prompt), repeat),
        )

    def finished(self, text: Text) -> str:
        """What lm-eval is given for a written text."""
        return str(postprocess_generated_text(self.tok_decode(text.tokens), list(text.stop.strings), None))

    def left_to_lm_eval(self, requests: list[Instance]) -> list[str]:
        """Texts by `HFLM`'s own code."""
        written: list[str] = super().generate_until(requests, disable_tqdm=True)
        return written

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self.tokenizer.decode(tokens))


class TreeEngine(LmEvalEngine):
    """One model loaded by transformers, answering along token trees."""

    def _load(self, model: ModelSpec) -> TreeLM:
        settings = self._settings
        return load(
            TreeLM,
            model,
            settings,
            self._device,
            token_budget=settings.token_budget,
            deterministic=settings.deterministic,
        )


class _Asked:
    """Requests in the engine's terms, and the way back to their responses."""

    def __init__(self, lm: TreeLM, requests: Sequence[Instance]) -> None:
        self.likelihoods: list[Likelihood] = []
        self.texts: list[Text] = []
        self._lm = lm
        self._requests = requests
        self._parts: dict[int, range] = {}
        self._written: dict[int, Text] = {}
        self._left: list[int] = []
        self._sort_out()

    def responses(self, found: Sequence[Found]) -> list[Any]:
        """One response for each request, in lm-eval's types."""
        left = self._lm.left_to_lm_eval([self._requests[i] for i in self._left]) if self._left else []
        responses: dict[int, Any] = dict(zip(self._left, left, strict=True))
        done: dict[int, str] = {}
        for i, text in self._written.items():
            if id(text) not in done:
                done[id(text)] = self._lm.finished(text)
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
        pairs = iter(self._lm.pair_tokens([r.args for r in self._requests if r.request_type == "loglikelihood"]))
        self._lm.learn(r.args[0] for r in self._requests if r.request_type != "loglikelihood")
        known: dict[tuple[str, str], Text | None] = {}
        repeats: Counter[tuple[str, str]] = Counter()
        for i, request in enumerate(self._requests):
            if request.request_type == "generate_until":
                key = (request.args[0], json.dumps(request.args[1], sort_keys=True, default=str))
                # the same greedy text is written once
                if key not in known or (known[key] is not None and known[key].sampling):  # type: ignore[union-attr]
                    known[key] = self._lm.text(request.args[0], request.args[1], repeats[key])
                    repeats[key] += 1
                    if (new := known[key]) is not None:
                        self.texts.append(new)
                if (text := known[key]) is None:
                    self._left.append(i)
                else:
                    self._written[i] = text
                continue
            before = len(self.likelihoods)
            if request.request_type == "loglikelihood":
                self.likelihoods.append(self._lm.likelihood(*next(pairs)))
            else:
                self.likelihoods += self._lm.windows(request.args[0])
            self._parts[i] = range(before, len(self.likelihoods))


def _not_ours(config: Any, unused: Mapping[str, Any]) -> str | None:
    """The first option that this engine does not follow."""
    for name in unused:
        return f"option {name!r}"
    for name, neutral in NEUTRAL.items():
        value = getattr(config, name, None)
        if value is not None and value not in neutral:
            return f"{name} {value!r}"
    return None


def _sampling(config: Any) -> Sampling:
    """How transformers would sample; what nobody set has transformers' defaults."""
    return Sampling(
        temperature=1.0 if config.temperature is None else float(config.temperature),
        top_k=50 if config.top_k is None else int(config.top_k),
        top_p=None if config.top_p is None else float(config.top_p),
        min_p=None if config.min_p is None else float(config.min_p),
    )


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8])
