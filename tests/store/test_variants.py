"""Trained variants in a results folder: whole or not there, and made by one worker at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from harness.store import Variants, variants_folder
from harness.store.variants import variant_name
from tests.builders.cells import model

NAME = "toy@main+finetune/colours-0123456789abcdef"


def made(variants: Variants, text: str = "weights") -> None:
    with variants.making(NAME) as making:
        assert making is not None
        (making.folder / "weights").write_text(text)
        making.card["steps"] = 3


def interrupted(variants: Variants) -> None:
    with variants.making(NAME) as making:
        assert making is not None
        (making.folder / "checkpoint").write_text("half way")
        raise KeyboardInterrupt


def test_a_variant_is_there_once_it_is_whole(tmp_path: Path) -> None:
    variants = Variants(tmp_path)
    assert variants.card(NAME) is None
    made(variants)
    assert variants.card(NAME) == {"steps": 3}
    assert (variants.folder(NAME) / "weights").read_text() == "weights"
    assert variants.names() == [NAME]
    with variants.making(NAME) as making:
        assert making is None


def test_what_an_interrupted_making_left_is_there_for_the_next(tmp_path: Path) -> None:
    variants = Variants(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        interrupted(variants)
    assert variants.card(NAME) is None
    assert variants.names() == []
    with variants.making(NAME) as making:
        assert making is not None
        assert (making.folder / "checkpoint").read_text() == "half way"


def test_a_folder_without_a_card_is_made_anew(tmp_path: Path) -> None:
    """As when results were copied and the copy broke off."""
    (tmp_path / NAME).mkdir(parents=True)
    (tmp_path / NAME / "weights").write_text("half")
    made(Variants(tmp_path))
    assert (tmp_path / NAME / "weights").read_text() == "weights"


def test_two_who_want_the_same_variant_make_it_once(tmp_path: Path) -> None:
    turns: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with Variants(tmp_path).making(NAME) as making:
            assert making is not None
            begun.set()
            assert go_on.wait(10)
            turns.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    assert begun.wait(10)
    with Variants(tmp_path).making(NAME, waiting=go_on.set) as making:
        assert making is None
        turns.append("second")
    thread.join()
    assert turns == ["first", "second"]


def test_variants_of_results_in_an_object_store_lie_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert variants_folder(tmp_path / "results") == tmp_path / "results" / ".variants"
    there = variants_folder(Path("s3:/bucket/run"))
    assert there.parent == tmp_path / "cache" / "emergence"
    assert there != variants_folder(Path("s3:/bucket/other"))


def test_names_of_variants_are_paths_of_two_parts() -> None:
    spec = model(name="org/a b", variant="mine@64@abcdef", revision="0123456789abcdef")
    assert variant_name(spec, "../x", "k" * 16) == f"org--a_b@0123456789ab+mine_64_abcdef/_x-{'k' * 16}"
