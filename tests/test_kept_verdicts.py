"""Verdicts that were judged once are found again, are never those of other results, and no file can make them wrong."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest

from harness import kept_files, kept_verdicts
from harness.analysis.verdict import judge, study
from harness.kept_verdicts import kept_study
from harness.reading import document_reader
from harness.store import JUDGED, Store
from tests.builders import grown, result, task
from tests.builders.curves import RISE


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Three tasks, with a metric of both kinds."""
    store = Store(tmp_path_factory.mktemp("kept") / "results")
    for name, right in (("colours", RISE), ("shapes", [50] * 8), ("letters", [50] * 6 + [150] * 2)):
        for one in grown(right, of=task(name)):
            store.write(replace(one, samples=()))
    kept_study(store, store.outcomes())
    return store


@pytest.fixture
def store(made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A copy of the store that was judged once, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shutil.copytree(made.root, tmp_path / "results")
    return Store(tmp_path / "results")


@pytest.fixture
def judgings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many curves were judged, each time that it was done."""
    seen: list[int] = []

    def counted(drawn, **more):  # type: ignore[no-untyped-def]
        seen.append(len(drawn))
        return judge(drawn, **more)

    monkeypatch.setattr(kept_verdicts, "judge", counted)
    return seen


def file_of(store: Store) -> Path:
    """The one file of verdicts beside the results."""
    [path] = (store.root / JUDGED).glob("*.json")
    return path


def test_results_are_judged_once(store: Store, judgings: list[int]) -> None:
    again = kept_study(store, store.outcomes())
    assert judgings == []
    assert again == study(*store.outcomes())


def test_another_axis_is_judged_by_itself(store: Store, judgings: list[int]) -> None:
    assert kept_study(store, store.outcomes(), scale="flops") == study(*store.outcomes(), scale="flops")
    kept_study(store, store.outcomes(), scale="flops")
    assert len(judgings) == 1


def _write_cell(store: Store) -> None:
    store.write(replace(grown([90], of=task("colours"))[0], samples=()))


def _lose_cell(store: Store) -> None:
    shutil.rmtree(store.path(store.results()[0].cell))


@pytest.mark.parametrize("change", [_write_cell, _lose_cell])
def test_results_that_changed_are_judged_anew(
    store: Store, judgings: list[int], change: Callable[[Store], None]
) -> None:
    change(store)
    assert kept_study(store, store.outcomes()) == study(*store.outcomes())
    assert len(judgings) == 1


def test_other_options_and_other_code_are_judged_anew(
    store: Store, judgings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = store.outcomes()
    drawn = study(*outcomes).curves
    kept_verdicts.judged_once(store, outcomes, drawn, run_sd=0.05)
    kept_verdicts.judged_once(store, outcomes, drawn, run_sd=0.05)
    assert len(judgings) == 1
    monkeypatch.setattr(kept_files, "code_digest", lambda: "another version")
    kept_study(store, outcomes)
    assert len(judgings) == 2


def _changes(one: object) -> Iterator[object]:
    """The same thing with one of its values changed, at any depth, for each of its values."""
    if is_dataclass(one) and not isinstance(one, type):
        for field in fields(one):
            for value in _changes(getattr(one, field.name)) if field.compare else ():
                yield replace(one, **{field.name: value})
    elif isinstance(one, tuple) and one:
        for place, value in enumerate(one):
            for other in _changes(value):
                changed = [*one[:place], other, *one[place + 1 :]]
                yield type(one)(*changed) if hasattr(one, "_fields") else tuple(changed)
        if not hasattr(one, "_fields"):
            yield one[:-1]
    else:
        yield {bool: not one, int: 7, float: 0.123, str: f"{one}!"}.get(type(one), "something")


def test_whatever_differs_between_two_curves_has_another_stamp(store: Store) -> None:
    drawn = study(*store.outcomes()).curves[0]
    few = replace(drawn, points=drawn.points[:2])
    others = [*_changes(few)]
    stamps = {hashlib.sha256(b"".join(kept_verdicts._parts([one]))).digest() for one in (few, few, *others)}
    assert len(others) > 60
    assert len(stamps) == 1 + len({repr(one) for one in others})


def test_documents_that_changed_are_weighed_anew(tmp_path: Path, judgings: list[int]) -> None:
    store = Store(tmp_path / "results")
    for one in grown((5, 12, 20, 25), n=32):
        store.write(result(one.cell, values=[1.0] * one.scores[0].n))
    read = document_reader(store)
    for _ in range(2):
        assert kept_study(store, store.outcomes(), items=read).by_document
    assert len(judgings) == 1
    assert kept_study(store, store.outcomes()).by_document  # nobody has to read them again
    assert len(judgings) == 1
    os.utime(store.path(store.results()[0].cell) / "samples.parquet")
    kept_study(store, store.outcomes(), items=read)
    assert len(judgings) == 2


def test_what_was_judged_without_all_documents_is_not_kept(store: Store, judgings: list[int]) -> None:
    for _ in range(2):
        kept_study(store, store.outcomes(), items=lambda cell: None)
    assert len(judgings) == 2


def _bomb(path: Path) -> None:
    path.write_bytes(pickle.dumps(_Bomb(str(path.with_name("ran")))))


class _Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.path,)


def _told(path: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    """The file with other verdicts, and all that says that it is whole."""
    head, body = path.read_text().split("\n")
    verdicts = json.loads(body)
    changed = change(verdicts)
    body = json.dumps(verdicts if changed is None else changed)
    path.write_text(json.dumps(kept_files.head(json.loads(head)["stamp"], body.encode())) + "\n" + body)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-40]),
    "one digit is another": lambda path: path.write_text(path.read_text().replace("0.0", "0.1", 1)),
    "no text": lambda path: path.write_bytes(bytes(range(256))),
    "a pickle": _bomb,
    "nested without end": lambda path: path.write_text("[" * 100_000),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "of other results": lambda path: path.write_text(path.read_text().replace(path.stem, "0" * 32)),
    "too few verdicts": lambda path: _told(path, lambda verdicts: verdicts.pop()),
    "no list": lambda path: _told(path, lambda verdicts: {"verdicts": verdicts}),
    "an unknown label": lambda path: _told(path, lambda verdicts: verdicts[0].update(label="proved")),
    "no number": lambda path: _told(path, lambda verdicts: verdicts[0].update(threshold="inf")),
    "not a number": lambda path: _told(path, lambda verdicts: verdicts[0]["evidence"].update(p_trend="nan")),
    "an unknown size": lambda path: _told(path, lambda verdicts: verdicts[0].update(reliable_model="<script>")),
    "no reasons": lambda path: _told(path, lambda verdicts: verdicts[0].update(reasons=[])),
    "an endless reason": lambda path: _told(path, lambda verdicts: verdicts[0].update(reasons=["x" * 10**6])),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_damaged_or_forged_is_made_anew(
    store: Store, judgings: list[int], damage: Callable[[Path], object]
) -> None:
    path = file_of(store)
    damage(path)
    assert kept_study(store, store.outcomes()) == study(*store.outcomes())
    assert len(judgings) == 1
    assert not (store.root / JUDGED / "ran").exists()
    kept_study(store, store.outcomes())
    assert len(judgings) == 1


def _praise(path: Path) -> None:
    """A forged verdict that could be true of some curve."""
    _told(path, lambda verdicts: verdicts[1].update(label="smooth"))


def _for_everybody(path: Path) -> None:
    _praise(path)
    path.chmod(0o666)


def _of_another_user(path: Path) -> None:
    _praise(path)
    os.chown(path, 12345, 12345)


@pytest.mark.parametrize("forge", [_for_everybody, _of_another_user])
def test_what_others_than_the_owner_of_the_results_can_have_written_is_made_anew(
    store: Store, judgings: list[int], forge: Callable[[Path], object]
) -> None:
    if forge is _of_another_user and os.getuid() != 0:
        pytest.skip("only root can give a file away")
    forge(file_of(store))
    assert kept_study(store, store.outcomes()) == study(*store.outcomes())
    kept_study(store, store.outcomes())
    assert len(judgings) == 1


def test_files_are_written_by_their_owner_alone_also_where_a_group_writes(store: Store, judgings: list[int]) -> None:
    file_of(store).unlink()
    usual = os.umask(0)
    try:
        kept_study(store, store.outcomes())
    finally:
        os.umask(usual)
    assert file_of(store).stat().st_mode & 0o777 == 0o644
    kept_study(store, store.outcomes())
    assert len(judgings) == 1


def test_a_folder_that_cannot_be_written_leaves_verdicts_in_the_users_cache(
    store: Store, judgings: list[int], tmp_path: Path
) -> None:
    shutil.rmtree(store.root / JUDGED)
    (store.root / JUDGED).write_text("no folder")
    for _ in range(2):
        kept_study(store, store.outcomes())
    assert len(judgings) == 1
    assert len([*(tmp_path / "cache" / "emergence" / "judged").glob("*.json")]) == 1


def test_no_link_out_of_the_results_is_followed(store: Store, tmp_path: Path) -> None:
    shutil.rmtree(store.root / JUDGED)
    outside = tmp_path / "outside"
    outside.mkdir()
    (store.root / JUDGED).symlink_to(outside)
    kept_study(store, store.outcomes())
    assert [*outside.iterdir()] == []


def test_only_the_newest_files_are_kept_and_others_are_left_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.root / JUDGED
    (folder / "mine.json").write_text("{}")
    for age in range(3):
        old = folder / f"{age:032x}.json"
        old.write_text("")
        os.utime(old, (age, age))
    monkeypatch.setattr(kept_files, "MOST_KEPT", 3)
    first = file_of_newest(folder)
    kept_study(store, store.outcomes(), scale="flops")
    assert {path.name for path in folder.iterdir()} >= {"mine.json", first.name}
    assert len([*folder.glob("*.json")]) == 4


def file_of_newest(folder: Path) -> Path:
    """The file that was written last."""
    return max(folder.glob("*.json"), key=lambda path: path.stat().st_mtime_ns)


def test_what_is_kept_is_no_part_of_the_results(store: Store) -> None:
    before = store.stamp()
    kept_study(store, store.outcomes(), scale="flops")
    assert store.stamp() == before
    assert store.problems() == ()
