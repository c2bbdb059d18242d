"""Models, families, metrics, tasks and suites: everything that can be asked for. Frozen dataclasses without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Dtype = Literal["float32", "bfloat16", "float16"]
FamilyKind = Literal["decoder", "encoder", "seq2seq"]
"""How models of a family read and write: on from a text, a text from both sides, or a text into another one."""
Kind = Literal[
    "classification",
    "ner",
    "qa",
    "codegen",
    "relation-extraction",
    "translation",
    "summarisation",
    "dialogue",
    "commonsense",
    "arithmetic",
    "prompting",
    "language-modelling",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSpec:
    """One model of a family, described by its name and size; engines load it."""

    name: str
    """Hub id (`org/model`) or, for a local model, the name shown to people."""
    family: str
    """Name of the family the model belongs to."""
    params: int
    """Total parameters, tied weights counted once."""
    params_non_embedding: int | None = None
    """Parameters without token and position embeddings; None when not known."""
    params_active: int | None = None
    """Parameters used per token (mixture of experts); None when all are."""
    tokens: int | None = None
    """Training tokens seen by this checkpoint; None when not known."""
    loss: float | None = None
    """Language-modelling loss on text that is the same for the whole family, nats or bits; None when not known."""
    path: str | None = None
    """Absolute local folder that holds the model; None when it is fetched by name from the hub or its cache."""
    revision: str = "main"
    """Resolved revision: commit of the hub, or the fingerprint of a local folder."""
    dtype: Dtype = "float32"
    """Number format the weights are loaded in."""
    variant: str | None = None
    """Named treatment such as `int8` or `lora256`; None for the plain model."""
    treatment: str | None = None
    """Method and settings of the treatment that the engine makes of the loaded weights, as JSON; None where the weights
    are taken as they lie there. `variant` stands for it in keys."""
    tuned: bool = False
    """True when this treatment trains on documents of the task that is asked: the model is another one for each task,
    and for each seed of a cell."""
    run: str | int | None = None
    """Which training run of its size it is, such as the seed of the training; None when not said. It has nothing to do
    with the few-shot seed of a cell."""
    gpus: float | None = None
    """GPUs one worker of this model asks for; a fraction shares a GPU, 0 runs on the CPU. None: what its size needs of
    the GPUs that are there, and the CPU where there are none."""

    @property
    def flops(self) -> float | None:
        """Training compute 6·N·D in FLOPs (Kaplan et al. 2020, §2.1); None when the tokens are not known."""
        if self.tokens is None:
            return None
        return 6.0 * (self.params_active or self.params) * self.tokens

    @property
    def source(self) -> str:
        """What the model is loaded from: the local folder, or the hub id."""
        return self.path or self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """Models of increasing size that were trained with the same data and the same recipe."""

    name: str
    """Short name used on the command line."""
    models: tuple[ModelSpec, ...]
    """Ascending by parameters."""
    kind: FamilyKind = "decoder"
    """What its models do with a text: it decides the engine that asks them as long as their configs are elsewhere."""
    revisions: Mapping[str, int | None] = field(default_factory=dict)
    """Checkpoints that the hub has of every model, by revision -> training tokens; None when these are not known."""
    url: str | None = None
    """Where the family is described."""
    licence: str | None = None
    """SPDX identifier of the weights' licence, or the hub's name for it; None when not known."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Key of the family file -> where its figures were published."""
    note: str | None = None
    """What a reader of a curve should know about the family."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MetricSpec:
    """How the values of one metric of a task are to be read."""

    name: str
    """Name of the metric as computed: `acc`, `exact_match`, `prob_correct`, ..."""
    higher_is_better: bool = True
    """False for losses such as `brier`."""
    chance: float | None = 0.0
    """Expected score without the ability; None when there is no such level (log-likelihoods)."""
    best: float | None = 1.0
    """Score of a perfect answer; None when there is none."""
    continuous: bool = False
    """True for the smooth partner of a sharp metric."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskSpec:
    """One task: an lm-eval task config, and what such a config has no key for."""

    name: str
    """Unique name on the command line."""
    kind: Kind
    """Kind of ability that the task measures."""
    suite: str
    """Name of the suite that the task belongs to."""
    metrics: tuple[MetricSpec, ...]
    """The first is the headline metric; at least one is continuous, and computed from the same samples."""
    config: Mapping[str, Any]
    """lm-eval task config; data files as absolute paths."""
    prompts: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"default": {}})
    """Prompt variants: name -> the config keys it replaces. `default` is always there."""
    demonstrations: Literal["pool", "document"] = "pool"
    """Where shots come from: one pool for the whole task, or a list each document brings along in `examples`."""
    data_files: tuple[Path, ...] = ()
    """Local data files, absolute; empty when the data come from the hub."""
    data_folder: Path | None = None
    """Local folder with the data set of the hub that the config names, absolute; None when it is fetched by name."""
    code_files: tuple[Path, ...] = ()
    """Python files beside the task that run when it is evaluated, absolute; empty for nearly every task."""
    n_docs: int | None = None
    """Documents in the evaluated split; None when only the hub knows."""
    published_docs: int | None = None
    """Documents in the evaluated split as the page of the data set says; for estimates, where `n_docs` is None."""
    shots_available: int | None = None
    """Most shots the task can give; None when only the hub knows."""
    mean_doc_chars: float | None = None
    """Mean length of a document's record in characters, for estimates; None when not known."""
    unsafe_code: bool = False
    """True when scoring executes what the model wrote."""
    version: str = "1"
    """Version that the task's author gives; the digest also changes where the author forgot to count up."""
    digest: str = ""
    """12 hex of SHA-256 over config, prompts, metrics and the bytes of the files of data and code."""
    description: str = ""
    """One sentence on what the task asks."""
    file: str | None = None
    """File that defines the task, for messages; None for a task that a caller in Python made."""
    trusted: bool = False
    """True for a task of the package or of lm-eval's, whose templates need no limits on time and memory."""
    dialect: Literal["own", "lm-eval", "wrapped"] = "own"
    """`lm-eval` for a file of lm-eval as it is, `wrapped` for one of ours that changes such a task: their documents are
    what lm-eval sees, their functions may be `TaskFunction`."""
    default_shots: int | None = None
    """Examples that the task itself asks for, where the user names no number; None for none said."""
    training: Literal["split", "generated"] | None = None
    """Where documents to train on come from: a split that the config names, or the generator of the embedded world;
    None for nowhere."""
    chance_of_documents: tuple[str, ...] = ()
    """Metrics whose chance level is the share of right options in the documents that are asked; their `chance` is that
    of the file, where it tells one, until a worker has read them."""

    @property
    def expected_docs(self) -> int | None:
        """Documents in the evaluated split: counted, or else as the page of the data set says; None when not known."""
        return self.published_docs if self.n_docs is None else self.n_docs

    @property
    def headline(self) -> MetricSpec:
        """The metric a leaderboard shows."""
        return self.metrics[0]

    @property
    def generates(self) -> bool:
        """True when the model writes text, False when options are scored."""
        return self.config.get("output_type") == "generate_until"

    def shots(self, asked: tuple[int, ...]) -> tuple[int, ...]:
        """The shot counts that are asked for, or the task's own where none is."""
        return asked or (self.default_shots or 0,)

    def draws(self, prompt: str, options: Mapping[str, Any] | None = None) -> bool:
        """True when answers are drawn by chance, so that each seed gives others; False for greedy decoding.

        Args:
            prompt: name of the prompt variant.
            options: what the user asks for beyond its `generation_kwargs`; None for nothing.
        """
        config = {**self.config, **self.prompts[prompt]}
        asked = {**(config.get("generation_kwargs") or {}), **(options or {})}
        # lm-eval's rule: a temperature alone means sampling
        sampled = asked.get("do_sample", float(asked.get("temperature") or 0.0) > 0.0)
        return config.get("output_type") == "generate_until" and bool(sampled)

    def shuffles(self, prompt: str) -> bool:
        """True when each seed takes other demonstrations, False when they are taken as they stand."""
        shown = {**self.config, **self.prompts[prompt]}.get("fewshot_config") or {}
        return shown.get("sampler") != "first_n"


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """Tasks that are run together, with the shots, prompts and seeds they are run with."""

    name: str
    """Short name used on the command line."""
    tasks: tuple[str, ...]
    """Names of tasks, of this folder or of others."""
    shots: tuple[int, ...] = ()
    """Shot counts to sweep; empty for those that each task asks for itself, which is 0 where it says nothing."""
    prompts: tuple[str, ...] = ("default",)
    """Prompt variants to sweep."""
    treatments: tuple[str, ...] = ()
    """What is done to the weights of every model, `none` for nothing; empty for models as they are."""
    seeds: int = 1
    """Number of few-shot seeds: 0, 1, ... seeds-1."""
    limit: int | None = None
    """Number of documents of each task that are asked, from the first on; None for all."""
    in_all: bool = True
    """False for a suite that `--suite all` leaves out, so that it has to be named."""
    unsafe_code: bool = False
    """True when a task of the suite executes what the model wrote; the suite's file has to say so."""
    description: str = ""
    """One sentence on what the suite is for."""
