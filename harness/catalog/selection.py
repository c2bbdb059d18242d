"""The choice that a user makes from the catalogue, by names of suites, tasks, families and models -> a plan."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.catalog.asking import Known, check_answerable, engines_of
from harness.catalog.lm_eval_tasks.derived import taken_for_granted
from harness.catalog.model_words import is_folder, models_named
from harness.catalog.models.checkpoints import model_folders
from harness.catalog.models.folders import ModelFolder, complete_folder, model_of_folder
from harness.catalog.models.revisions import resolved
from harness.catalog.packaged import packaged_file
from harness.catalog.served import SERVER, served_models
from harness.catalog.tasks.keys import check_sections
from harness.catalog.tasks.numbers import check_numbers
from harness.errors import ModelError, PlanError, unknown
from harness.plan import ALL, AUTO_ENGINE, RunPlan, Sweep, expand
from harness.plan.formats import has_twin
from harness.specs import Dtype, ModelSpec, Suite, TaskSpec
from harness.treatments import check_engine, check_trainable, treated
from harness.wording import cut

if TYPE_CHECKING:
    from harness.catalog.catalogue import Catalog

log = logging.getLogger(__name__)

DEFAULT_FAMILY = "embedded"
"""Family that is taken when neither a family nor a folder with a model is named."""


def select(
    catalog: Catalog,
    *,
    suites: Sequence[str] = (),
    tasks: Sequence[str] = (),
    families: Sequence[str] = (),
    models: Sequence[str | Path] = (),
    shots: Sequence[int] | None = None,
    prompts: Sequence[str] | None = None,
    seeds: int | None = None,
    limit: int | float | None = None,
    docs: str | None = None,
    chat: bool = False,
    system: str | None = None,
    formats: Sequence[str] | None = None,
    generation: Mapping[str, Any] | None = None,
    engine: str = AUTO_ENGINE,
    params: int | None = None,
    dtype: Dtype | None = None,
    treatments: Sequence[str] = (),
    as_asked: bool = False,
    counted: Callable[[TaskSpec], int] | None = None,
) -> RunPlan:
    """A plan of every chosen model on every chosen task.

    The folder of each local model is looked at here, once. The plan is about the weights that are in it now; after they
    have been changed, make a new plan.

    Args:
        catalog: everything that can be chosen, from `load_catalog`.
        suites: names of suites; `all` chooses every one that does not ask to be named.
        tasks: names of tasks; alone, or as a choice from the suites.
        families: names of families; the embedded one when neither a family nor a folder is named.
        models: names of models of these families, in full or the part behind the last slash, and of their checkpoints,
            such as `pythia-70m@step1000` or `pythia-70m@step*`; without families also models of the hub,
            `organisation/name` or `organisation/name@revision`; or folders with a model, a trainer's folder with
            checkpoints, or a pattern such as `run/checkpoint-*`.
        shots: numbers of demonstrations; None takes those of each suite.
        prompts: prompt variants, or `all`; None takes those of each suite.
        seeds: number of few-shot seeds; None takes that of each suite.
        chat: ask in turns, by each model's own chat template.
        system: system instruction before every prompt; None for none.
        generation: options of writing texts, such as `{"max_gen_toks": 64}`, beyond those of each task; None for none.
        formats: formats in which options are asked, `mc` and `cloze`; None takes the one that each task is written in.
        limit: number of documents of each task, from the first on, or a share of them below 1; None takes that of each
            suite.
        docs: numbers of the documents that are asked of each task, such as `17,19-25`; None for all of them.
        engine: name of the engine that answers, or `auto` for the one that fits each model; models of a server have the
            names that the server gives them.
        params: parameters of models on a server that no family file describes.
        dtype: number format that every model is loaded in; None takes that of its family.
        treatments: names of what is done to the weights of every model, `none` for nothing; each makes a variant of it.
            Without any those of the suites.
        as_asked: leave models of the hub at the branch, tag or commit that was asked for; such a plan is not for a run.
        counted: counts the documents of a task whose number is not known, for a limit that is a share; None refuses
            such a limit.

    Raises:
        HarnessError: a name is not known, a number makes no sense, a model cannot be read.

    >>> from harness.catalog import load_catalog
    >>> plan = select(load_catalog(), tasks=["add_3"], models=["ladder-12k", "ladder-870k"], shots=[0, 2])
    >>> len(plan.cells)
    4
    """
    catalog, chosen = _suites(catalog, suites, tasks)
    catalog.check_templates(task for suite in chosen for task in suite.tasks)
    words = [str(model) for model in models]
    if engine == SERVER:
        folders: list[ModelFolder] = []
        specs = served_models(catalog, families, words, params)
    elif params is not None:
        raise PlanError(f"--params {params}: only for --engine {SERVER}; others count the weights of a model")
    else:
        folders, specs = _models(catalog, families, words, as_asked)
    if dtype is not None:
        specs = tuple(dict.fromkeys(replace(spec, dtype=dtype) for spec in specs))
    if asked := tuple(treatments) or _treatments_of(chosen):
        teachers = _Teachers(catalog, as_asked)
        specs = treated(specs, asked, catalog.treatments, teachers)
        teachers.check()
        folders += teachers.folders
    kinds = {name: family.kind for name, family in catalog.families.items()}
    known = Known(kinds, {str(folder.path): folder.config for folder in folders})
    engines = engines_of(specs, engine, known)
    check_engine(specs, set(engines.values()))
    sweep = Sweep(
        shots=None if shots is None else tuple(shots),
        prompts=None if prompts is None else tuple(prompts),
        seeds=seeds,
        limit=limit,
        docs=docs,
        chat=chat,
        system=system or None,
        formats=None if formats is None else tuple(formats),
        generation=generation,
        counted=None if counted is None else lambda task: counted(_here(catalog, task)),
    )
    _check_chat(folders, specs, chat)
    if generation:
        check_sections({"generation_kwargs": generation}, lambda _: "--gen-kwargs")
        check_numbers({"generation_kwargs": generation}, lambda _: "--gen-kwargs")
    plan = expand(chosen, catalog.tasks, specs, sweep=sweep, engines=engines)
    check_answerable(plan, known)
    check_trainable(specs, plan.tasks.values())
    plan = replace(plan, tasks={name: _here(catalog, task) for name, task in plan.tasks.items()})
    for said in taken_for_granted(plan.tasks.values()):
        log.warning("%s", said)
    _check_documents(catalog, plan)
    if formats and (without := [name for name, task in plan.tasks.items() if not has_twin(task)]):
        log.warning("no options to ask in another format, and asked as they are: %s", cut(", ".join(without)))
    return replace(plan, pickles=tuple(path for folder in folders for path in folder.pickles))


def _here(catalog: Catalog, task: TaskSpec) -> TaskSpec:
    """The task with the folder that its data set has in the mirror, if there is one."""
    return task if catalog.mirror is None else catalog.mirror.task(task)


def _check_documents(catalog: Catalog, plan: RunPlan) -> None:
    """Look at the documents that will be asked, and say what may not be meant as it is.

    Raises:
        CatalogError: a run would fail on one.
    """
    for name, task in plan.tasks.items():
        packaged_file(task.config, name)
        cells = [cell for cell in plan.cells if cell.task == name]
        asked = [cell.positions(task.n_docs) for cell in cells] if task.n_docs is not None else []
        most = max(asked, key=len, default=None)
        for warning in catalog.check_documents([name], asked=most, shots=max(cell.shots for cell in cells)):
            log.warning("%s", warning)


def _check_chat(folders: Sequence[ModelFolder], models: Iterable[ModelSpec], chat: bool) -> None:
    """Check that local models can be asked in turns, or say that they could be.

    Raises:
        ModelError: one was to be asked in turns and has no chat template.
    """
    names = {model.path: model.name for model in models}
    able = {folder.path: names[str(folder.path)] for folder in folders if folder.has_chat_template}
    if chat and (without := [folder.path for folder in folders if folder.path not in able]):
        raise ModelError(f"{without[0]}: its tokenizer has no chat template; leave --apply-chat-template out")
    if able and not chat:
        named = ", ".join(able.values())
        log.warning("asked in plain text in spite of a chat template: %s; see --apply-chat-template", named)


class _Teachers:
    """Finds the models that others are to learn from: those of the student's own family."""

    def __init__(self, catalog: Catalog, as_asked: bool) -> None:
        self._catalog, self._as_asked = catalog, as_asked
        self._found: dict[tuple[str, str], ModelSpec | None] = {}
        self.folders: list[ModelFolder] = []
        """Folders of those that are local."""

    def __call__(self, student: ModelSpec, name: str) -> ModelSpec | None:
        """The model of this name in the family of a student, as it is now; None where there is none."""
        family = self._catalog.families.get(student.family)
        named = [m.name for m in family.models if name in (m.name, m.name.rpartition("/")[2])] if family else []
        place = student.family, name
        if place not in self._found:
            self._found[place] = self._read(student.family, named[0]) if named else None
        return self._found[place]

    def _read(self, family: str, name: str) -> ModelSpec:
        folders, (teacher,) = _models(self._catalog, (family,), (name,), self._as_asked)
        self.folders += folders
        return teacher

    def check(self) -> None:
        """Check that each teacher belongs to the family of at least one model; the cells of others fail.

        Raises:
            PlanError: one belongs to none.
        """
        for name in dict.fromkeys(name for _, name in self._found):
            families = [family for family, of in self._found if of == name]
            if all(self._found[family, name] is None for family in families):
                known = [
                    m.name for f in families if f in self._catalog.families for m in self._catalog.family(f).models
                ]
                raise PlanError(f"--treatment 'distill:{name}': {unknown('model', name, known)}")


def _treatments_of(suites: Sequence[Suite]) -> tuple[str, ...]:
    """The treatments that all the suites ask for.

    Raises:
        PlanError: they ask for different ones.
    """
    asked = {suite.treatments: suite.name for suite in suites}
    if len(asked) > 1:
        said = "; ".join(f"{name}: {','.join(treatments) or 'none'}" for treatments, name in asked.items())
        raise PlanError(f"suites ask for different treatments ({said}): run them one by one, or give --treatment")
    return next(iter(asked), ())


def _suites(catalog: Catalog, names: Sequence[str], tasks: Sequence[str]) -> tuple[Catalog, list[Suite]]:
    """The catalogue with the chosen tasks of lm-eval, and the suites with the tasks that their names stand for."""
    if not names and not tasks:
        raise PlanError(f"nothing to run: give --suite or --task; suites: all, {', '.join(sorted(catalog.suites))}")
    known = [catalog.suite(name) for name in names if name != ALL]
    wanted = [suite for suite in catalog.suites.values() if suite.in_all or suite in known] if ALL in names else known
    of_suites = [task for suite in wanted for task in suite.tasks]
    catalog, stands_for = catalog.with_others([*of_suites, *tasks])
    wanted = [replace(suite, tasks=_all_of(suite.tasks, stands_for)) for suite in wanted]
    asked = _all_of(tasks, stands_for)
    if not tasks:
        return catalog, wanted
    if not names:
        return catalog, [Suite(name="chosen", tasks=asked)]
    kept = [replace(suite, tasks=tuple(task for task in suite.tasks if task in asked)) for suite in wanted]
    if missing := {*asked} - {task for suite in kept for task in suite.tasks}:
        raise PlanError(f"--task {','.join(sorted(missing))}: not in suite {', '.join(s.name for s in wanted)}")
    return catalog, [suite for suite in kept if suite.tasks]


def _all_of(names: Sequence[str], stands_for: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(task for name in names for task in stands_for[name]))


def _models(
    catalog: Catalog, families: Sequence[str], words: Sequence[str], as_asked: bool
) -> tuple[list[ModelFolder], tuple[ModelSpec, ...]]:
    """The folders of the local models, and all chosen models with their present revisions."""
    places = [word for word in words if is_folder(word, catalog)]
    names = [word for word in words if word not in places]
    own_folders = [ModelFolder.read(path) for place in places for path in model_folders(place)]
    own = [model_of_folder(folder) for folder in own_folders]
    _check_names(own)
    members: list[ModelSpec] = []
    if families or names or not places:
        members = [m for family in families or (DEFAULT_FAMILY,) for m in catalog.family(family).models]
        if names:
            members = [
                m
                for name in names
                for m in models_named(name, members, catalog, anywhere=not families, as_asked=as_asked)
            ]
    pins: dict[str, str] = {}
    if catalog.mirror is not None:
        found_here = [m if m.path else catalog.mirror.model(m) for m in members]
        pins = {str(here.path): here.revision for here, m in zip(found_here, members, strict=True) if not m.path}
        members = found_here
    folders = {path: complete_folder(Path(path)) for path in dict.fromkeys(m.path for m in members) if path}
    for model in {(m.path, m.params): m for m in members}.values():
        if model.path and (doubt := folders[model.path].doubt(model)):
            log.warning("%s", doubt)
    found = {path: pins.get(path) or folder.fingerprint() for path, folder in folders.items()}
    members = [replace(m, revision=found[m.path]) if m.path else m if as_asked else resolved(m) for m in members]
    return [*own_folders, *folders.values()], tuple(dict.fromkeys((*own, *members)))


def _check_names(models: Iterable[ModelSpec]) -> None:
    """Check that no two folders have the same name, since the models in them are called by it."""
    paths: dict[str, str | None] = {}
    for model in models:
        if paths.setdefault(model.name, model.path) != model.path:
            raise PlanError(
                f"--model {paths[model.name]} and {model.path}: both would be called {model.name}; "
                "give each a name of its own in a family file, and the file with --include-path"
            )
