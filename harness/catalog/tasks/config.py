"""Checks of a task's config against what lm-eval accepts and what the task's documents have.

They need neither lm-eval nor a network. lm-eval finds most of these errors too, but only when a model is loaded; and it
takes a column that no document has for the word itself, so that every answer is wrong. Documents on the hub are not
checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from harness.bounded.limits import VARIANTS
from harness.catalog.tasks.keys import DATA_KEYS, NEVER_IN_A_FILE, NOT_READ, check_sections
from harness.catalog.tasks.numbers import check_numbers
from harness.errors import CatalogError, Faults, unknown
from harness.scoring import templates
from harness.scoring.metrics import OF_OPTIONS, OWN_METRICS, is_own, programs_needed
from harness.specs import TaskSpec
from harness.wording import cut, quoted

_CHOICE = ("acc", "acc_norm", "acc_bytes", "acc_mutual_info", "exact_match", "f1", "mcc", "brier_score", "likelihood")
METRICS: Mapping[str, tuple[str, ...]] = {
    "generate_until": ("exact_match", "bleu", "chrf", "chrf++", "ter"),
    "multiple_choice": _CHOICE,
    "loglikelihood": ("acc", "perplexity"),
    "loglikelihood_rolling": ("bits_per_byte", "byte_perplexity", "word_perplexity"),
}
"""lm-eval's output types, and the metrics it computes for each."""
LM_EVAL_METRICS = frozenset({name for names in METRICS.values() for name in names} | {"acc_all", "bypass"})
"""Every metric of lm-eval; the last two belong to no output type."""
CONFIG_KEYS = (
    *("task", "task_alias", "tag", "custom_dataset", "dataset_path", "dataset_name", "dataset_kwargs"),
    *("training_split", "validation_split", "test_split", "fewshot_split", "process_docs", "doc_to_text"),
    *("doc_to_target", "doc_to_image", "doc_to_audio", "unsafe_code", "doc_to_choice", "process_results"),
    *("use_prompt", "description", "target_delimiter", "fewshot_delimiter", "fewshot_config", "num_fewshot"),
    *("metric_list", "output_type", "generation_kwargs", "repeats", "filter_list", "should_decontaminate"),
    *("doc_to_decontamination_query", "gen_prefix", "metadata", "simulate"),
)
"""Keys of lm-eval, and `simulate` of the simulated engine."""

_TEMPLATES: Mapping[str, tuple[type, ...]] = {
    "doc_to_text": (str, int),
    "doc_to_target": (str, int, list),
    "doc_to_choice": (str, list, dict),
    "description": (str,),
    "gen_prefix": (str,),
}
"""Key of a template, which is rendered for each document -> types that lm-eval accepts there."""
_OTHERS: Mapping[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("target_delimiter", "fewshot_delimiter", "task_alias"), ((str,), "a text")),
    "doc_to_decontamination_query": ((str,), "a text"),
    "tag": ((str, list), "a text, or a list of them"),
    "metadata": ((Mapping,), "keys and values"),
    "should_decontaminate": ((bool,), "true or false"),
}
"""Other keys -> types that lm-eval accepts there, and how a message calls them."""
_COLUMNS = ("doc_to_text", "doc_to_target", "doc_to_choice")
"""Templates that may be the bare name of a column."""
SPLITS = ("test_split", "validation_split", "training_split", "fewshot_split")
"""Keys that name a split of the data."""


class Variant(NamedTuple):
    """The config of one prompt variant."""

    prompt: str
    """Name of the variant."""
    config: Mapping[str, Any]
    """The task's config with the variant's keys."""
    own: Mapping[str, Any]
    """The variant's keys alone."""
    section: str = "config."
    """What stands before a key of the config in the file; empty in a file of lm-eval."""

    def key(self, name: str) -> str:
        """The place of a key in the file."""
        return cut(f"prompts.{self.prompt}.{name}" if name in self.own else f"{self.section}{name}")


def evaluated_split(config: Mapping[str, Any]) -> str | None:
    """The split whose documents are evaluated, by lm-eval's rule; None when the config names none."""
    return config.get("test_split") or config.get("validation_split")


def example_split(config: Mapping[str, Any]) -> str | None:
    """The split that demonstrations come from, by lm-eval's rule; None when they stand in the config itself."""
    named = (config.get("fewshot_config") or {}).get("split") or config.get("fewshot_split")
    if named or written_examples(config) is not None:
        return named
    return config.get("training_split") or config.get("validation_split") or config.get("test_split")


def written_examples(config: Mapping[str, Any]) -> Any:
    """The demonstrations that stand in the config, or the function that gives them; None when they are of a split."""
    return (config.get("fewshot_config") or {}).get("samples")


def chosen_examples(config: Mapping[str, Any]) -> list[int] | None:
    """Numbers of the demonstrations that may be taken; None for all."""
    return (config.get("fewshot_config") or {}).get("fewshot_indices")


def check_config(task: TaskSpec, path: Path, *, allow_code: bool = False, with_data: bool = True) -> None:
    """Check that lm-eval accepts the task's config with every prompt variant.

    Args:
        task: the task.
        path: its file, for messages.
        allow_code: whether Python files beside the task may run.
        with_data: whether to look at the keys that name data and splits.

    Raises:
        CatalogError: an unknown key, output type, metric or split, no text where a template belongs, or a value that
            could run code or reach beyond the task's own data.
    """
    if len(task.prompts) > VARIANTS.allowed:
        raise CatalogError(f"{path}: prompts {VARIANTS.exceeded(len(task.prompts))}")
    faults = Faults()
    for variant in variants(task):
        with faults:
            _check_keys(variant, path)
        with faults:
            hidden = () if with_data else DATA_KEYS
            shown = {name: value for name, value in variant.config.items() if name not in hidden}
            check_sections(shown, partial(_place, path, variant), allow_code=allow_code, dialect=task.dialect)
            check_numbers(variant.config, partial(_place, path, variant), trusted=task.trusted)
            if not computes_itself(variant.config):
                _check_metric_list(variant, path)
        with faults:
            _check_metrics(task, variant, path)
        if with_data:
            with faults:
                _check_splits(variant, path)
        place = partial(_place, path, variant)
        faults.add(_wrong_kinds(variant.config, place))
        of_examples = variant.config.get("fewshot_config")
        if isinstance(of_examples, Mapping):
            faults.add(_wrong_kinds(of_examples, partial(_of_examples, place)))
    faults.check()


def _check_metrics(task: TaskSpec, variant: Variant, path: Path) -> None:
    """Check that the variant's output type gives what every metric is computed from."""
    output_type = variant.config.get("output_type", "generate_until")
    if output_type not in tuple(METRICS):  # a list or a mapping is no key of a dict
        where = f"{path}: {variant.key('output_type')}"
        raise CatalogError(f"{where} is {quoted(output_type)}; expected {', '.join(METRICS)}")
    scripts, faults = _scripts(variant), Faults()
    for i, metric in enumerate(task.metrics):
        where = f"{path}: metrics[{i}].name"
        with faults:
            if task.dialect != "own":
                if not computes_itself(variant.config) and metric.name not in scripts:
                    _check_metric(metric.name.partition(",")[0], where)
            elif metric.name not in scripts:
                _check_computed(metric.name, output_type, where)
            _check_programs(metric.name, task, variant, where)
    faults.check()


def computes_itself(config: Mapping[str, Any]) -> bool:
    """Whether functions of the task give its metrics, so that their names are known only to them."""
    listed = [entry.get("metric") for entry in config.get("metric_list") or () if isinstance(entry, Mapping)]
    return callable(config.get("process_results")) or any(map(callable, listed))


def _of_examples(place: Callable[[str], str], name: str) -> str:
    return f"{place('fewshot_config')}.{name}"


def _wrong_kinds(section: Mapping[str, Any], place: Callable[[str], str]) -> Iterator[str]:
    """What is wrong with templates that are no texts, nor what else lm-eval takes for one, and with other keys."""
    for name, kinds in _TEMPLATES.items():
        text = section.get(name)
        if text is not None and not callable(text) and (not isinstance(text, kinds) or isinstance(text, bool)):
            yield f"{place(name)} is {quoted(text)}; expected a text, in quotes where it begins with {{"
    for name, (kinds, expected) in _OTHERS.items():
        value = section.get(name)
        if value is not None and not isinstance(value, kinds) and not callable(value):
            yield f"{place(name)} is {quoted(value)}; expected {expected}"


def check_templates(task: TaskSpec, fields: Mapping[str, frozenset[str]], path: Path) -> None:
    """Check that every template of the task asks for fields that its documents have.

    Args:
        task: the task.
        fields: split -> names of the fields of its documents; empty when the data come from the hub.
        path: the task's file, for messages.

    Raises:
        CatalogError: a template cannot be parsed, or asks for a field that no document has.
    """
    if not fields:
        return
    faults = Faults()
    for variant in variants(task):
        split = str(evaluated_split(variant.config))
        for name in _TEMPLATES:
            where = f"{path}: {variant.key(name)}"
            with faults:
                _check_template(variant.config.get(name), name in _COLUMNS, where, split, fields)
        if task.demonstrations == "document" or not _are_examples(variant.config.get("fewshot_config")):
            continue
        examples = str(example_split(variant.config) or f"{variant.key('fewshot_config')}.samples")
        known = dict(fields)
        if (samples := written_examples(variant.config)) is not None:
            known.setdefault(examples, _fields(samples))
        of_examples: Mapping[str, Any] = variant.config.get("fewshot_config") or {}
        for name in _COLUMNS:
            key = f"{variant.key('fewshot_config')}.{name}" if name in of_examples else variant.key(name)
            template = of_examples.get(name, variant.config.get(name))
            with faults:
                _check_template(template, name in _COLUMNS, f"{path}: {key}", examples, known)
    faults.check()


def _are_examples(section: Any) -> bool:
    """Whether a section about examples has the right form, which `check_sections` tells in words."""
    samples = section.get("samples") if isinstance(section, Mapping) else None
    listed = isinstance(samples, list) and all(isinstance(one, Mapping) for one in samples)
    return section is None or (isinstance(section, Mapping) and (samples is None or listed))


def _fields(documents: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    return frozenset(name for document in documents for name in document)


def variants(task: TaskSpec) -> Iterator[Variant]:
    """The prompt variants of a task, `default` first."""
    for prompt, own in task.prompts.items():
        yield Variant(prompt, {**task.config, **own}, own, "" if task.dialect == "lm-eval" else "config.")


def _check_keys(variant: Variant, path: Path) -> None:
    faults = Faults()
    for name, value in variant.config.items():
        with faults:
            _check_key(variant, name, value, f"{path}: {variant.key(name)}")
    faults.check()


def _check_key(variant: Variant, name: str, value: Any, where: str) -> None:
    if name not in CONFIG_KEYS:
        raise CatalogError(f"{where}: {unknown('key', str(name), CONFIG_KEYS)}")
    if name in NEVER_IN_A_FILE and value is not None and not callable(value):
        raise CatalogError(f"{where} is {quoted(value)}; expected none, since a task file names no code to run")
    if name in NOT_READ and value is not None:
        raise CatalogError(f"{where} is {quoted(value)}; expected none, since models here read text alone")
    if name == "num_fewshot" and name in variant.own and value is not None:
        raise CatalogError(f"{where} is set; expected none, since it would override the shots asked for")
    if name in DATA_KEYS and name in variant.own:
        raise CatalogError(f"{where}: a prompt asks the same documents in other words; expected it in config")


def _place(path: Path, variant: Variant, name: str) -> str:
    return f"{path}: {variant.key(name)}"


def _scripts(variant: Variant) -> frozenset[str]:
    """Metrics that a script beside the task computes."""
    entries = variant.config.get("metric_list")
    listed = [entry for entry in entries if isinstance(entry, Mapping)] if isinstance(entries, list) else []
    return frozenset(str(entry.get("metric")) for entry in listed if entry.get("hf_evaluate"))


def _check_metric(name: Any, where: str) -> None:
    if str(name) not in LM_EVAL_METRICS and not is_own(str(name)):
        # lm-eval would look for it on the network
        raise CatalogError(f"{where}: {unknown('metric', str(name), (*OWN_METRICS, *LM_EVAL_METRICS))}")


def _check_computed(name: str, output_type: str, where: str) -> None:
    bare = name.partition(",")[0]  # `exact_match,strict-match` names a filter too
    _check_metric(bare, where)
    with_options = output_type == "multiple_choice"
    own = [metric for metric in OWN_METRICS if with_options or metric not in OF_OPTIONS]
    if not (bare in METRICS[output_type] or bare in own or programs_needed(bare)):
        known = ", ".join(sorted((*METRICS[output_type], *own)))
        raise CatalogError(f"{where} is {quoted(bare)}, which {output_type} does not give; expected {known}")


def _check_programs(name: str, task: TaskSpec, variant: Variant, where: str) -> None:
    """Check that a task whose metric executes programs says so, and asks for enough of them."""
    needed = programs_needed(name)
    if needed is None:
        return
    if not task.unsafe_code:
        raise CatalogError(f"{where} is {quoted(name)}, which executes what a model wrote; expected unsafe_code: true")
    repeats = variant.config.get("repeats") or 1
    if repeats < needed:
        raise CatalogError(
            f"{where} is {quoted(name)}, and {variant.key('repeats')} is {repeats}; expected {needed} or more programs "
            "per document"
        )


def _check_metric_list(variant: Variant, path: Path) -> None:
    scripts, faults = _scripts(variant), Faults()
    for i, entry in enumerate(variant.config.get("metric_list") or []):
        with faults:
            if entry["metric"] not in scripts:
                _check_metric(entry["metric"], f"{path}: {variant.key('metric_list')}[{i}].metric")
    faults.check()


def _check_splits(variant: Variant, path: Path) -> None:
    if evaluated_split(variant.config) is None:
        raise CatalogError(f"{path}: {variant.key('test_split')} is missing; expected the split to evaluate")
    of_examples, kwargs = variant.config.get("fewshot_config"), variant.config.get("dataset_kwargs")
    files = kwargs.get("data_files") if isinstance(kwargs, Mapping) else None
    known = sorted(map(str, files)) if isinstance(files, Mapping) else []
    if not known:
        return
    named = {variant.key(name): variant.config.get(name) for name in SPLITS}
    named[f"{variant.key('fewshot_config')}.split"] = (
        of_examples.get("split") if isinstance(of_examples, Mapping) else None
    )
    faults = Faults()
    faults.add(
        f"{path}: {where} is {quoted(split)}; data_files has {cut(', '.join(known))}"
        for where, split in named.items()
        if split is not None and split not in known
    )
    faults.check()


def _check_template(
    template: Any, may_be_column: bool, where: str, split: str, fields: Mapping[str, frozenset[str]]
) -> None:
    known = fields.get(split)
    # a split that is not there has been named already
    if known is None or not isinstance(template, str) or template in known:
        return
    has = f"documents of {split} have {cut(', '.join(sorted(known)))}"
    if may_be_column and template.isidentifier():
        raise CatalogError(f"{where} is {quoted(template)}; {has}; the word itself is {{{{ {quoted(template)} }}}}")
    try:
        missing = sorted(templates.asked(template) - known)
    except CatalogError as error:
        raise CatalogError(f"{where} {error}") from error
    if missing:
        raise CatalogError(f"{where} asks for {quoted(missing[0])}; {has}")
