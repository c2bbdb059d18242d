import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.catalogue import load_catalog
from harness.catalog.models.architectures import why_not_asked
from tests.builders.commands import Emergence


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            {"model_type": "bert", "architectures": ["BertForQuestionAnswering"]},
            "which marks spans of a text; expected",
        ),
        (
            {"model_type": "electra", "architectures": ["ElectraForPreTraining"]},
            "is a ElectraForPreTraining, an encoder",
        ),
        ({"model_type": "whisper", "architectures": ["WhisperForConditionalGeneration"]}, "reads sound or pictures"),
        ({"model_type": "clip"}, "is a clip, which reads sound or pictures and no text alone"),
        ({"model_type": "big_bird", "architectures": ["BigBirdModel"]}, "is a BigBirdModel, an encoder without"),
    ],
)
def test_a_model_that_does_something_else_is_told(config: dict[str, Any], reason: str) -> None:
    assert reason in (why_not_asked(config) or "")


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "llama", "architectures": ["LlamaForCausalLM"]},
        {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
        {"model_type": "bert", "architectures": ["BertLMHeadModel"]},
        {"model_type": "bert", "is_decoder": True},
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]},
        {"model_type": "bart", "architectures": ["BartForConditionalGeneration"]},
        {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"]},
        {"model_type": "chatglm", "architectures": ["ChatGLMModel"]},
        {"model_type": "gpt_neox"},
        {"model_type": "odd", "architectures": "no list"},
        {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
        {"model_type": "bert", "architectures": ["BertForPreTraining"]},
        {"model_type": "roberta"},
        {"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]},
        {"model_type": "new", "architectures": ["NewForTokenClassification"]},
    ],
)
def test_a_model_that_can_be_asked_is_left_in_peace(config: dict[str, Any]) -> None:
    assert why_not_asked(config) is None


def test_a_model_that_nobody_can_ask_is_refused_before_it_is_loaded(emergence: Emergence, tmp_path: Path) -> None:
    (shipped,) = (m for m in load_catalog().family("embedded").models if m.name == "ladder-12k")
    shutil.copytree(str(shipped.path), tmp_path / "spans")
    config = tmp_path / "spans" / "config.json"
    config.write_text(json.dumps({"model_type": "bert", "architectures": ["BertForQuestionAnswering"]}))
    for verb in ("plan", "run"):
        done = emergence(verb, "--task", "topic", "--model", "./spans")
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert (
            "spans: is a BertForQuestionAnswering, which marks spans of a text; expected a model that writes"
            in done.err
        )
    assert not (tmp_path / "results").exists()


def test_a_variant_that_nothing_makes_is_refused(emergence: Emergence, toy: Path) -> None:
    family = "family: mine\nmodels:\n- {name: m, params: 10}\n- {name: m, params: 10, variant: int8}\n"
    (toy / "family.yaml").write_text(family)
    done = emergence("check", toy)
    assert done.code == 2
    assert f"{toy / 'family.yaml'}: models[1].variant is 'int8', and nothing here makes that of a model" in done.err
