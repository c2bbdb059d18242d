"""What models of the engine `encoder` have in common: how texts become batches, and how long a text may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.instance import Instance
from torch import Tensor, nn

from harness.engines.transformers_lm import TransformersLM
from harness.errors import HarnessError

NO_OFFSETS = "its tokenizer does not tell where a piece stands in a text; expected a tokenizer.json"
"""Why words cannot be labelled, in words that follow the name of a model."""


class EncoderLM(TransformersLM):
    """A model that reads a text from both sides, between the special tokens of its tokenizer."""

    retrained: EncoderLM | None = None
    """The model with another head that was made of this one for the task at hand; None where it answers itself."""

    def __init__(self, **kwargs: Any) -> None:
        """Load the model; `kwargs` are those of `HFLM`."""
        super().__init__(**kwargs)
        self._before, self._after = special_tokens_around(self.tokenizer)
        self._positions = positions(self.model, super().max_length)

    @property
    def max_length(self) -> int:
        """Tokens of a text that the model reads, the special tokens around it not counted."""
        return self._positions - len(self._before) - len(self._after)

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Refused: what a model makes of gaps gives no likelihood of a whole text from left to right.

        Raises:
            HarnessError: always.
        """
        raise self._cannot("loglikelihood_rolling")

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Refused: such a model writes no text.

        Raises:
            HarnessError: always.
        """
        raise self._cannot("generate_until")

    def _cannot(self, form: str) -> HarnessError:
        return HarnessError(
            f"{self.name}: an encoder cannot answer {form}; expected --engine tree with a model that continues texts, "
            "or --engine seq2seq with an encoder-decoder"
        )

    def _get_backend(self, config: Any, backend: Any = "default", trust_remote_code: bool | None = False) -> None:
        # lm-eval would warn about a model that is neither a decoder nor an encoder-decoder
        self.backend = "causal"

    def _special_tokens(self, text: str, add_special_tokens: bool | None) -> Mapping[str, bool]:
        """Texts are encoded bare: what stands around them is put there when they are complete."""
        return {"add_special_tokens": False}

    @property
    def around(self) -> tuple[int, int]:
        """Numbers of special tokens before and after a text."""
        return len(self._before), len(self._after)

    @property
    def padding(self) -> int:
        """The token that fills shorter texts of a batch up."""
        return int(self._padding)

    def pieces_of(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids of a text of any length, and the characters that each is of.

        Raises:
            HarnessError: the tokenizer does not tell.
        """
        if not self.tokenizer.is_fast:
            raise HarnessError(f"{self.name}: {NO_OFFSETS}")
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, truncation=False)
        return list(encoded["input_ids"]), list(encoded["offset_mapping"])

    def framed(self, tokens: Sequence[int]) -> list[int]:
        """Tokens of a text with the special tokens around it."""
        return [*self._before, *tokens, *self._after]

    def read(self, rows: Sequence[Sequence[int]], ask: Callable[[Any, Tensor, Tensor], list[Any]]) -> list[Any]:
        """What `ask` finds in each row; rows of similar length share a pass.

        Args:
            rows: token ids, special tokens among them.
            ask: gets the numbers of the rows of a batch, their token ids [rows, longest], padded on the right, and 1
                where they are no padding; it gives a finding for each row.
        """
        order = sorted(range(len(rows)), key=lambda i: -len(rows[i]))
        found: dict[int, Any] = {}
        size = self.rows_at_once()
        for start in range(0, len(order), size):
            batch = order[start : start + size]
            ids = torch.full((len(batch), len(rows[batch[0]])), self._padding)
            mask = torch.zeros_like(ids)
            for place, i in enumerate(batch):
                ids[place, : len(rows[i])] = torch.tensor(rows[i])
                mask[place, : len(rows[i])] = 1
            with torch.inference_mode():
                found.update(zip(batch, ask(batch, ids.to(self.device), mask.to(self.device)), strict=True))
        return [found[i] for i in range(len(rows))]

    def rows_at_once(self) -> int:
        """Texts that share a pass."""
        return int(self.batch_size_per_gpu)


def special_tokens_around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """The special tokens that a tokenizer puts before and after a text, such as [CLS] and [SEP]."""
    bare = tokenizer.encode("a", add_special_tokens=False)
    whole = tokenizer.encode("a")
    starts = [i for i in range(len(whole) - len(bare) + 1) if whole[i : i + len(bare)] == bare]
    if not bare or not starts:
        return [], []
    return list(whole[: starts[0]]), list(whole[starts[0] + len(bare) :])


def positions(model: Any, told: int) -> int:
    """Tokens that a model has positions for; RoBERTa's table begins behind the padding's, so that two are never used.

    Args:
        model: a transformers model.
        told: what its config or its tokenizer says.
    """
    tables = [
        module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) and name.rpartition(".")[2] == "position_embeddings"
    ]
    return min([told, *tables])
