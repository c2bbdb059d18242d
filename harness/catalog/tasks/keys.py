"""What each section of a task config may hold: keys by name, and nothing else.

lm-eval, transformers and `datasets` accept far more than numbers and texts there: scripts to run, folders to read and
write, servers to call. Task files come from others, so only the keys that are named here are accepted, in
`emergence check` and again where a config is used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.bounded.documents import FILE_KINDS
from harness.bounded.limits import DELIMITER, FILTER_STEPS, STOPS, Limit
from harness.catalog.functions import TaskFunction, functions_in
from harness.catalog.packaged import PACKAGED
from harness.errors import CatalogError, Faults, unknown
from harness.wording import quoted

Where = Callable[[str], str]
"""Name of a section -> how a message calls it."""

GENERATION_KEYS = (
    *("until", "max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens", "max_length", "max_time"),
    *("do_sample", "temperature", "top_k", "top_p", "top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"),
    *("num_beams", "early_stopping", "length_penalty", "min_length", "min_new_tokens", "use_cache"),
    *("repetition_penalty", "encoder_repetition_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size"),
    *("bad_words_ids", "sequence_bias", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id"),
    *("forced_eos_token_id", "exponential_decay_length_penalty", "guidance_scale", "prompt_lookup_num_tokens"),
    *("remove_invalid_values", "renormalize_logits"),
)
"""Numbers, texts and lists of them: when a text ends, and how each token is chosen."""
METRIC_KEYS = (
    *("metric", "aggregation", "higher_is_better"),
    *("ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"),
)
AGGREGATIONS = (
    *("bypass", "nanmean", "mean", "median", "perplexity", "weighted_perplexity", "bits_per_byte", "f1"),
    *("matthews_corrcoef", "bleu", "chrf", "chrf++", "ter", "brier_score"),
)
"""lm-eval's names for the ways in which scores of documents become one number."""
CODE_KEYS = ("custom_generate", "trust_remote_code", "hf_evaluate")
"""Keys of `generation_kwargs` and `metric_list` that run Python files beside the task, where the user allows it."""
DATASET_KEYS = ("data_files", "revision")
LM_EVAL_DATASET_KEYS = (*DATASET_KEYS, "data_dir", "column_names", "header", "features", "verification_mode")
"""Keys that tasks of lm-eval give `datasets` as well."""
FEWSHOT_KEYS = (
    *("sampler", "split", "samples", "fewshot_indices", "doc_to_text", "doc_to_target", "doc_to_choice"),
    *("gen_prefix", "fewshot_delimiter", "target_delimiter"),
)
SAMPLERS = ("default", "first_n")
_REGEX = ("regex_pattern", "group_select", "fallback")
FILTERS: Mapping[str, tuple[str, ...]] = {
    "take_first": (),
    "take_first_k": ("k",),
    "majority_vote": (),
    "remove_whitespace": (),
    "lowercase": (),
    "uppercase": (),
    "format_span": (),
    "map": ("mapping_dict", "default_value"),
    "regex": _REGEX,
    "regex_pos": _REGEX,
    "multi_choice_regex": (*_REGEX, "ignore_case", "ignore_punctuation", "regexes_to_ignore"),
}
"""lm-eval's filters -> their arguments; without `custom`, which runs any function."""
NEVER_IN_A_FILE = ("custom_dataset", "process_docs", "process_results", "use_prompt")
"""Keys for Python functions or files with templates; lm-eval ignores any other value, or fails on it."""
NOT_READ = ("doc_to_image", "doc_to_audio")
"""Keys for what models here do not read."""
DATA_KEYS = ("dataset_path", "dataset_kwargs")
"""Keys that no prompt variant may change, since they say which documents are evaluated."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
LOADERS = (
    *("csv", "json", "pandas", "parquet", "arrow", "text", "conll", "imagefolder", "audiofolder", "videofolder"),
    *("meshfolder", "pdffolder", "niftifolder", "webdataset", "xml", "hdf5", "eval", "lance", "tsfile", "iceberg"),
    *("vortex", "mmcif", "pdb", "genbank", "fasta", "fastq", "harbor", "pickle", "sql", "spark", "generator", "cache"),
)
"""Names that `datasets` takes for a file format, and not for a data set on the hub."""


def check_sections(config: Mapping[str, Any], where: Where, *, allow_code: bool = False, dialect: str = "own") -> None:
    """Check that every section of a config has only known keys and plain values.

    Args:
        config: a task's config, with the keys of one prompt variant.
        where: how a message calls a key, such as `x.yaml: config.metric_list`.
        allow_code: whether Python files beside the task may run (see `harness.catalog.tasks.code`).
        dialect: the task's; one of lm-eval may name functions, and gives metrics arguments of their own.

    Raises:
        CatalogError: a key or a value that is not allowed; the allowed ones are listed.
    """
    faults = Faults()
    own = dialect == "own"
    with faults:
        _check_functions(config, where, allow_code, own)
    with faults:
        _check_generation(_mapping(config, "generation_kwargs", where), where("generation_kwargs"), allow_code)
    with faults:
        _check_metrics(config, where, allow_code, own)
    with faults:
        _check_filters(config, where, registered=not own and any(functions_in(config)))
    with faults:
        _check_fewshot(_mapping(config, "fewshot_config", where), where("fewshot_config"))
    with faults:
        _check_delimiters(config, where)
    with faults:
        _check_data(config, where, own)
    faults.check()


def _check_functions(config: Mapping[str, Any], where: Where, allow_code: bool, own: bool) -> None:
    """Check that functions that come with a task, and not with lm-eval, may run."""
    faults = Faults()
    for key, value in config.items():
        foreign = [one for one in functions_in(value) if own or not (one.installed or allow_code)]
        if foreign:
            code = f"Python code that comes with the task, {foreign[0].path}"
            faults.add([f"{where(str(key))} runs {code}; agree with --allow-code"])
    faults.check()


def _check_generation(generation: Mapping[str, Any], place: str, allow_code: bool) -> None:
    faults = Faults()
    with faults:
        _check_code(generation, place, allow_code)
    with faults:
        _check_keys(generation, (*GENERATION_KEYS, *CODE_KEYS[:2]), place)
    for name, value in generation.items():
        with faults:
            _check_plain(value, f"{place}.{name}")
    with faults:
        _check_stops(generation.get("until", []), f"{place}.until")
    faults.check()


def _check_stops(until: Any, place: str) -> None:
    """Check that every stop string is a text: an empty one stands in every text, and lm-eval stops at one token."""
    stops = until if isinstance(until, list) else [until]
    _within(STOPS, len(stops), place)
    for stop in stops:
        if not isinstance(stop, str) or not stop:
            raise CatalogError(f"{place} is {quoted(until)}; expected texts that end an answer, or [] for none")


def _check_code(section: Mapping[str, Any], place: str, allowed: bool) -> None:
    named = [key for key in CODE_KEYS if section.get(key)]
    if named and not allowed:
        raise CatalogError(f"{place}.{named[0]} runs Python code that comes with the task; agree with --allow-code")


def _check_metrics(config: Mapping[str, Any], where: Where, allow_code: bool, own: bool) -> None:
    faults = Faults()
    for i, entry in enumerate(_entries(config, "metric_list", where)):
        with faults:
            _check_metric(config, entry, f"{where('metric_list')}[{i}]", allow_code, own)
    faults.check()


def _check_metric(config: Mapping[str, Any], entry: Any, place: str, allow_code: bool, own: bool) -> None:
    if not isinstance(entry, Mapping) or "metric" not in entry:
        raise CatalogError(f"{place} is {quoted(entry)}; expected the key `metric`")
    if not isinstance(entry["metric"], str) and not callable(entry["metric"]):
        raise CatalogError(f"{place}.metric is {quoted(entry['metric'])}; expected the name of a metric")
    _check_code(entry, place, allow_code)
    if entry.get("hf_evaluate") and config.get("output_type", "generate_until") != "generate_until":
        raise CatalogError(f"{place}.hf_evaluate scores texts; expected output_type: generate_until")
    if own:
        _check_keys(entry, (*METRIC_KEYS, "hf_evaluate"), place)
    for name, value in entry.items():
        if not callable(value):  # only a caller in Python can put a function there
            _check_plain(value, f"{place}.{name}")
    aggregation = entry.get("aggregation", "mean")
    if not callable(aggregation) and aggregation not in AGGREGATIONS:
        raise CatalogError(f"{place}.aggregation: {unknown('aggregation', str(aggregation), AGGREGATIONS)}")


def _check_filters(config: Mapping[str, Any], where: Where, *, registered: bool) -> None:
    """Check the filters; `registered`: files of the task may add filters to lm-eval's, which only a worker knows."""
    faults = Faults()
    entries = _entries(config, "filter_list", where)
    steps = sum(len(entry["filter"]) for entry in entries if isinstance(entry, Mapping) and _has_steps(entry))
    _within(FILTER_STEPS, max(steps, len(entries)), where("filter_list"))
    for i, entry in enumerate(entries):
        with faults:
            _check_filter(entry, f"{where('filter_list')}[{i}]", registered)
    faults.check()


def _has_steps(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("filter"), list)


def _check_delimiters(section: Mapping[str, Any], where: Where) -> None:
    """Check the length of what stands before every answer and between examples; its kind is checked elsewhere."""
    for name in ("target_delimiter", "fewshot_delimiter"):
        if isinstance(section.get(name), str):
            _within(DELIMITER, len(section[name]), where(name))


def _within(limit: Limit, found: int, place: str) -> None:
    if found > limit.allowed:
        raise CatalogError(f"{place} {limit.exceeded(found)}")


def _check_filter(entry: Any, place: str, registered: bool) -> None:
    if not isinstance(entry, Mapping) or not _has_steps(entry) or "name" not in entry:
        raise CatalogError(f"{place} is {quoted(entry)}; expected the keys `name` and `filter`, a list")
    _check_keys(entry, ("name", "filter"), place)
    for j, step in enumerate(entry["filter"]):
        at = f"{place}.filter[{j}]"
        if not isinstance(step, Mapping) or "function" not in step:
            raise CatalogError(f"{at} is {quoted(step)}; expected the key `function`")
        function = step["function"]
        if callable(function):
            continue
        if function == "custom" and isinstance(step.get("filter_fn"), TaskFunction):
            _check_keys(step, ("function", "filter_fn"), at)
            continue
        if registered and isinstance(function, str) and function not in FILTERS:
            continue
        if not isinstance(function, str) or function not in FILTERS:
            raise CatalogError(f"{at}.function: {unknown('filter', str(function), FILTERS)}")
        _check_keys(step, ("function", *FILTERS[function]), at)


def _check_fewshot(fewshot: Mapping[str, Any], place: str) -> None:
    of_function = ("process_docs",) if isinstance(fewshot.get("process_docs"), TaskFunction) else ()
    _check_keys(fewshot, (*FEWSHOT_KEYS, *of_function), place)
    _check_delimiters(fewshot, f"{place}.{{}}".format)
    sampler = fewshot.get("sampler", "default")
    if sampler not in SAMPLERS:
        raise CatalogError(f"{place}.sampler: {unknown('sampler', str(sampler), SAMPLERS)}")
    samples, places = fewshot.get("samples"), fewshot.get("fewshot_indices")
    if isinstance(samples, TaskFunction):
        samples = []
    if samples is not None and not (isinstance(samples, list) and all(isinstance(one, Mapping) for one in samples)):
        raise CatalogError(f"{place}.samples is {quoted(samples)}; expected a list of documents, each with its fields")
    if samples is not None and fewshot.get("split") is not None:
        raise CatalogError(f"{place} has samples and split; expected one of the two, since lm-eval takes the split")
    if places is not None and not (isinstance(places, list) and all(map(_is_count, places))):
        raise CatalogError(f"{place}.fewshot_indices is {quoted(places)}; expected numbers, the first being 0")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _check_data(config: Mapping[str, Any], where: Where, own: bool) -> None:
    kwargs = _mapping(config, "dataset_kwargs", where)
    if isinstance(config.get("custom_dataset"), TaskFunction):  # which takes keys of its own
        return
    _check_keys(kwargs, DATASET_KEYS if own else LM_EVAL_DATASET_KEYS, where("dataset_kwargs"))
    revision = kwargs.get("revision")
    if revision is not None and not (isinstance(revision, str) and _REVISION.fullmatch(revision)):
        raise CatalogError(
            f"{where('dataset_kwargs')}.revision is {quoted(revision)}; expected a branch, a tag or a commit"
        )
    name = config.get("dataset_name")
    if isinstance(name, list | Mapping) or (isinstance(name, str) and re.search(r"[/\\:\0]|^[.~]", name)):
        raise CatalogError(f"{where('dataset_name')} is {quoted(name)}; expected the name of a part of the data set")
    if callable(config.get("custom_dataset")):
        return
    path, files = config.get("dataset_path"), kwargs.get("data_files")
    if path is None and files is None:
        return
    place = f"{where('dataset_path')} is {quoted(path)}"
    if not own and (is_on_hub(path) or (isinstance(path, str) and Path(path).is_absolute() and Path(path).is_dir())):
        return
    if files is not None and path not in FILE_KINDS:
        raise CatalogError(f"{place}; expected {', '.join(FILE_KINDS)}, which read data_files")
    if files is None and not is_on_hub(path) and path not in tuple(PACKAGED):
        raise CatalogError(f"{place}; expected json with data_files, a data file, or the name of a data set on the hub")


def is_on_hub(name: Any) -> bool:
    """True for the name of a data set on the hub, False for a file, a folder, an address or a file format."""
    known = (
        isinstance(name, str) and len(name) <= 96 and _HUB_NAME.fullmatch(name) and name not in (*LOADERS, *PACKAGED)
    )
    # a folder that is called like a part of a path was meant; ORG/NAME can lie in a mirror that is the working folder
    return bool(known) and ("/" in name or not Path(name).exists())


def _mapping(config: Mapping[str, Any], section: str, where: Where) -> Mapping[str, Any]:
    found = config.get(section)
    if found is not None and not isinstance(found, Mapping):
        raise CatalogError(f"{where(section)} is {quoted(found)}; expected keys and values")
    return found or {}


def _entries(config: Mapping[str, Any], section: str, where: Where) -> list[Any]:
    found = config.get(section)
    if found is not None and not isinstance(found, list):
        raise CatalogError(f"{where(section)} is {quoted(found)}; expected a list")
    return found or []


def _check_keys(found: Iterable[Any], known: Iterable[str], place: str) -> None:
    allowed, faults = tuple(known), Faults()
    # the known keys stand behind the first alone: a file with ten wrong ones would fill the screen with them
    for i, key in enumerate(key for key in found if key not in allowed):
        told = unknown("key", str(key), allowed) if i == 0 else f"unknown key {quoted(key)}"
        faults.add([f"{place}: {told}"])
    faults.check()


def _check_plain(value: Any, place: str) -> None:
    """Accept only numbers, texts and lists of them."""
    if isinstance(value, list | tuple):
        for item in value:
            _check_plain(item, place)
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise CatalogError(f"{place} is {quoted(value)}; expected a number, a text or a list of them")
