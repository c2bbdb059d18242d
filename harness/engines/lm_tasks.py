"""From a task and a cell to lm-eval's own requests: built once, and the same on every machine.

lm-eval renders the prompts; what it would draw by chance is fixed here. Its default sampler draws each document's
examples from one running generator, so that other examples appear when documents are sharded or limited. Here a seed
fixes one permutation of the examples and k shots are its first k.
"""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
import lm_eval.utils
from jinja2.sandbox import SandboxedEnvironment
from lm_eval.api.instance import Instance
from lm_eval.api.registry import metric_registry as lm_eval_metrics
from lm_eval.api.samplers import ContextSampler
from lm_eval.api.task import ConfigurableTask, TaskConfig

from harness.catalog.task_code import code_names
from harness.catalog.task_keys import check_sections
from harness.catalog.task_numbers import check_numbers
from harness.engines.documents import DocumentCache, Splits
from harness.errors import CatalogError, HarnessError, PlanError, unknown
from harness.plan import Cell
from harness.scoring.metrics import OWN_METRICS, is_own
from harness.specs import TaskSpec
from harness.wording import quoted

OWN_KEYS = frozenset({"simulate"})
"""Config keys that are ours and not lm-eval's."""

DocumentFields = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltCell:
    """A cell ready to be answered."""

    task: CellTask
    """lm-eval's task: filters, metrics, targets."""
    documents: tuple[tuple[Instance, ...], ...]
    """Requests of each document, in the order of their `idx`."""
    questions: tuple[str, ...]
    """Each document's own part of its prompt, after the examples; empty where the options stand in the question."""
    shots: int
    """Examples every prompt holds, counted."""
    foreign_code: tuple[str, ...] = ()
    """Python files of the task that run, each with the hash of its bytes."""


def permutation(seed: int, n: int) -> list[int]:
    """The order in which a seed takes n examples: positions 0..n-1, shuffled."""
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return order


class PoolShots(ContextSampler):  # type: ignore[misc]  # lm-eval is untyped
    """k examples for every document: the first k of one permutation of the pool."""

    per_document = False
    """True when each document has other examples."""

    def set_rnd(self, rnd: int | None) -> PoolShots:
        """Fix the seed (lm-eval's name for it)."""
        self._seed = rnd or 0
        self._order = permutation(self._seed, len(self.df))
        return self

    def turn_to(self, doc: DocumentFields) -> None:
        """The next examples are for `doc`."""
        self._doc = doc

    def sample(
        self, n: int, eval_doc: DocumentFields | None = None, df: Any = None, **_: Any
    ) -> Sequence[DocumentFields]:
        """The first n examples; `eval_doc` is given when it may be among them, and left out."""
        others = (doc for doc in self.examples() if eval_doc is None or doc != eval_doc)
        examples = list(islice(others, n))
        if len(examples) < n:
            raise PlanError(f"{n} shots were asked for; there are {len(examples)} examples to take them from")
        return examples

    def examples(self) -> Iterator[DocumentFields]:
        """Every example for the document, in the seed's order."""
        return (self.df[i] for i in self._order)


class DocumentShots(PoolShots):
    """k examples from each document's own list `examples`: the first k positions of one permutation."""

    per_document = True

    def examples(self) -> Iterator[DocumentFields]:
        """The document's own examples in the seed's order."""
        own = self._doc.get("examples")
        if not isinstance(own, list):
            raise CatalogError("a document has no list `examples`; a task with demonstrations: document needs one")
        return (own[i] for i in permutation(self._seed, len(own)))


class CellTask(ConfigurableTask):  # type: ignore[misc]  # lm-eval is untyped
    """lm-eval's task, with the sampler told which document it draws for and the rendered examples counted.

    What a document says in the config's fields is worked out once: lm-eval asks for it up to five times.
    """

    def __init__(self, **kwargs: Any) -> None:
        self._said: dict[tuple[str, int], tuple[Mapping[str, Any], Any]] = {}
        self._rendered = 0
        super().__init__(**kwargs)

    def build(self, shots: int, limit: int | None) -> BuiltCell:
        """Requests of the first `limit` documents: lm-eval's `build_all_requests` without its progress bar."""
        documents: list[tuple[Instance, ...]] = []
        questions: list[str] = []
        head: str | None = None
        for doc_id, doc in self.doc_iterator(limit=limit):
            question = self.question(doc)
            if head is not None:
                context: str | list[str] = head + question
            else:
                context = self.fewshot_context(doc, self.config.num_fewshot, gen_prefix=self.doc_to_prefix(doc))
                # counted and not assumed: lm-eval lets a config's zero win over a request without a word
                if self._rendered != shots:
                    raise HarnessError(
                        f"task {self.config.task}: document {doc_id} has {self._rendered} shots, asked were {shots}; "
                        "`num_fewshot: 0` in a task config forbids any other number"
                    )
                if isinstance(context, str) and self._one_head(shots):
                    assert context.endswith(question)
                    head = context[: len(context) - len(question)]
            metadata = (self.config.task, doc_id, self.config.repeats)
            made = self.construct_requests(doc=doc, ctx=context, metadata=metadata)
            documents.append(tuple(made) if isinstance(made, list) else (made,))
            questions.append(question)
        self._instances = [request for requests in documents for request in requests]
        return BuiltCell(task=self, documents=tuple(documents), questions=tuple(questions), shots=shots)

    def question(self, doc: DocumentFields) -> str:
        """The document's own part of the prompt, as lm-eval renders it; empty where it is a choice of questions."""
        text = self.doc_to_text(doc)
        if not isinstance(text, str):
            return ""
        turn = self.build_qa_turn(
            q=text, gen_prefix=self.doc_to_prefix(doc), tgt_delim=self.config.target_delimiter, few_delim=""
        )
        return "".join(message.to_text() for message in turn)

    def _one_head(self, shots: int) -> bool:
        """True when every prompt begins with the same description and examples."""
        description = self.config.description or ""
        if "{" in description or description in self.features:
            return False
        # lm-eval leaves the document itself out of its examples when both come from one split
        leaves_out = self.fewshot_cfg.split == self.config.test_split
        return shots == 0 or not (self.sampler.per_document or leaves_out)

    def doc_to_text(self, doc: Mapping[str, Any], doc_to_text: Any = None) -> Any:
        """The question: a text, or the number of the right one of several."""
        return self._once("text", doc, doc_to_text, super().doc_to_text)

    def doc_to_target(self, doc: Mapping[str, Any], doc_to_target: Any = None) -> Any:
        """The reference answer, its number among the choices, or a list of several."""
        return self._once("target", doc, doc_to_target, super().doc_to_target)

    def doc_to_choice(self, doc: Mapping[str, Any], doc_to_choice: Any = None) -> Any:
        """The options."""
        return self._once("choice", doc, doc_to_choice, super().doc_to_choice)

    def _once(self, what: str, doc: Mapping[str, Any], template: Any, render: Callable[..., Any]) -> Any:
        if template is not None:  # an example's own
            return render(doc, template)
        key = (what, id(doc))
        known = self._said.get(key)
        if known is None:
            # the document is kept, so that its id is nobody else's
            known = self._said[key] = (doc, render(doc, template))
        return known[1]

    def fewshot_context(self, doc: DocumentFields, num_fewshot: int, **kwargs: Any) -> str | list[str]:
        """The prompt of `doc`."""
        self.sampler.turn_to(doc)
        self._rendered = 0
        context: str | list[str] = super().fewshot_context(doc=doc, num_fewshot=num_fewshot, **kwargs)
        return context

    def build_qa_turn(self, *, a: Any = None, **kwargs: Any) -> list[Any]:
        """One question of the prompt; an example is the one that comes with its answer."""
        self._rendered += a is not None
        turn: list[Any] = super().build_qa_turn(a=a, **kwargs)
        return turn


def build_cell(cell: Cell, task: TaskSpec, data: DocumentCache, *, allow_code: bool = False) -> BuiltCell:
    """The requests of `cell`; Python files of the task run only where the user allowed it.

    Raises:
        CatalogError: the task's config or data do not fit lm-eval.
        PlanError: more shots than there are examples.
        HarnessError: an unknown metric, or prompts whose shots are not those asked for.
    """
    _use_safe_templates()
    config = task_config(cell, task, allow_code=allow_code)
    code = tuple(code_names(config))
    _use_scripts(config)
    splits = data.splits(task, config)
    _check_splits(task, config, splits)
    try:
        made = CellTask(config={**config, "dataset_kwargs": None, "custom_dataset": lambda **_: splits})
        # lm-eval's own rule, kept: 0 in a config means that the prompt has its examples built in.
        if made.config.num_fewshot != 0:
            made.set_config("num_fewshot", cell.shots)
        made.set_fewshot_seed(cell.seed)
        return replace(made.build(cell.shots, cell.limit), foreign_code=code)
    except jinja2.TemplateError as error:
        raise CatalogError(f"task {task.name}: prompt {cell.prompt}: template fails on a document: {error}") from error
    except KeyError as error:
        raise CatalogError(f"task {task.name}: prompt {cell.prompt}: a document has no field {error}") from error


def task_config(cell: Cell, task: TaskSpec, *, allow_code: bool = False) -> dict[str, Any]:
    """The lm-eval config of a cell: the task's, changed by the prompt variant, with our sampler and metrics."""
    if cell.prompt not in task.prompts:
        raise PlanError(f"task {task.name}: " + unknown("prompt", cell.prompt, task.prompts))
    # lm-eval changes what it is given
    config = copy.deepcopy({**task.config, **task.prompts[cell.prompt]})
    config = {key: value for key, value in config.items() if key not in OWN_KEYS}
    known = {field.name for field in fields(TaskConfig)}
    for key in config:
        if key not in known:
            raise CatalogError(f"task {task.name}: " + unknown("config key", key, known))
    where = f"task {task.name}: prompt {cell.prompt}: {{}}".format
    check_sections(config, where, allow_code=allow_code)
    check_numbers(config, where)
    if config.get("use_prompt") is not None:
        # lm-eval renders such prompts outside its sandbox, and takes them from any file
        raise CatalogError(f"task {task.name}: use_prompt is {quoted(config['use_prompt'])}; expected doc_to_text")
    config.setdefault("task", task.name)
    shots = PoolShots if task.demonstrations == "pool" else DocumentShots
    config["fewshot_config"] = {**(config.get("fewshot_config") or {}), "sampler": shots}
    config["metric_list"] = _metric_list(cell, config)
    return config


class ScriptMetric:
    """A metric that a script of the `evaluate` library computes; lm-eval calls it as it calls any function."""

    def __init__(self, name: str, script: Path) -> None:
        self.__name__ = name
        self._script = script
        self._loaded: Any = None

    def __call__(self, **kwargs: Any) -> Any:
        """The script's scores by name, of `references` and `predictions`."""
        if self._loaded is None:
            import evaluate

            self._loaded = evaluate.load(str(self._script), keep_in_memory=True)
        return self._loaded.compute(**kwargs)

    def __deepcopy__(self, memo: Any) -> ScriptMetric:
        return self  # lm-eval copies configs; one script is enough


def _use_scripts(config: dict[str, Any]) -> None:
    """Put the scripts and the function that were allowed where lm-eval and transformers take them."""
    options = config.get("generation_kwargs") or {}
    options.pop("trust_remote_code", None)
    if options.get("custom_generate"):
        options["trust_remote_code"] = True  # transformers asks for it even where the folder is local
    for entry in config["metric_list"]:
        if script := entry.pop("hf_evaluate", None):  # a text here: it has been found
            entry["metric"] = ScriptMetric(entry["metric"], Path(script))
            entry.setdefault("aggregation", "mean")
            entry.setdefault("higher_is_better", True)


def _use_safe_templates() -> None:
    """Give lm-eval a sandboxed template environment that keeps what it compiled.

    Templates come from other people's YAML, and lm-eval's plain environment lets one reach any Python object. It also
    compiles a template for every text, most of a small model's time, and copies a chain of dicts.
    """
    usual = lm_eval.utils.env
    if isinstance(usual, SandboxedEnvironment):
        return
    safe = SandboxedEnvironment(loader=usual.loader, undefined=usual.undefined, keep_trailing_newline=True)
    safe.filters.update(usual.filters)
    compile_template = safe.from_string

    @functools.lru_cache(maxsize=256)
    def compiled(source: str) -> jinja2.Template:
        template = compile_template(source)
        template.globals = dict(template.globals)
        return template

    safe.from_string = compiled  # type: ignore[assignment,method-assign]
    lm_eval.utils.env = safe


def _metric_list(cell: Cell, config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """lm-eval's share of the metrics: what the config lists and what the cell asks for, less our own."""
    import lm_eval.api.metrics  # noqa: F401  # fills lm-eval's registry

    listed = [dict(entry) for entry in config.get("metric_list") or [] if not _is_own(entry.get("metric"))]
    names = {entry["metric"] for entry in listed}
    scripts = {entry["metric"] for entry in listed if entry.get("hf_evaluate")}
    free = callable(config.get("process_results")) or any(callable(name) for name in names)
    for name in dict.fromkeys([*names, *(metric_name(m.name) for m in cell.metrics)]):
        if _is_own(name) or callable(name) or (free and name in names) or name in scripts:
            continue
        if name not in lm_eval_metrics:
            known = {*OWN_METRICS, *lm_eval_metrics.keys()}
            # lm-eval would look for it on the network
            raise HarnessError(f"task {cell.task}: " + unknown("metric", str(name), known))
        if name not in names:
            listed.append({"metric": name})
    return listed


def _is_own(metric: Any) -> bool:
    return isinstance(metric, str) and is_own(metric)


def metric_name(name: str) -> str:
    """lm-eval's metric in `exact_match,strict-match`, which names a filter too."""
    return name.partition(",")[0]


def _check_splits(task: TaskSpec, config: Mapping[str, Any], splits: Splits) -> None:
    named = {key: config.get(key) for key in ("training_split", "validation_split", "test_split", "fewshot_split")}
    named["fewshot_config.split"] = config["fewshot_config"].get("split")
    for key, split in named.items():
        if split is None:
            continue
        if split not in splits:
            raise CatalogError(f"task {task.name}: {key}: " + unknown("split", split, splits))
        if len(splits[split]) == 0:
            raise CatalogError(f"task {task.name}: {key}: split {quoted(split)} has no documents")
    if config.get("test_split") is None and config.get("validation_split") is None:
        raise CatalogError(f"task {task.name}: neither test_split nor validation_split says what to evaluate")
