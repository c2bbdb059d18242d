"""Whether a model can continue a text, by its config and before any weights are loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.bounded.limits import EXPERTS, MODEL_LAYERS, WIDTH, UnreadableError
from harness.wording import cut

_OTHER_HEADS = {
    "ForMaskedLM": "fills gaps in a text",
    "ForSequenceClassification": "sorts texts into classes",
    "ForTokenClassification": "labels the words of a text",
    "ForQuestionAnswering": "marks spans of a text",
    "ForMultipleChoice": "chooses among texts",
    "ForNextSentencePrediction": "compares two sentences",
    "ForImageClassification": "sorts pictures into classes",
    "ForCTC": "writes down speech",
    "ForSpeechSeq2Seq": "writes down speech",
    "ForAudioClassification": "sorts sounds into classes",
    "ForObjectDetection": "finds things in pictures",
    "ForSemanticSegmentation": "parts pictures into regions",
    "ForRewardModeling": "rates texts",
}
"""End of the name of an architecture's class -> what such a model does."""
_BIDIRECTIONAL = frozenset(
    "albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert "
    "flaubert fnet funnel ibert layoutlm longformer luke megatron-bert mobilebert modernbert mpnet mra nezha "
    "nystromformer rembert roberta roberta-prelayernorm roc_bert roformer squeezebert xlm xlm-roberta "
    "xlm-roberta-xl xmod yoso".split()
)
"""`model_type` of encoders that read a text from both sides; transformers would give most of them a causal head."""
_NO_READERS = frozenset(
    "whisper moonshine moonshine_streaming speech_to_text speech-encoder-decoder speecht5 wav2vec2 wav2vec2-bert "
    "wav2vec2-conformer hubert wavlm sew sew-d unispeech unispeech-sat data2vec-audio audio-spectrogram-transformer "
    "encodec clap bark vits musicgen musicgen_melody pop2piano clip clipseg siglip siglip2 align altclip chinese_clip "
    "vit vit_mae deit beit dinov2 swin swinv2 convnext convnextv2 resnet efficientnet detr rt_detr deformable_detr "
    "yolos segformer data2vec-vision vision-encoder-decoder pix2struct imagegpt perceiver sam timm_wrapper".split()
)
"""`model_type` of models that read sound or pictures; transformers loads some of them as if they read a text."""


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
    kind = str(config.get("model_type"))
    if kind in _NO_READERS:
        return f"is a {kind}, which reads sound or pictures and no text to continue; expected a causal language model"
    decodes = config.get("is_decoder") or any(name.endswith(("LMHeadModel", "ForCausalLM")) for name in architectures)
    if kind in _BIDIRECTIONAL and not decodes:
        return f"is a {kind}, an encoder that reads a text from both sides; expected a causal language model"
    return None


_SIZE = re.compile("size|width|dim|positions|vocab|heads|embd|inner|ctx")
"""Words in the names of sizes; transformers makes room for them before it looks at the weights."""


def check_sizes(config: Mapping[str, Any]) -> None:
    """Check that a config.json describes no larger model than anybody can load.

    Raises:
        UnreadableError: it does, and transformers would build it for hours or until the memory is full.
    """
    layers = experts = 1
    parts: list[Any] = [config]
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            _check_heads(part)
        for name, value in part.items() if isinstance(part, Mapping) else enumerate(part):
            if isinstance(value, Mapping | list):
                parts.append(value)
            elif isinstance(value, int) and isinstance(name, str):
                if "layer" in name:
                    layers = max(layers, value)
                elif "expert" in name:
                    experts = max(experts, value)
                elif _SIZE.search(name) and value > WIDTH.allowed:
                    raise WIDTH.exceeded(value, cut(name))
    MODEL_LAYERS.check(layers)
    EXPERTS.check(layers * experts if experts > 1 else 1)


def _check_heads(part: Mapping[str, Any]) -> None:
    """Check that heads of attention share keys evenly; otherwise the model loads, and its first pass fails."""
    heads, keys = part.get("num_attention_heads"), part.get("num_key_value_heads")
    if type(heads) is int and type(keys) is int and keys > 0 and heads % keys:
        raise UnreadableError(
            f"num_key_value_heads is {keys} and num_attention_heads {heads}; expected a number that divides the latter"
        )
