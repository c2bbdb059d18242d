from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.engines import provenance


@pytest.fixture(autouse=True)
def _ask_git_again() -> Iterator[None]:
    """The answer is kept for the life of a process; here every test stands in another folder."""
    provenance.git_state.cache_clear()
    yield
    provenance.git_state.cache_clear()


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_outside_a_repository_there_is_no_commit_and_no_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state() == (None, None)
    assert capfd.readouterr() == ("", "")


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state() == (None, None)


def test_a_repository_is_dirty_once_a_tracked_file_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "task.yaml"
    file.write_text("a", encoding="utf-8")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    (tmp_path / "untracked").touch()
    commit = git("rev-parse", "HEAD")
    assert provenance.git_state() == (commit, False)
    file.write_text("b", encoding="utf-8")
    assert provenance.git_state() == (commit, False)
    provenance.git_state.cache_clear()
    assert provenance.git_state() == (commit, True)


def test_a_stopwatch_says_when_it_started_and_how_long_it_ran() -> None:
    before = datetime.now(UTC)
    made = provenance.Stopwatch().provenance(
        device="cuda:0",
        batch_size=4,
        token_budget=512,
        deterministic=True,
        fallback="sliding window",
        packages=("pytest", "no-such-package"),
    )
    assert before <= made.started_at <= datetime.now(UTC)
    assert 0 <= made.seconds < 60
    assert made.versions == {"harness": provenance.versions(())["harness"], "pytest": pytest.__version__}
    assert (made.device, made.batch_size, made.token_budget) == ("cuda:0", 4, 512)
    assert (made.deterministic, made.fallback) == (True, "sliding window")
