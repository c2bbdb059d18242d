"""What a model does with a text, by its config and before any weights are loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from harness.bounded.limits import EXPERTS, MODEL_LAYERS, WIDTH, UnreadableError
from harness.wording import cut

Head = Literal["causal", "seq2seq", "masked", "classifier", "tagger"]
"""What a model gives: a text that goes on, another text, words for gaps, a class of a text, or labels of its words."""

_HEADS: Mapping[str, Head] = {
    "ForMaskedLM": "masked",
    "ForPreTraining": "masked",
    "ForSequenceClassification": "classifier",
    "ForTokenClassification": "tagger",
}
"""End of the name of an architecture's class -> what it gives, of those that do not write."""
_WRONG_TRAINING = frozenset({"ElectraForPreTraining", "FunnelForPreTraining"})
"""Classes that were trained on something else than gaps, in spite of their names."""
_OTHER_HEADS = {
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
"""End of the name of an architecture's class -> what such a model does, which no engine asks for."""
_EXPECTED = "expected a model that writes, fills gaps, sorts texts into classes or labels words"
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


_REWRITERS = frozenset(
    "bart bigbird_pegasus blenderbot blenderbot-small encoder-decoder fsmt led longt5 m2m_100 marian mbart mt5 mvp "
    "nllb-moe pegasus pegasus_x plbart prophetnet switch_transformers t5 t5gemma umt5 xlm-prophetnet".split()
)
"""`model_type` of encoders with a decoder; most configs say so themselves (`is_encoder_decoder`)."""


def why_not_asked(config: Mapping[str, Any]) -> str | None:
    """Why no engine can ask a model with this config.json anything, in words that follow its name; None when one can.

    transformers loads masked models as causal ones, which score every text with a mask they never saw.
    """
    architectures = _architectures(config)
    for name in architectures:
        for end, made_for in _OTHER_HEADS.items():
            if name.endswith(end):
                return f"is a {name}, which {made_for}; {_EXPECTED}"
    kind = str(config.get("model_type"))
    if kind in _NO_READERS:
        return f"is a {kind}, which reads sound or pictures and no text alone; {_EXPECTED}"
    if architectures and kind in _BIDIRECTIONAL and not _decodes(config) and _named_head(config) is None:
        return f"is a {architectures[0]}, an encoder without a head for words, classes or labels; {_EXPECTED}"
    return None


def head_of(config: Mapping[str, Any]) -> Head:
    """What a model with this config.json gives.

    >>> head_of({"model_type": "t5"}), head_of({"architectures": ["RobertaForTokenClassification"]})
    ('seq2seq', 'tagger')
    """
    if (named := _named_head(config)) is not None:
        return named
    kind = str(config.get("model_type"))
    if config.get("is_encoder_decoder") is True or kind in _REWRITERS:
        return "seq2seq"
    return "masked" if kind in _BIDIRECTIONAL and not _decodes(config) else "causal"


def labels_of(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the classes or labels of a model with such a head, in the order of its outputs; empty for none."""
    named = config.get("id2label")
    if not isinstance(named, Mapping):
        return ()
    numbers = {str(number): str(label) for number, label in named.items()}
    return tuple(numbers.get(str(number), f"LABEL_{number}") for number in range(len(numbers)))


def _named_head(config: Mapping[str, Any]) -> Head | None:
    for name in _architectures(config):
        for end, head in _HEADS.items():
            if name.endswith(end) and name not in _WRONG_TRAINING:
                return head
    return None


def _architectures(config: Mapping[str, Any]) -> list[str]:
    named = config.get("architectures")
    return [str(name) for name in named] if isinstance(named, list) else []


def _decodes(config: Mapping[str, Any]) -> bool:
    return bool(config.get("is_decoder")) or any(
        name.endswith(("LMHeadModel", "ForCausalLM")) for name in _architectures(config)
    )


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
