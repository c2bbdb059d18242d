"""The engine that lm-eval users know: transformers models through lm-eval's own `HFLM`."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

# before tokenizers are loaded: they fork no threads in a worker that may fork later
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch
import transformers
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import has_bos_prefix, postprocess_generated_text
from lm_eval.models.utils_hf import stop_sequences_criteria
from transformers.utils.peft_utils import find_adapter_config_file

from harness.engines.answers import answer_part_with, evaluate_with, join_with
from harness.engines.cell_model import in_one_context
from harness.engines.chats import written_turns
from harness.engines.decoding import ContinuationDecoder
from harness.engines.documents import DocumentCache
from harness.engines.encoding import EncodedTexts, TokenCache, tokens_alike
from harness.engines.foreign import check_kernels, code_of
from harness.engines.joined import joined_answers
from harness.engines.loading import is_out_of_memory, load_model
from harness.engines.pairs import Pair, check_scorable, encode_pairs, no_first_token
from harness.engines.protocol import CellPart, EngineSettings
from harness.engines.provenance import host
from harness.engines.stretched import Stretch
from harness.engines.treating import forget_peak, peak_memory, treat
from harness.engines.tried_tokenizer import check_before_loading, tried
from harness.engines.writing import BatchRules, RefuseNoNumbers, StopEachText, until_end, write_texts
from harness.errors import HarnessError, MachineError, ModelError
from harness.plan import Cell
from harness.records import CellResult, Tuning, Weights
from harness.schedule import Lane
from harness.specs import ModelSpec, TaskSpec
from harness.wording import counted, duration

if TYPE_CHECKING:
    from harness.engines.class_head import ClassHead
    from harness.engines.tuning import Tuner

log = logging.getLogger(__name__)

Made = TypeVar("Made")


class LmEvalEngine:
    """One model loaded by transformers and evaluated through lm-eval."""

    def __init__(self, model: ModelSpec, settings: EngineSettings) -> None:
        _quiet()
        if settings.threads is not None:
            torch.set_num_threads(settings.threads)
        self._settings = settings
        self._device = _device(settings.device)
        if (model.gpus or 0) >= 1 and settings.device == "auto" and self._device == "cpu":
            log.warning("%s asks for %g GPU(s) and runs on the CPU, as no GPU is seen here", model.name, model.gpus)
        self._data = DocumentCache()
        self._local, self._told = model.path is not None, False  # for local models the warning comes before the run
        started = time.perf_counter()
        self._lm = self._load(model)
        self._lm.weights = treat(self._lm.model, model)
        self._tuner = _tuner(self._lm, model, settings, self._data, self._device) if model.tuned else None
        took, where = duration(time.perf_counter() - started), _device_name(self._device)
        log.info("%s loaded in %s on %s as %s", model.name, took, where, model.dtype)

    @staticmethod
    def refusals(lane: Lane, settings: EngineSettings) -> Mapping[int, HarnessError]:
        """Jobs that are refused before the model's weights are loaded, by their positions."""
        return joined_answers(lane)

    def evaluate(self, cell: Cell, task: TaskSpec) -> CellResult:
        """Answer every document of the cell. When memory runs out, the batch size is halved, also for later cells."""
        tuning = self._tuned(cell, task)
        forget_peak()
        result = self._smaller_until_it_fits(
            lambda: evaluate_with(self._lm, cell, task, device=_device_name(self._device), **self._with), cell
        )
        peak = peak_memory() if self._device.startswith("cuda") else None
        made = replace(result.provenance, weights=self._lm.weights, tuning=tuning, peak_bytes=peak)
        return replace(result, provenance=made)

    def answer_part(self, cell: Cell, task: TaskSpec, documents: range) -> CellPart:
        """Answer some documents of the cell."""
        self._tuned(cell, task)
        return self._smaller_until_it_fits(
            lambda: answer_part_with(self._lm, cell, task, documents, **self._with), cell
        )

    def join_parts(self, cell: Cell, task: TaskSpec, parts: Sequence[CellPart]) -> CellResult:
        """The result of the cell from the answers to all its documents."""
        tuning = self._tuned(cell, task)
        where = _device_name(self._device)
        result = self._smaller_until_it_fits(
            lambda: join_with(self._lm, cell, task, parts, device=where, **self._with), cell
        )
        return replace(result, provenance=replace(result.provenance, weights=self._lm.weights, tuning=tuning))

    def _tuned(self, cell: Cell, task: TaskSpec) -> Tuning | None:
        """Make the model the variant that was trained on the task; None for a model that is the same for all tasks."""
        if self._tuner is None:
            return None
        self._lm.begin(cell.seed)
        try:
            return self._tuner.prepare(cell, task)
        finally:
            self._lm.forget()

    @property
    def _with(self) -> dict[str, Any]:
        return {"data": self._data, "settings": self._settings}

    def _smaller_until_it_fits(self, work: Callable[[], Made], cell: Cell) -> Made:
        while True:
            try:
                return self._at_work(work, cell)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error) or not self._lm.can_shrink:
                    raise
            # outside the except block: the traceback would keep the failed batch alive
            self._lm.shrink()
            _free_memory()

    def take_over(self, before: LmEvalEngine) -> None:
        """Ask the cells of the engine before as they were put together for its model, as far as they are the same."""
        self._data.cells = before._data.cells

    def close(self) -> None:
        """Free the model, and the documents of tasks."""
        if self._tuner is not None:
            self._tuner.close()
        del self._lm, self._tuner
        self._data = DocumentCache(self._data.cells)
        _free_memory()

    def _load(self, model: ModelSpec) -> TransformersLM:
        return load_model(TransformersLM, model, self._settings, self._device)

    def _at_work(self, work: Callable[[], Made], cell: Cell) -> Made:
        # tasks that sample draw the same texts every time
        torch.manual_seed(cell.seed)
        self._lm.begin(cell.seed)
        if not (self._told or cell.chat or self._local) and self._lm.tokenizer.chat_template is not None:
            log.warning(
                "%s: asked in plain text in spite of a chat template; see --apply-chat-template", cell.model.name
            )
            self._told = True
        try:
            return work()
        finally:
            self._lm.forget()


class TransformersLM(HFLM):  # type: ignore[misc]  # lm-eval is untyped
    """`HFLM` that encodes a text once, ends each text at its own stop string and refuses missing weights."""

    _model: Any
    batch_size_per_gpu: int
    gives_likelihoods = True
    weights: Weights | None = None
    class_head: ClassHead | None = None
    """What chooses among options in place of their likelihoods; None for a model that was given no such head."""

    def __init__(self, *, tokenizer_code: bool = False, **kwargs: Any) -> None:
        """`tokenizer_code`: Python files of the tokenizer may run; `kwargs` are those of `HFLM`."""
        self._tokenizer_code = tokenizer_code
        super().__init__(**kwargs)
        self.fallback: str | None = None
        self.foreign_code = code_of([self._config, self._model, self.tokenizer, getattr(self._model, "generate", None)])
        self.name = str(self.model.name_or_path)
        self.stretch = Stretch(self.model)
        end = self.eot_token_id
        self.eos_text = None if end is None else self.tok_decode(end, skip_special_tokens=False)
        self._decoder = ContinuationDecoder(self.tokenizer)
        start = super().prefix_token_id
        self._bos_text = None if start is None else self.tokenizer.decode(start)
        known = self.model.get_input_embeddings().weight.shape[0]
        # if a tokenizer has no padding token, lm-eval adds one that the model may not know; any token can be padding
        self._padding = self.tokenizer.pad_token_id if (self.tokenizer.pad_token_id or 0) < known else 0
        self._tokens = TokenCache(self.tokenizer, self._special_tokens, known=known)

    @property
    def prefix_token_id(self) -> int:
        """The token that stands for an empty text: the one that begins a text, or else the one that ends it.

        Raises:
            ModelError: the tokenizer has neither.
        """
        token: int | None = super().prefix_token_id
        if token is None:
            raise no_first_token(self.name)
        return token

    @cached_property
    def reading(self) -> Hashable | None:
        """Equal for models that read every text as the same tokens, as many of them; None where nobody can tell."""
        alike = tokens_alike(self.tokenizer)
        if alike is None or self.backend != "causal":
            return None
        known = self.model.get_input_embeddings().weight.shape[0]
        rules = (self.add_bos_token, self._bos_text, super().prefix_token_id, self.max_length, self.max_gen_toks, known)
        return type(self), alike, rules

    @property
    def encoded(self) -> EncodedTexts:
        """Token ids of the cell's texts so far."""
        return self._tokens.encoded

    @encoded.setter
    def encoded(self, texts: EncodedTexts) -> None:
        self._tokens.encoded = texts

    def context_needed(self, prompt: int, scored: int, written: int) -> int:
        """Tokens of the context that a prompt takes with its answer; an encoder-decoder reads the two apart."""
        if self.backend == "causal":
            return in_one_context(prompt, scored, written)
        return max(prompt, scored, written)

    def prompt_room(self, limit: int) -> int:
        """Most tokens of a prompt after which `limit` tokens are written."""
        return int(self.max_length) - limit

    @property
    def batch_size_used(self) -> int | None:
        """Requests per forward pass; None when something else limits the size of a pass."""
        return int(self.batch_size_per_gpu)

    @property
    def token_budget_used(self) -> int | None:
        """Tokens per forward pass; None when something else limits a pass."""
        return None

    @property
    def can_shrink(self) -> bool:
        """True when a forward pass can still be made smaller."""
        return bool(self.batch_size_per_gpu > 1)

    def shrink(self) -> None:
        """Halve the size of a forward pass, because memory ran out."""
        self.batch_size_per_gpu //= 2

    def begin(self, seed: int) -> None:
        """Prepare for a new cell; `seed` fixes all random draws."""
        self.fallback = None

    def forget(self) -> None:
        """Drop the encoded texts of the last cell."""
        self._tokens.forget()

    def respond(self, requests: Sequence[Instance]) -> list[Any]:
        """Responses to requests of any type, in their order: one call for each type, so that batches are full."""
        if self.class_head is not None:
            return [*self.class_head.responses(self, requests)]
        responses: list[Any] = [None] * len(requests)
        for kind in dict.fromkeys(request.request_type for request in requests):
            numbers = [i for i, request in enumerate(requests) if request.request_type == kind]
            answered = getattr(self, kind)([requests[i] for i in numbers], disable_tqdm=True)
            for i, response in zip(numbers, answered, strict=True):
                responses[i] = response
        return responses

    def learn(self, texts: Iterable[str]) -> None:
        """Encode, in one batch, texts whose tokens will later be requested one by one."""
        self._tokens.learn(texts)

    def pair_tokens(self, requests: Sequence[Instance]) -> Sequence[Pair]:
        """Token ids of the context and the continuation of each likelihood request, split by lm-eval's rule.

        Raises:
            HarnessError: a continuation has no tokens to score.
        """
        if self.backend == "causal":
            start = super().prefix_token_id
            pairs = encode_pairs([request.args for request in requests], self._tokens, start)
        else:
            # an encoder-decoder reads context and continuation separately, and one token for an empty context
            pairs = [
                Pair(*self._encode_pair(context, continuation))
                if context
                else Pair([self.prefix_token_id], self.tok_encode(continuation, add_special_tokens=False))
                for context, continuation in (request.args for request in requests)
            ]
        check_scorable(requests, pairs, self.max_length)
        return pairs

    def prompt_tokens(self, prompt: str) -> list[int]:
        """Token ids of a prompt by lm-eval's rule for generation, which looks for <bos>.

        Its rule for likelihoods looks instead for the token that stands for an empty context.
        """
        bos = self.tokenizer.bos_token
        if bos == self._bos_text:
            tokens = self.tok_encode(prompt)
        else:
            tokens = self.tok_encode(
                prompt, add_special_tokens=not has_bos_prefix(prompt, bos) and self.add_bos_token is not False
            )
        # an empty prompt is treated like an empty context
        return tokens or [self.prefix_token_id]

    def chat_text(self, turns: Sequence[Mapping[str, str]], *, begins_answer: bool) -> str:
        """Turns of a chat as the model's template writes them; errors as of `chats.written_turns`."""
        return written_turns(self.tokenizer, turns, begins_answer=begins_answer)

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, left_truncate_len: int | None = None, **kwargs: Any
    ) -> list[int]:
        """Token ids of a text, kept because a context is needed once per option, and again to measure its length."""
        tokens = self._tokens.ids(string, add_special_tokens)
        return tokens[-left_truncate_len:] if left_truncate_len else tokens

    def _special_tokens(self, text: str, add_special_tokens: bool | None) -> Mapping[str, bool]:
        """Arguments by lm-eval's rule: the caller's choice, else the user's, and never a second <bos>."""
        if add_special_tokens is None:
            if has_bos_prefix(text, self._bos_text):
                return {"add_special_tokens": False}
            add_special_tokens = self.add_bos_token
        return {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether it is what greedy decoding would write."""
        pairs = self.pair_tokens(requests)
        asked = [(request.args, *pair) for request, pair in zip(requests, pairs, strict=True)]
        return self._loglikelihood_tokens(asked, disable_tqdm=disable_tqdm)

    def _loglikelihood_tokens(
        self, requests: Any, disable_tqdm: bool = True, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        # when lm-eval reuses logits, it takes the wrong positions if two requests read the same tokens but are scored
        # from different positions on; this cannot happen when every continuation is a single token
        self.logits_cache = all(len(continuation) == 1 for _, _, continuation in requests)
        kinds: dict[int, list[int]] = {}
        for i, (_, context, continuation) in enumerate(requests):
            # the last token is only predicted and need not be read
            length = min(len(context) + len(continuation) - 1, self.max_length)
            kinds.setdefault(self.stretch.kind(length), []).append(i)
        answered: dict[int, tuple[float, bool]] = {}
        for numbers in kinds.values():
            # for rolling likelihoods lm-eval requests a progress bar even when the caller does not
            found = super()._loglikelihood_tokens(
                [requests[i] for i in numbers], disable_tqdm=True, override_bs=override_bs
            )
            answered.update(zip(numbers, found, strict=True))
        return [answered[i] for i in range(len(requests))]

    def _model_call(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        self.stretch.start_afresh()
        logits: torch.Tensor = super()._model_call(*args, **kwargs)
        return logits

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """A text for each prompt, without its stop string."""
        if self.backend == "causal" and self.think_end_token is None:
            return write_texts(self, requests, self._batch_size_for)
        before = self.batch_size_per_gpu
        self.batch_size_per_gpu = min(self._batch_size_for(request.args[1]) for request in requests)
        try:
            texts: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        finally:
            self.batch_size_per_gpu = before
        return texts

    def generate(self, prompts: Sequence[Sequence[int]], rules: BatchRules) -> list[list[int]]:
        """The tokens that the model writes after each prompt of one batch."""
        width = max(map(len, prompts))
        context = torch.full((len(prompts), width), self._padding)
        mask = torch.zeros_like(context)
        for row, prompt in enumerate(prompts):
            context[row, width - len(prompt) :] = torch.tensor(prompt)
            mask[row, width - len(prompt) :] = 1
        options = dict(rules.options)
        written = self._model_generate(
            context.to(self.device),
            attention_mask=mask.to(self.device),
            max_length=options.pop("max_length", width + rules.limit),
            stop=list(rules.stop),
            use_cache=rules.cache,
            **options,
        )
        return [until_end(row[width:], self._ends(options)) for row in written.tolist()]

    def finished(self, prompt: Sequence[int], tokens: Sequence[int], stop: Sequence[str]) -> str:
        """The text of the tokens written after a prompt, up to its stop string."""
        return str(postprocess_generated_text(self._decoder.text(prompt, tokens), list(stop), None))

    def _ends(self, options: Mapping[str, Any]) -> frozenset[int]:
        """Tokens that end a text; what comes after one is padding."""
        named = options.get("eos_token_id", self.model.generation_config.eos_token_id)
        return frozenset(named if isinstance(named, list) else [named]) - {None}

    def _batch_size_for(self, options: Mapping[str, Any]) -> int:
        """Texts written at a time; one where a text would depend on its neighbours."""
        # lm-eval watches the first few beams of a batch for stop strings, whichever text they belong to; its limit for
        # an encoder-decoder depends on the width of the batch; a recurrent state may read padding
        alone = self._beams(options) > 1 or self.backend != "causal" or getattr(self.model, "_is_stateful", False)
        return 1 if alone else int(self.batch_size_per_gpu)

    def _beams(self, options: Mapping[str, Any]) -> int:
        return options.get("num_beams") or self.model.generation_config.num_beams or 1

    def _get_config(self, pretrained: str, *, trust_remote_code: bool = False, **kwargs: Any) -> None:
        if find_adapter_config_file(pretrained, revision=kwargs.get("revision")):
            # transformers would load the adapter's base, whatever weights lie beside it
            raise ModelError(f"{pretrained}: is a PEFT adapter and not a model; merge it with its base and name that")
        super()._get_config(pretrained, trust_remote_code=trust_remote_code, **kwargs)
        if not trust_remote_code:
            check_kernels(self._config, pretrained)

    def _create_tokenizer(
        self, pretrained: str, tokenizer: Any, *, revision: str, trust_remote_code: bool = False, **kwargs: Any
    ) -> None:
        # pass the config on: transformers would load it again, and run its code with the permission for the tokenizer's
        if self._tokenizer_code:
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                pretrained, config=self._config, revision=revision, trust_remote_code=True
            )
            return
        if isinstance(pretrained, str):  # a model that a caller in Python made has a tokenizer that is made too
            check_before_loading(pretrained, revision)
        try:
            super()._create_tokenizer(pretrained, tokenizer, revision=revision, trust_remote_code=False, **kwargs)
            tried(self.tokenizer)
        except ValueError as error:
            if "trust_remote_code" not in str(error):
                raise
            raise ModelError(
                f"{pretrained}: the tokenizer comes with Python code of its own; agree with --allow-tokenizer-code"
            ) from error

    def _create_model(self, *args: Any, **kwargs: Any) -> None:
        super()._create_model(*args, output_loading_info=True, **kwargs)
        self._model, info = self._model
        # transformers draws missing weights at random and only logs it
        if info["missing_keys"]:
            missing = sorted(info["missing_keys"])
            raise ModelError(f"{self._model.name_or_path}: {len(missing)} weights are missing, {missing[0]} first")
        # this list leaves out weights that transformers itself knows to be unused
        if left := sorted(info["unexpected_keys"]):
            log.warning(
                "%s: %s of the folder are not used, %s first: is config.json the one that was saved with them?",
                self._model.name_or_path,
                counted(len(left), "weight"),
                left[0],
            )

    def _model_generate(self, context: torch.Tensor, max_length: int, stop: list[str], **kwargs: Any) -> torch.Tensor:
        if self._beams(kwargs) > 1:
            # beams change places, so a row does not stay with one text and cannot be stopped by itself
            criteria = stop_sequences_criteria(self.tokenizer, stop, context.shape[1], context.shape[0])
        else:
            # lm-eval stops a batch when all its texts hold the same stop string; texts that end differently
            # would run on to the limit.
            texts, width = context.shape
            # an encoder-decoder's output does not contain the prompt
            prompt = width if self.backend == "causal" else 0
            each = StopEachText(self.tokenizer, stop, texts=texts, prompt=prompt)
            criteria = transformers.StoppingCriteriaList([each])
        if not kwargs.get("do_sample"):
            kwargs = {**kwargs, "do_sample": False}
            kwargs.pop("temperature", None)
        self.stretch.start_afresh()
        mixed = self.mixed_precision_dtype
        with torch.autocast(device_type=self.device.type, dtype=mixed, enabled=mixed is not None):
            generated: torch.Tensor = self.model.generate(
                input_ids=context,
                max_length=max_length,
                stopping_criteria=criteria,
                logits_processor=transformers.LogitsProcessorList([RefuseNoNumbers(self.name, self.model.dtype)]),
                pad_token_id=self._padding,
                **{"use_cache": True, **kwargs},
            )
        return generated


def _tuner(lm: TransformersLM, model: ModelSpec, settings: EngineSettings, data: DocumentCache, device: str) -> Tuner:
    from harness.engines.tuning import Tuner  # peft takes a second to import, which few runs need

    return Tuner(lm, model, settings, data, device)


def _device(asked: str) -> str:
    """The device name to pass to torch.

    Raises:
        MachineError: the worker has no such device.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = asked.partition(":")
    known = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if int(number or 0) >= known.get(kind, 0):
        raise MachineError(f"--device {asked}: torch {torch.__version__} finds no such device on {host()}")
    return asked


def _device_name(device: str) -> str:
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device


def _free_memory() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _quiet() -> None:
    """Switch off progress bars and advice of the libraries, which are noise in a worker's log."""
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
