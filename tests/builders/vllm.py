"""A stand-in for the library vLLM: its classes, with the arguments and results that its documentation names.

It answers with transformers on the CPU. It keeps what it was asked, and refuses what vLLM has no name for.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


@dataclass(kw_only=True)
class SamplingParams:
    """How one text is written, and what is told of it."""

    n: int = 1
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    seed: int | None = None
    stop: list[str] | None = None
    max_tokens: int | None = 16
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    logprob_token_ids: list[int] | None = None
    detokenize: bool = True


@dataclass
class Logprob:
    """The likelihood of one token."""

    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


@dataclass(kw_only=True)
class LLM:
    """A model; all arguments but these are errors, as they are to vLLM."""

    model: str
    revision: str | None = None
    tokenizer_revision: str | None = None
    dtype: str = "auto"
    tensor_parallel_size: int = 1
    enable_prefix_caching: bool | None = None
    trust_remote_code: bool = False
    load_format: str = "auto"
    seed: int = 0
    asked: list[tuple[list[int], SamplingParams]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._model: Any = AutoModelForCausalLM.from_pretrained(self.model, dtype=getattr(torch, self.dtype))
        self._tokenizer: Any = AutoTokenizer.from_pretrained(self.model)
        self.llm_engine = SimpleNamespace(
            model_config=SimpleNamespace(max_model_len=self._model.config.max_position_embeddings)
        )

    def generate(self, prompts: Any, params: Any, *, use_tqdm: bool = True) -> list[Any]:
        """One result for each prompt, in order."""
        return [self._one(prompt["prompt_token_ids"], each) for prompt, each in zip(prompts, params, strict=True)]

    def _one(self, ids: list[int], params: SamplingParams) -> Any:
        assert params.max_tokens is not None
        assert 0 < len(ids) <= self.llm_engine.model_config.max_model_len - params.max_tokens
        assert params.logprob_token_ids is None or len(params.logprob_token_ids) <= 128
        self.asked.append((ids, params))
        new, told = self._written(ids, params)
        text = self._tokenizer.decode([*ids, *new], skip_special_tokens=True)
        before = self._tokenizer.decode(ids, skip_special_tokens=True)
        of_prompt = None
        if params.prompt_logprobs is not None:
            logs = self._logs(ids)
            of_prompt = [None, *({t: self._told(logs[i], t)} for i, t in enumerate(ids[1:]))]
        out = SimpleNamespace(token_ids=new, logprobs=told, text=text[len(before) :] if params.detokenize else "")
        return SimpleNamespace(prompt_token_ids=ids, prompt_logprobs=of_prompt, outputs=[out])

    def _written(self, ids: list[int], params: SamplingParams) -> tuple[list[int], list[dict[int, Logprob]] | None]:
        new: list[int] = []
        told: list[dict[int, Logprob]] = []
        while len(new) < (params.max_tokens or 0):
            row = self._logs([*ids, *new])[-1]
            new.append(int(row.argmax()))
            told.append({t: self._told(row, t) for t in [new[-1], *(params.logprob_token_ids or ())]})
            text = self._tokenizer.decode(new)
            if new[-1] == self._tokenizer.eos_token_id or any(stop in text for stop in params.stop or ()):
                break
        return new, told if params.logprob_token_ids else None

    def _logs(self, ids: list[int]) -> torch.Tensor:
        with torch.inference_mode():
            return self._model(torch.tensor([ids])).logits[0].double().log_softmax(-1)  # type: ignore[no-any-return]

    @staticmethod
    def _told(row: torch.Tensor, token: int) -> Logprob:
        return Logprob(float(row[token]), int((row > row[token]).sum()) + 1)


def stand_in(*, by_letter: bool = True) -> ModuleType:
    """The module `vllm`; with `by_letter` false an older one, without `logprob_token_ids`."""
    module = ModuleType("vllm")
    module.LLM = LLM  # type: ignore[attr-defined]
    module.SamplingParams = SamplingParams if by_letter else _older  # type: ignore[attr-defined]
    return module


def _older(
    *,
    temperature: float = 1.0,
    max_tokens: int = 16,
    prompt_logprobs: int | None = None,
    stop: list[str] | None = None,
    seed: int | None = None,
    detokenize: bool = True,
) -> SamplingParams:
    given = {name: value for name, value in locals().items() if name in {each.name for each in fields(SamplingParams)}}
    return SamplingParams(**given)
