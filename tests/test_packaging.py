"""The wheel, installed in a clean environment, is all a user needs."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from harness.ladder.family import members

ROOT = Path(__file__).parent.parent


def call(*command: str | Path, cwd: Path, timeout: float = 300) -> str:
    """Standard output of a command that must succeed, away from the repository and its environment."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=timeout,
        env=environment,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def holds_what_it_needs(wheel: Path) -> None:
    """Tasks with their data, dashboards, families and models are inside; tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for suite in (ROOT / "tasks").glob("*/suite.yaml"):
        assert f"harness/tasks/{suite.parent.name}/suite.yaml" in names
    for data in (ROOT / "tasks").glob("*/data/*"):
        assert f"harness/{data.relative_to(ROOT)}" in names
    assert "harness/dashboards/app.py" in names
    assert "harness/families/embedded.yaml" in names
    for member in members():
        assert f"harness/ladder/weights/{member.folder}/model.safetensors" in names
    assert not any(n.startswith(("tests/", "tasks/", "dashboards/")) for n in names)


@pytest.mark.packaging
def test_the_wheel_installs_and_runs_in_a_clean_environment(tmp_path: Path) -> None:
    # One test, not several: setuptools builds in the source folder, where two builds at a time would meet.
    call(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, ROOT, cwd=tmp_path, timeout=300)
    (wheel,) = tmp_path.glob("*.whl")
    holds_what_it_needs(wheel)
    call(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    constraints = ROOT / "constraints.txt"
    quick = ("--quiet", "--no-compile")  # what is imported is compiled then
    call(python, "-m", "pip", "install", *quick, "-c", constraints, wheel, cwd=tmp_path, timeout=1500)
    emergence = tmp_path / "env" / "bin" / "emergence"
    assert "embedded" in call(emergence, "list", "families", cwd=tmp_path)
    call(emergence, "check", cwd=tmp_path)
    options = (
        "--task",
        "add_2",
        "--family",
        "embedded",
        "--model",
        "ladder-12k",
        "--limit",
        "8",
        "--executor",
        "inline",
    )
    call(emergence, "run", *options, cwd=tmp_path, timeout=300)
    rows = call(emergence, "leaderboard", cwd=tmp_path).splitlines()
    assert rows[0].startswith("family,model,revision,")
    assert any(row.startswith("embedded,ladder-12k,") and ",exact_match," in row for row in rows)
    page = tmp_path / "report.html"
    call(emergence, "report", "-o", page, cwd=tmp_path)
    assert "ladder-12k" in page.read_text()
