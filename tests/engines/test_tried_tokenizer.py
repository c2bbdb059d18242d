"""A tokenizer that would run without end or end the process fails its cells in one line; usual ones are left alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from harness import ladder
from harness.catalog.models.folders import ModelFolder, model_of_folder
from harness.engines.protocol import EngineSettings, open_engine
from harness.engines.tried_tokenizer import TriedBackend, check_before_loading, tried
from harness.errors import ComputationError, HarnessError, ModelError

pytestmark = pytest.mark.processes

ONE = "a" * 40 + "b"


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of the usual time and memory, so that tests are quick."""
    monkeypatch.setenv("EMERGENCE_LIMITS", "0.2")


def folder_with(folder: Path, **parts: Any) -> Path:
    """The smallest embedded model with other parts of its tokenizer."""
    shutil.copytree(Path(ladder.__file__).parent / "weights/12k", folder / "theirs")
    path = folder / "theirs/tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | parts))
    return folder / "theirs"


def split(pattern: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def growing(key: str = "normalizers") -> dict[str, Any]:
    step = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 5_000}
    return {"type": "Sequence", key: [step] * 4}


def read(folder: Path) -> Any:
    check_before_loading(str(folder), None)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tried(tokenizer)
    return tokenizer


def test_the_embedded_models_are_used_as_they_are(tmp_path: Path) -> None:
    assert not isinstance(read(folder_with(tmp_path))._tokenizer, TriedBackend)


def test_a_tokenizer_of_unknown_cost_gives_what_it_gave_before(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, pre_tokenizer=split(r"(?:\w+ )?\w+"))
    plain, apart = AutoTokenizer.from_pretrained(folder), read(folder)
    texts = ["3 red cubes", "a", "", "é\n" * 5]
    assert isinstance(apart._tokenizer, TriedBackend)
    for text in texts:
        ids = plain.encode(text)
        assert apart.encode(text) == ids
        assert apart.decode(ids) == plain.decode(ids)
    assert apart(texts, add_special_tokens=False)["input_ids"] == plain(texts, add_special_tokens=False)["input_ids"]
    assert apart.batch_decode(apart(texts)["input_ids"]) == plain.batch_decode(plain(texts)["input_ids"])


@pytest.mark.parametrize(
    ("parts", "text", "said"),
    [
        (
            {"pre_tokenizer": split("(a+)+$")},
            ONE,
            "tokenizer fails: Onig: Regex search error: retry-limit-in-match over",
        ),
        ({"normalizer": growing()}, ONE, "or takes too much memory (EMERGENCE_LIMITS=10"),
        ({"pre_tokenizer": split("(?:a*)(?:a*)(?:a*)=")}, "a" * 300 + "b=", "tokenizer takes more than 0.2 s"),
    ],
)
def test_a_text_that_would_take_for_ever_or_end_the_process_is_one_line(
    parts: dict[str, Any], text: str, said: str, tmp_path: Path, tight: None
) -> None:
    tokenizer = read(folder_with(tmp_path, **parts))
    with pytest.raises(HarnessError, match="tokenizer") as refused:
        tokenizer.encode(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert tokenizer.decode(tokenizer.encode("b")[:1])


def test_tokens_that_a_decoder_would_never_write_out_are_one_line(tmp_path: Path, tight: None) -> None:
    tokenizer = read(folder_with(tmp_path, decoder=growing("decoders")))
    with pytest.raises(ComputationError, match="decoder ends the process that computes it"):
        tokenizer.decode(tokenizer.encode("a a a a"))


def test_a_tokenizer_that_does_not_load_is_refused_before_the_model(tmp_path: Path, tight: None) -> None:
    folder = folder_with(tmp_path, pre_tokenizer=split("(?i:" + "[\u0100-\U0010ffff]" * 9_000 + ")"))
    with pytest.raises(ModelError, match=r"tokenizer\.json: pre_tokenizer: loading the tokenizer") as refused:
        open_engine("tree", model_of_folder(ModelFolder.read(folder)), EngineSettings())
    assert "\n" not in str(refused.value)
