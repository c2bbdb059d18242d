"""No other user of the machine reaches a private Ray: not through its folder, not through its ports."""

from __future__ import annotations

import ipaddress
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from harness.engines.protocol import ENGINES, EngineSettings
from harness.executors.folder import private_folder
from harness.executors.protocol import ExecutorSettings, open_executor
from harness.plan import RunPlan
from harness.schedule import lanes
from tests import builders
from tests.executors.engines import TOY
from tests.executors.processes import private_folder as folder_of
from tests.executors.processes import processes

LONGEST_SOCKET = 103
"""Bytes that the path of a socket may have on macOS; Linux allows 107."""


class Running(NamedTuple):
    """A private Ray in the middle of a run."""

    closed: Path
    processes: dict[int, str]
    token_asked: bool


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Started by a user who has switched Ray's tokens off, for another cluster."""
    folder = tmp_path_factory.mktemp("running")
    tasks = {"quick": builders.task("quick"), "slow": builders.task("slow", config={"do": "linger"})}
    toy = builders.model(name="toy", path=str(folder))
    made = lanes(
        RunPlan(cells=tuple(builders.cell(of=task, engine="toy", model=toy) for task in tasks.values()), tasks=tasks)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "toy", TOY)
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.chdir(folder)
        with closing(open_executor("ray", ExecutorSettings(workers=1)).run(made, EngineSettings())) as outcomes:
            next(outcomes)
            found = processes(folder)
            [raylet] = [pid for pid, command in found.items() if "/raylet/raylet" in command]
            asked = psutil.Process(raylet).environ().get("RAY_AUTH_MODE") == "token"
            yield Running(folder_of(folder), found, asked)


def listening(pid: int) -> list[str]:
    """Addresses at which a process takes connections from the network."""
    connections = psutil.Process(pid).net_connections(kind="inet")
    return [found.laddr.ip for found in connections if found.status == psutil.CONN_LISTEN]


def is_loopback(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def sockets(folder: Path) -> list[Path]:
    """The sockets that lie in a folder or below it."""
    found = [path for path in folder.rglob("*") if path.is_socket()]
    assert len(found) >= 2, "the test does not see Ray's sockets"
    return found


@pytest.mark.ray
class TestARunningRay:
    def test_every_process_listens_on_loopback_only(self, running: Running) -> None:
        addresses = {command: listening(pid) for pid, command in running.processes.items()}
        for part in ("gcs_server", "raylet", "ray::Keeper"):
            assert any(part in command and found for command, found in addresses.items()), f"{part} does not listen"
        addresses["driver"] = listening(os.getpid())
        assert {command: found for command, found in addresses.items() if not all(map(is_loopback, found))} == {}

    def test_asks_whoever_reaches_a_port_for_its_token(self, running: Running) -> None:
        assert running.token_asked

    def test_lies_in_a_folder_that_is_closed_to_others(self, running: Running) -> None:
        status = running.closed.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, os.getuid())
        for socket in sockets(running.closed):
            assert running.closed in socket.parents

    def test_no_folder_above_lets_others_put_another_in_its_place(self, running: Running) -> None:
        for folder in running.closed.resolve().parents:
            status = folder.stat()
            assert status.st_uid in (0, os.getuid()), folder
            assert status.st_mode & stat.S_ISVTX or not status.st_mode & 0o022, folder

    def test_its_sockets_have_paths_that_every_system_takes(self, running: Running) -> None:
        assert max(len(os.fsencode(socket)) for socket in sockets(running.closed)) <= LONGEST_SOCKET

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    def test_another_user_sees_neither_folder_nor_logs_nor_sockets(self, running: Running) -> None:
        [logs] = running.closed.glob("ray/session_*_*/logs")
        nobody = pwd.getpwnam("nobody")
        for path in (running.closed, logs, *sockets(running.closed)):
            assert path.exists()
            looked = subprocess.run(
                ["ls", path],
                check=False,
                capture_output=True,
                text=True,
                user=nobody.pw_uid,
                group=nobody.pw_gid,
                extra_groups=[],
            )
            assert looked.returncode != 0
            assert "Permission denied" in looked.stderr


class TestChoosingTheFolder:
    @pytest.fixture
    def short(self) -> Iterator[Path]:
        """A folder whose name leaves room for Ray's sockets."""
        folder = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
        yield folder
        shutil.rmtree(folder)

    def chosen(self, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The closed folder that a run makes where `temporary` is the folder for temporary files."""
        monkeypatch.setattr(tempfile, "tempdir", str(temporary))
        with private_folder() as folder:
            closed = Path(folder).parent
            assert stat.S_IMODE(closed.stat().st_mode) == 0o700
        assert not closed.exists()
        return closed

    @pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
    def test_is_the_users_temporary_folder(self, short: Path, mode: int, monkeypatch: pytest.MonkeyPatch) -> None:
        short.chmod(mode)
        assert self.chosen(short, monkeypatch).parent == short

    @pytest.mark.parametrize("mode", [0o777, 0o775])
    def test_is_not_one_in_which_others_can_rename(
        self, short: Path, mode: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        short.chmod(mode)
        assert self.chosen(short, monkeypatch).parent == Path("/tmp")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_is_not_one_of_another_user(self, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        os.chown(short, pwd.getpwnam("nobody").pw_uid, -1)
        assert self.chosen(short, monkeypatch).parent == Path("/tmp")

    def test_is_not_one_with_a_name_too_long_for_sockets(self, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        long = short / "long"
        long.mkdir()
        assert self.chosen(long, monkeypatch).parent == Path("/tmp")

    def test_is_closed_whatever_the_umask(self, short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        usual = os.umask(0)
        try:
            self.chosen(short, monkeypatch)
        finally:
            os.umask(usual)
