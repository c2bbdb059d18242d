"""The family files of the package, held against the sizes in published configs and against what makes a family."""

import re
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from harness.catalog import load_catalog
from harness.catalog.braces import expanded
from harness.specs import Family, ModelSpec
from tests.builders.architectures import counted, sizes_of

PUBLISHED = yaml.safe_load((Path(__file__).parent / "published.yaml").read_text(encoding="utf-8"))
UNEQUAL = {"gemma3": "270M was trained later and longer", "olmo2": "7B ended at 3.9T tokens, 1B at 4T"}
"""Families of which larger models have not always seen as many tokens as smaller ones, and why."""


@cache
def families() -> dict[str, Family]:
    catalog = load_catalog()
    return {name: catalog.families[name] for name in sorted(catalog.families) if not name.startswith("embedded")}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_parameters_follow_from_the_published_sizes(name: str) -> None:
    sizes = dict(sizes_of(PUBLISHED[name]))
    for model in families()[name].models:
        found = counted(**sizes[re.sub(r"(?<=\dm|\db)(-deduped|-seed\d)$", "", model.name)])
        stated = (model.params, model.params_non_embedding, model.params_active or model.params)
        assert stated == found, model.name


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("bloom-560m", 559_214_592),  # its model card
        ("delphi-3e18-447Mparams-1.2Btokens", 447_200_000),  # github.com/marin-community/marin/issues/6279
        ("Gemstone-384x13", 66_758_784),  # github.com/mcleish7/gemstone-scaling-laws, chinchilla_reduced_sampling.py
        ("Gemstone-2048x27", 1_904_850_944),
        ("Llama-3.2-1B", 1_230_000_000),  # model card: 1.23B
        ("Llama-3.2-3B", 3_210_000_000),
        ("Qwen2.5-3B", 3_090_000_000),  # model card: 3.09B, 2.77B of them outside the embeddings
        ("gemma-3-12b-pt", 1_012_000_000 + 10_759_000_000),  # Gemma 3 report, table 1
        ("mamba-130m-hf", 129_135_360),
        ("t5-11b", 11_300_000_000),
    ],
)
def test_the_sum_is_the_one_that_others_published(name: str, params: int) -> None:
    (found,) = [m.params for f in families().values() for m in f.models if m.name.endswith(f"/{name}")]
    assert found == pytest.approx(params, rel=6e-3)


def test_every_family_is_checked() -> None:
    assert {*families()} == {*PUBLISHED}
    for name, family in families().items():
        listed = {re.sub(r"(-deduped|-seed\d)$", "", m.name) for m in family.models}
        known = {re.sub(r"(-seed\d+)$", "", model) for model, _ in sizes_of(PUBLISHED[name])}
        assert {re.sub(r"-seed\d+$", "", one) for one in listed} <= known


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_every_figure_has_its_source(name: str) -> None:
    family = families()[name]
    assert all((family.url, family.licence, family.note, family.sources["params"]))
    assert ("tokens" in family.sources) == any(m.tokens for m in family.models)
    assert ("revisions" in family.sources) == bool(family.revisions)
    assert PUBLISHED[name]["source"]


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_larger_models_are_larger_by_every_count(name: str) -> None:
    family = families()[name]
    assert list(family.models) == sorted(family.models, key=lambda m: m.params)
    for smaller, larger in pairwise(family.models):
        if name != "gemstones":  # of other shapes
            assert (smaller.params_non_embedding or 0) <= (larger.params_non_embedding or 0)
        if smaller.tokens and larger.tokens and name not in UNEQUAL:
            assert smaller.tokens <= larger.tokens
    for model in family.models:
        assert 0 < (model.params_non_embedding or 0) < model.params
        assert (model.params_active or 1) < model.params


def test_runs_of_a_size_are_told_apart() -> None:
    by_size: dict[tuple[str, int], list[ModelSpec]] = {}
    for name, family in families().items():
        for model in family.models:
            by_size.setdefault((name, model.params), []).append(model)
    several = {size: models for size, models in by_size.items() if len(models) > 1}
    assert {name for name, _ in several} == {"polypythias", "delphi"}
    assert all(len({m.run for m in models}) == len(models) for models in several.values())
    assert [m.run for m in families()["polypythias"].models[:9]] == [str(seed) for seed in range(1, 10)]


@pytest.mark.parametrize(
    ("name", "number", "revision", "tokens"),
    [
        ("pythia", 154, "step143000", 299_892_736_000),
        ("pythia-deduped", 154, "step512", 1_073_741_824),
        ("polypythias", 154, "step0", 0),
        ("gemstones", 175, "step_00002385", 10_003_415_040),
    ],
)
def test_checkpoints_have_the_tokens_of_their_step(name: str, number: int, revision: str, tokens: int) -> None:
    family = families()[name]
    assert (len(family.revisions), family.revisions[revision]) == (number, tokens)
    last = family.revisions[next(reversed(family.revisions))]
    assert {m.tokens for m in family.models} == {last}


def test_tokens_of_delphi_are_those_in_its_names() -> None:
    for model in families()["delphi"].models:
        budget, named = re.findall(r"delphi-(\d)e(\d+)-", model.name)[0], re.findall(r"-([\d.]+)Btokens", model.name)[0]
        assert model.tokens == pytest.approx(1e9 * float(named), rel=0.03)
        assert model.flops == pytest.approx(float(f"{budget[0]}e{budget[1]}"), rel=0.45)


@pytest.mark.parametrize("text", ["a{", "a}", "{}", "{1,,2}", "{1..2}{3..4}", "{2..1}", "{1,1}", "{1..99999999}"])
def test_braces_that_are_no_list_and_no_range_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a list such as|at most 10,000 names"):
        expanded(text)


def test_a_name_without_braces_stands_for_itself() -> None:
    assert expanded("step1000") == ()
