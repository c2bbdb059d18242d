"""Whether a model can continue a text, by its config and before any weights are loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OTHER_HEADS = {
    "ForMaskedLM": "fills gaps in a text",
    "ForSequenceClassification": "sorts texts into classes",
    "ForTokenClassification": "labels the words of a text",
    "ForQuestionAnswering": "marks spans of a text",
    "ForMultipleChoice": "chooses among texts",
    "ForNextSentencePrediction": "compares two sentences",
    "ForImageClassification": "sorts pictures into classes",
    "ForCTC": "writes down speech",
}
"""End of the name of an architecture's class -> what such a model does."""
_BIDIRECTIONAL = frozenset(
    "albert bert camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert flaubert "
    "fnet funnel ibert layoutlm longformer luke megatron-bert mobilebert modernbert mpnet mra nezha nystromformer "
    "rembert roberta roberta-prelayernorm roc_bert roformer squeezebert xlm-roberta xlm-roberta-xl xmod yoso".split()
)
"""`model_type` of encoders that read a text from both sides; transformers would give most of them a causal head."""


def why_no_text(config: Mapping[str, Any]) -> str | None:
    """Why a model with this config.json cannot continue a text, in words that follow its name; None when it may.

    transformers loads masked models as causal ones, which score every text with a mask they never saw.
    """
    named = config.get("architectures")
    architectures = [str(name) for name in named] if isinstance(named, list) else []
    for name in architectures:
        for end, made_for in _OTHER_HEADS.items():
            if name.endswith(end):
                return f"is a {name}, which {made_for} and does not continue it; expected a causal language model"
    kind = config.get("model_type")
    decodes = config.get("is_decoder") or any(name.endswith(("LMHeadModel", "ForCausalLM")) for name in architectures)
    if kind in _BIDIRECTIONAL and not decodes:
        return f"is a {kind}, an encoder that reads a text from both sides; expected a causal language model"
    return None
