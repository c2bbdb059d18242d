"""Which of lm-eval's own tasks are asked, and what lm-eval's own command line answers to them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
from harness.catalog.functions import package_folder

AS_THEY_ARE = (
    # options
    *("arc_easy", "arc_challenge", "hellaswag", "winogrande", "piqa", "openbookqa", "boolq", "sciq", "race", "logiqa"),
    *("mmlu_anatomy", "mmlu_astronomy", "agieval_lsat_ar", "agieval_sat_math", "truthfulqa_mc1", "truthfulqa_mc2"),
    *("copa", "rte", "wic", "cb", "multirc", "wsc", "sst2", "cola", "mnli", "qqp", "mrpc", "qnli", "wnli"),
    *("blimp_adjunct_island", "anli_r1", "xnli_en", "xcopa_it", "headqa_en"),
    *("mathqa", "pubmedqa", "social_iqa", "commonsense_qa", "toxigen", "xstorycloze_en", "swag", "mc_taco", "webqs"),
    *("ethics_cm", "ethics_deontology", "ethics_justice", "ethics_utilitarianism", "ethics_virtue", "wsc273"),
    *("belebele_eng_Latn", "medmcqa", "medqa_4options", "qa4mre_2011", "mutual", "moral_stories"),
    *("kobest_boolq", "kobest_hellaswag"),
    *("bigbench_strategyqa_multiple_choice", "bigbench_emoji_movie_multiple_choice"),
    # texts
    *("triviaqa", "nq_open", "drop", "truthfulqa_gen", "gsm8k_cot", "mmlu_pro_math", "hendrycks_math_algebra"),
    *("bbh_cot_fewshot_navigate", "bbh_fewshot_word_sorting", "bbh_zeroshot_navigate", "mgsm_direct_en", "babi"),
    *("anagrams1", "cycle_letters", "bigbench_emoji_movie_generate_until"),
    *("wmt14-en-fr", "wmt16-de-en", "wmt16-ro-en"),
    # likelihoods
    *("lambada_openai", "lambada_openai_cloze_yaml", "lambada_standard", "asdiv"),
    *("wikitext", "pile_10k", "pile_arxiv", "paloma_wikitext_103"),
)
"""Tasks by name: asked as they are, with as many examples as they ask for themselves."""

FIRST = {
    "arc_easy": "arc/arc_easy.yaml",
    "hellaswag": "hellaswag/hellaswag.yaml",
    "winogrande": "winogrande/default.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "sst2": "glue/sst2/default.yaml",
    "sciq": "sciq/sciq.yaml",
    "gsm8k": "gsm8k/gsm8k.yaml",
    "triviaqa": "triviaqa/default.yaml",
    "wmt16-ro-en": "translation/wmt16_ro-en.yaml",
    "babi": "babi/babi.yaml",
    "asdiv": "asdiv/default.yaml",
    "xstorycloze_en": "xstorycloze/default_en.yaml",
}
"""Tasks whose examples lm-eval draws anew for each document -> their file: asked with the first ones instead."""
SHOTS = 2
"""Examples that they show."""

BY_FILE = {
    "arithmetic_2da": (
        "arithmetic/arithmetic_2da.yaml",
        "validation",
        "EleutherAI/arithmetic/data/two_digit_addition.jsonl",
    ),
    "prost": ("prost/corypaik_prost.yaml", "test", "corypaik/prost/data/default.jsonl"),
}
"""Tasks that name a file of the hub -> their file, the split, and where that file lies in the mirror."""

DRAWN = "gsm8k"
"""A task for which lm-eval draws examples for each document anew."""
SHUFFLED = "gpqa_main_zeroshot"
"""A task that shuffles its options by the state of Python's random numbers."""
GROUP = "xwinograd"
"""A group whose members have documents in different numbers."""

REFUSED: Mapping[str, str] = {
    "squadv2": "class is 'SQuAD2': a task written in Python cannot be evaluated here",
    "squad_completion": "class is 'SQUADCompletion': a task written in Python cannot be evaluated here",
}
"""Tasks that cannot be planned, and what is said."""
LACKING: Mapping[str, str] = {"coqa": "transformers.data.metrics", "record": "transformers.data.metrics"}
"""Tasks whose own Python file imports what the installed packages do not have, for lm-eval as for us."""

TEXT_TOKENS = 24
"""Tokens of a generated text: enough to tell two models apart."""
CONTEXT = 4096
"""Tokens of the window, for the longest prompts: nothing is cut."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What lm-eval's command line wrote."""

    results: Mapping[str, Mapping[str, Any]]
    """Task -> its entry in the results file."""
    groups: Mapping[str, Mapping[str, Any]]
    """Group -> its entry."""
    samples: Mapping[str, list[dict[str, Any]]]
    """Task -> its rows, by document and filter."""


def asked() -> list[str]:
    """All tasks, by name."""
    return [*AS_THEY_ARE, *(f"{name}_first" for name in FIRST), *(f"{name}_here" for name in BY_FILE)]


def write_files(folder: Path, mirror: Path) -> Path:
    """A folder with files that include lm-eval's own and change how examples are taken, or where a file lies."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in FIRST.items():
        _include(folder / f"{name}_first", file, f"fewshot_config: {{sampler: first_n}}\nnum_fewshot: {SHOTS}\n")
    for name, (file, split, place) in BY_FILE.items():
        _include(folder / f"{name}_here", file, f"dataset_kwargs: {{data_files: {{{split}: {mirror / place}}}}}\n")
    return folder


def file_of(name: str) -> Path:
    """The file of a task that is in a folder of its own name."""
    lm_eval = package_folder()
    assert lm_eval is not None
    (found,) = (lm_eval / "tasks").glob(f"**/{name}/default.yaml")
    return found


def _include(task: Path, file: str, changes: str) -> None:
    lm_eval = package_folder()
    assert lm_eval is not None
    text = f"include: {lm_eval / 'tasks' / file}\ntask: {task.name}\n{changes}"
    task.with_name(f"{task.name}.yaml").write_text(text, encoding="utf-8")


def write_model(folder: Path) -> Path:
    """The embedded model of 184 thousand weights, with a window that holds the longest prompts."""
    source = Path(harness.__file__).parent / "ladder" / "weights" / "184k"
    shutil.copytree(source, folder)
    for name, key in (("config.json", "max_position_embeddings"), ("tokenizer_config.json", "model_max_length")):
        path = folder / name
        path.write_text(json.dumps({**json.loads(path.read_text()), key: CONTEXT}), encoding="utf-8")
    return folder


COMMAND_LINE = """
import lm_eval.api.metrics
# F1, MCC and BLEU would be computed from 100,000 resamples each, for their standard errors
lm_eval.api.metrics.bootstrap_stderr = lambda f, xs, iters: float("nan")
from lm_eval.__main__ import cli_evaluate
cli_evaluate()
"""
"""lm-eval's command line, less the resampling."""


def ask_lm_eval(
    names: Sequence[str],
    model: Path,
    mirror: Path,
    files: Path,
    out: Path,
    *,
    text_tokens: int = TEXT_TOKENS,
    more: Sequence[str] = (),
) -> Answered:
    """What lm-eval's command line answers, started in the mirror.

    Args:
        names: tasks.
        model: the model's folder.
        mirror: data sets by their names on the hub.
        files: further task files.
        out: an empty folder for what it writes.
        text_tokens: tokens of a text at most.
        more: further options.
    """
    command = [sys.executable, "-c", COMMAND_LINE, "run", "--model", "hf"]
    command += ["--model_args", f"pretrained={model},dtype=float32", "--device", "cpu", "--batch_size", "16"]
    command += ["--tasks", *names, "--include_path", str(files), "--gen_kwargs", f"max_gen_toks={text_tokens}"]
    command += ["--output_path", str(out), "--log_samples", *more]
    settings = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(out / "cache"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=mirror, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (written,) = out.rglob("results_*.json")
    found = json.loads(written.read_text(encoding="utf-8"))
    samples = {path.name.removeprefix("samples_").rpartition("_")[0]: _rows(path) for path in out.rglob("samples_*")}
    return Answered(results=found["results"], groups=found.get("groups", {}), samples=samples)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
