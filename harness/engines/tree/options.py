"""lm-eval's generation options as rules for a text; what is not followed here is said, never ignored."""

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
"""Generation options that are left to lm-eval's code, with the values beside None that switch them off."""


class NotFollowedError(Exception):
    """An option that only lm-eval's code follows; the text names it."""


class TextRules(NamedTuple):
    """How a text is written."""

    stop: Stop
    """When it ends."""
    sampling: Sampling | None
    """None for the likeliest token each time."""


def rules(
    options: Mapping[str, Any], model: Any, *, most: int, eos_text: str | None, eos_token: int | None, pieces: Pieces
) -> TextRules:
    """The rules that lm-eval's options and the model's own generation config make together.

    Args:
        options: `generation_kwargs` of a request.
        model: of transformers.
        most: new tokens where the options do not say.
        eos_text: text of the tokenizer's end token, which ends a text as any stop string does; None without one.
        eos_token: the token itself.
        pieces: decodes tokens.

    Raises:
        NotFollowedError: beam search, penalties and whatever else is not known here.
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
    """How transformers would sample; what nobody set has transformers' defaults."""
    return Sampling(
        temperature=1.0 if config.temperature is None else float(config.temperature),
        top_k=50 if config.top_k is None else int(config.top_k),
        top_p=None if config.top_p is None else float(config.top_p),
        min_p=None if config.min_p is None else float(config.min_p),
    )
