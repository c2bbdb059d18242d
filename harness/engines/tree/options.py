"""Turns lm-eval's generation options into rules for a text; an unsupported option raises an error."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, NamedTuple

from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

from harness.engines.tree.generation import Pieces, Sampling, Stop
from harness.wording import quoted

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
"""Generation options that only lm-eval's code supports, with the values (other than None) that switch them off."""


class NotFollowedError(Exception):
    """An option is set that only lm-eval's own code supports; the message names it."""


class TextRules(NamedTuple):
    """The rules for generating a text."""

    stop: Stop
    """When the text ends."""
    sampling: Sampling | None
    """How tokens are sampled; None for greedy decoding."""


def rules(
    options: Mapping[str, Any], model: Any, *, most: int, eos_text: str | None, eos_token: int | None, pieces: Pieces
) -> TextRules:
    """Combine lm-eval's options with the model's own generation config.

    Args:
        options: `generation_kwargs` of a request.
        model: the transformers model.
        most: the most new tokens, if the options set no limit.
        eos_text: text of the tokenizer's end-of-sequence token, which serves as a stop string; None if it has none.
        eos_token: id of the end-of-sequence token.
        pieces: decodes tokens.

    Raises:
        NotFollowedError: the options include beam search, a penalty or another unsupported option.
    """
    settings = dict(normalize_gen_kwargs(dict(options), most))
    until = handle_stop_sequences(settings.pop("until"), eos=eos_text)
    limit = settings.pop("max_gen_toks")
    if "" in until or "max_length" in settings:
        raise NotFollowedError("an empty stop string" if "" in until else "max_length")
    config = copy.deepcopy(model.generation_config)
    for name in config.update(**settings):
        raise NotFollowedError(f"option {quoted(name)}")
    for name, neutral in NEUTRAL.items():
        value = getattr(config, name, None)
        if value is not None and value not in neutral:
            raise NotFollowedError(f"{name} {quoted(value)}")
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    tokens = frozenset({eos_token, *ends} - {None})
    return TextRules(
        stop=Stop(strings=tuple(until), tokens=tokens, limit=limit, pieces=pieces),
        sampling=_sampling(config) if settings.get("do_sample") else None,
    )


def _sampling(config: Any) -> Sampling:
    """The sampling options that transformers would use; options that are not set get its defaults."""
    return Sampling(
        temperature=1.0 if config.temperature is None else float(config.temperature),
        top_k=50 if config.top_k is None else int(config.top_k),
        top_p=None if config.top_p is None else float(config.top_p),
        min_p=None if config.min_p is None else float(config.min_p),
    )
