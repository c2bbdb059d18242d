"""The words of lm-eval's command line, put into ours before a verb reads them.

`lm_eval run --model hf --model_args pretrained=x,dtype=float16 --tasks a b --batch_size auto --log_samples` becomes
`run --model x --dtype float16 --tasks a,b`. What goes without saying here is left out, and said in a line; what cannot
be had is an error that says what to do.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.engines.protocol import ENGINES
from harness.errors import PlanError
from harness.plan.generation import generation_options
from harness.wording import quoted

_MANY = 1_000
_NEEDLESS: Mapping[str, tuple[str, str]] = {
    "--log-samples": ("none", "samples are always kept: emergence samples shows them"),
    "--write-out": ("none", "prompts are always kept: emergence samples shows them"),
    "--show-config": ("none", "what a task asks stands in its file, whose digest each result keeps"),
    "--check-integrity": ("none", "tasks are checked before every run; emergence check PATH does it alone"),
    "--predict-only": ("none", "texts are kept, and scored too: emergence samples shows both"),
    "--use-cache": ("one", "results are the cache: what is done is never asked again"),
    "--cache-requests": ("maybe", "results are the cache: what is done is never asked again"),
    "--fewshot-as-multiturn": ("maybe", "with --apply-chat-template examples are turns of the chat by themselves"),
    "--seed": (
        "one",
        "--seeds N takes N orders of the examples, and draws N texts where texts are drawn",
    ),
    "--verbosity": ("one", "-v before the verb says more: emergence -v run"),
    "--wandb-args": ("some", "nothing is sent; emergence leaderboard and report write files that trackers take"),
    "--wandb-config-args": ("some", "nothing is sent; emergence leaderboard and report write files that trackers take"),
    "--trackio-args": ("some", "nothing is sent; emergence leaderboard and report write files that trackers take"),
    "--hf-hub-log-args": ("some", "nothing is uploaded; emergence leaderboard and report write files that can be"),
}
"""Options that change nothing here -> whether words follow them, and why they are not needed."""
_REFUSED: Mapping[str, str] = {
    "--num-return-sequences": "`repeats` stands in a task's YAML file",
    "--samples": "--docs takes the documents with these numbers, --limit the first so many, of each task",
    "--metadata": "`metadata` stands in a task's YAML file",
    "--config": "every option is given on the command line",
    "--no-include-defaults": "tasks of your own are added to those of the package: choose with --task",
}
"""Options that change what is asked, and that are said otherwise here."""
SHORT: Mapping[str, str] = {
    **{"-t": "--task", "-M": "--model", "-a": "--model-args", "-L": "--limit", "-f": "--num-fewshot"},
    **{"-b": "--batch-size", "-c": "--use-cache", "-E": "--samples", "-s": "--log-samples", "-w": "--write-out"},
    **{"-x": "--predict-only", "-C": "--config"},
}
"""lm-eval's short options."""
_LISTINGS = ("list", "list_groups", "list_tags", "list_subtasks")
_LISTS = ("--tasks", "--task", "--model-args", "--gen-kwargs")
"""Options behind which lm-eval takes several words."""
_BATCHES = "batches are filled by the tokens that --token-budget allows, and halved when memory runs out"
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no")
BACKENDS: Mapping[str, str | None] = {
    **dict.fromkeys(("hf", "hf-auto", "huggingface"), ""),
    "dummy": "simulated",
    "vllm": "vllm",
    **dict.fromkeys(("local-completions", "local-chat-completions"), "server"),
    **dict.fromkeys(("openai-completions", "openai-chat-completions"), "server"),
    **dict.fromkeys(("hf-multimodal", "sglang", "sglang-generate", "gguf", "ggml", "nemo_lm", "deepsparse"), None),
    **dict.fromkeys(("mamba_ssm", "optimum-lm", "neuronx", "textsynth", "anthropic-chat", "watsonx_llm"), None),
}
"""What lm-eval's `--model` says: how a model is loaded -> our engine; empty for the usual one, None for none."""
_DTYPES = {"float16": "float16", "half": "float16", "fp16": "float16", "bfloat16": "bfloat16", "bf16": "bfloat16"}
_DTYPES |= {"float32": "float32", "float": "float32", "fp32": "float32"}
_MODEL_NEEDLESS: Mapping[str, str] = {
    "parallelize": "a model takes as many GPUs as its size needs, or as `gpus` in a family file says",
    **dict.fromkeys(
        ("device_map", "device_map_option", "max_memory_per_gpu", "max_cpu_memory", "offload_folder"),
        "a model takes as many GPUs as its size needs, or as `gpus` in a family file says",
    ),
    **dict.fromkeys(
        ("tensor_parallel_size", "data_parallel_size", "gpu_memory_utilization"), "GPUs are shared out by the schedule"
    ),
    **dict.fromkeys(("use_fast_tokenizer", "low_cpu_mem_usage", "logits_cache"), "it changes no answer"),
    **dict.fromkeys(("attn_implementation", "tokenizer_backend"), "the engine chooses it"),
}
"""Keys of `--model_args` that change nothing here -> why."""
_MODEL_REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("peft", "delta"), "merge it into its base (merge_and_unload, save_pretrained), and name that folder"
    ),
    "tokenizer": "the tokenizer is the one in the model's folder: put it there",
    "subfolder": "download the model, and name the folder in it",
    "max_length": "the context is the model's own; --truncation says what happens to longer prompts",
    **dict.fromkeys(
        ("load_in_8bit", "load_in_4bit", "autogptq", "gptqmodel", "gguf_file", "quantization_config"),
        "save the treated model with save_pretrained, and name that folder",
    ),
    **dict.fromkeys(
        ("add_bos_token", "prefix_token_id"), "special tokens are those that the tokenizer's own files ask for"
    ),
    **dict.fromkeys(
        ("enable_thinking", "think_end_token", "chat_template_args"), "the chat template is the model's own"
    ),
    **dict.fromkeys(("softmax_dtype", "mixed_precision_dtype"), "--dtype says the format of all numbers"),
    "backend": "models continue texts (causal)",
}
"""Keys of `--model_args` that cannot be had -> what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grammar:
    """What a verb takes."""

    options: Collection[str]
    """Names of its options, with `-` for `_`."""
    flags: Collection[str]
    """Those that no value follows."""


class Given(NamedTuple):
    """An option, or words that belong to none."""

    option: str
    """Its name, with `-` for `_`; empty for other words."""
    values: tuple[str, ...]
    """The words behind it."""


@dataclass(kw_only=True)
class Translated:
    """A command line in our words."""

    arguments: list[str] = field(default_factory=list)
    """Words for the verb."""
    notes: list[str] = field(default_factory=list)
    """What was left out and why, a line each."""


def translated(arguments: Sequence[str], grammar: Grammar) -> Translated:
    """The command line of a verb that evaluates, with lm-eval's words in ours; any other words as they are.

    Args:
        arguments: what stands after the verb.
        grammar: what the verb takes.

    Raises:
        PlanError: something cannot be had; the message says what to do.

    >>> ours = Grammar(options=("--model", "--tasks", "--dtype", "--batch-size"), flags=())
    >>> typed = "--model hf --model_args pretrained=x,dtype=half --tasks a b --batch_size auto".split()
    >>> translated(typed, ours).arguments
    ['--tasks', 'a,b', '--model', 'x', '--dtype', 'float16']
    """
    into = Translated()
    kept: dict[str, list[str]] = {name: [] for name in _TRANSLATED}
    for option, values in _given(arguments, grammar):
        if option in kept:
            kept[option] += values or [""]
        elif option in _NEEDLESS and option not in grammar.options:
            into.notes.append(f"{option} is not needed: {_NEEDLESS[option][1]}")
        elif option in _REFUSED and option not in grammar.options:
            raise PlanError(f"{option} is an option of lm-eval; here {_REFUSED[option]}")
        else:
            into.arguments += _typed(option, values, grammar)
    _models(kept["--model"], kept["--model-args"], into, grammar)
    _batches(kept["--batch-size"], kept["--max-batch-size"], into, grammar)
    _places(kept["--output-path"], into, grammar)
    return into


_TRANSLATED = ("--model", "--model-args", "--batch-size", "--max-batch-size", "--output-path")


def _given(arguments: Sequence[str], grammar: Grammar) -> Iterator[Given]:
    """The options with the words that belong to them, in order."""
    waiting = list(arguments)
    while waiting:
        word = waiting.pop(0)
        if word == "--" or not word.startswith("-") or len(word) == 1:
            yield Given("", (word, *waiting) if word == "--" else (word,))
            if word == "--":
                return
            continue
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        option = name.replace("_", "-")
        values = [value] if equals else []
        most = _most(option, grammar)
        while waiting and len(values) < most and not (_may_end(option, grammar) and not _belongs(option, waiting[0])):
            values.append(waiting.pop(0))
        yield Given(option, tuple(values))


def _most(option: str, grammar: Grammar) -> int:
    """How many words may stand behind an option."""
    if option in _LISTS:
        return _MANY
    if option in grammar.options:
        return 1  # behind a flag `True`, as lm-eval takes it
    return {"none": 0, "one": 1, "maybe": 1, "some": _MANY}[_NEEDLESS.get(option, ("one", ""))[0]]


def _may_end(option: str, grammar: Grammar) -> bool:
    """Whether the option can stand alone, so that what follows it need not belong to it."""
    return option in grammar.flags or option in _LISTS or _NEEDLESS.get(option, ("one", ""))[0] in ("maybe", "some")


def _belongs(option: str, word: str) -> bool:
    if word.startswith("-") and len(word) > 1:
        return False
    return option in _LISTS or option in _NEEDLESS or option == "--apply-chat-template" or word.lower() in (*_YES, *_NO)


def _typed(option: str, values: Sequence[str], grammar: Grammar) -> list[str]:
    """An option of ours as our parser takes it."""
    if not option:
        return list(values)
    if option in grammar.flags and values:
        word = values[0].lower()
        if option == "--apply-chat-template" and word not in (*_YES, *_NO):
            raise PlanError(f"{option} {values[0]}: expected no name, since each model's own template is used")
        return [] if word in _NO else [option]
    if option in ("--task", "--tasks") and values and values[0] in _LISTINGS:
        raise PlanError(f"{option} {values[0]}: `emergence list tasks` lists them, those with a word by --match WORD")
    if option in _LISTS:
        return [option, ",".join(values)] if values else [option]
    return [option, *values]


def _models(names: Sequence[str], words: Sequence[str], into: Translated, grammar: Grammar) -> None:
    """`--model` and `--model_args`: how a model is loaded and which, in lm-eval's words, or which models, in ours."""
    # a folder that has the name of a backend is meant, unless its arguments say otherwise
    backends = [name for name in names if name in BACKENDS and (words or not os.path.isdir(name))]
    if not backends and not words:
        into.arguments += [word for name in names for word in ("--model", name)]
        return
    if len(names) > 1 or (names and not backends):
        raise PlanError(
            f"--model {' '.join(names)} with --model-args: expected names of models alone, or --model hf with "
            "--model-args pretrained=NAME"
        )
    backend = backends[0] if backends else "hf"
    engine = BACKENDS[backend]
    if engine is None or (engine and engine not in ENGINES):
        known = ", ".join(ENGINES)
        raise PlanError(f"--model {backend} says in lm-eval how a model is loaded; here --engine does: {known}")
    if engine:
        into.arguments += _of_verb(["--engine", engine], grammar)
    options = _pairs(words)
    name = options.pop("pretrained", options.pop("model", None))
    if name is None and engine != "simulated":
        raise PlanError(
            f"--model {backend} says in lm-eval how a model is loaded: expected --model NAME of a model or folder, or "
            "--model-args pretrained=NAME too"
        )
    _load(name, options, into, grammar)


def _load(name: str | None, options: dict[str, str], into: Translated, grammar: Grammar) -> None:
    """The keys of `--model_args`, one after the other."""
    revision = options.pop("revision", "main")
    if name is not None:
        into.arguments += ["--model", name if revision == "main" else f"{name}@{revision}"]
    for key, value in options.items():
        place = f"--model-args {key}={value}"
        if key == "dtype":
            dtype = value.removeprefix("torch.")
            if dtype not in _DTYPES and dtype != "auto":
                raise PlanError(f"{place}: expected float32, bfloat16 or float16")
            into.arguments += [] if dtype == "auto" else _of_verb(["--dtype", _DTYPES[dtype]], grammar)
        elif key in ("trust_remote_code", "batch_size", "max_batch_size"):
            option = f"--{key.replace('_', '-')}"
            into.arguments += _of_verb([] if value.lower() in _NO else [option], grammar) if key[0] == "t" else []
            if key[0] != "t":
                into.notes.append(f"{place} is not needed: {_BATCHES}")
        elif key == "backend" and value in ("causal", "default"):
            continue
        elif key in _MODEL_NEEDLESS:
            into.notes.append(f"{place} is not needed: {_MODEL_NEEDLESS[key]}")
        elif key in _MODEL_REFUSED:
            raise PlanError(f"{place}: {_MODEL_REFUSED[key]}")
        else:
            known = ("pretrained", "revision", "dtype", "trust_remote_code", *_MODEL_NEEDLESS, *_MODEL_REFUSED)
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; known: pretrained, revision, dtype, trust_remote_code"
            raise PlanError(f"--model-args: unknown key {quoted(key)}{hint}")


def _pairs(words: Sequence[str]) -> dict[str, str]:
    """`a=1,b=2`, in one word or several, or a JSON object."""
    text = ",".join(words)
    if text.lstrip().startswith("{"):
        return {name: str(value) for name, value in generation_options(text).items()}
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise PlanError(f"--model-args {quoted(part)}: expected key=value, such as pretrained=NAME,dtype=float16")
        found[name.strip()] = value.strip()
    return found


def _batches(sizes: Sequence[str], largest: Sequence[str], into: Translated, grammar: Grammar) -> None:
    """`--batch_size auto` and `--max_batch_size`: a number, or none."""
    size, most = (values[-1] if values else None for values in (sizes, largest))
    if size is not None and re.fullmatch(r"auto(:\d*(\.\d*)?)?", size):
        into.notes.append(f"--batch-size {size} is not needed: {_BATCHES}")
        size = most
    elif size is None and most is not None:
        into.notes.append(f"--max-batch-size {most} is not needed: {_BATCHES}")
    elif size is not None and most is not None and size.isdigit() and most.isdigit():
        size = str(min(int(size), int(most)))
    if size is not None:
        into.arguments += _of_verb(["--batch-size", size], grammar)


def _places(paths: Sequence[str], into: Translated, grammar: Grammar) -> None:
    for path in paths:
        if path.endswith(".json"):
            raise PlanError(f"--output-path {path}: results are kept in a folder; expected --results FOLDER")
        into.arguments += _of_verb(["--results", path], grammar)


def _of_verb(words: list[str], grammar: Grammar) -> list[str]:
    """The words, if the verb takes such an option: what a plan is made of needs no device."""
    return words if words and words[0] in grammar.options else []
