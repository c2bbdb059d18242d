from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.runtime.memory_media_file_storage import _calculate_file_id
from streamlit.testing.v1 import AppTest

from harness.leaderboard import tidy, to_csv
from harness.store import Store
from tests.builders import failed, grown, task

APP = Path(__file__).parents[1] / "dashboards" / "app.py"
RISE = (50, 52, 75, 90, 110, 125, 140, 160)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with two tasks at two shot counts, one cell failed."""
    made = Store(tmp_path / "results")
    results = [r for name in ("colours", "shapes") for shots in (0, 2) for r in grown(RISE, of=task(name), shots=shots)]
    for result in results[1:]:
        made.write(replace(result, samples=()))
    made.write(failed(results[0].cell, message="no <b>answer</b>"))
    monkeypatch.setenv("EMERGENCE_RESULTS", str(made.root))
    return made


def test_no_folder_beside_the_app_is_called_pages() -> None:
    # Streamlit would take it for an older kind of app and run a page without the app around it.
    assert not (APP.parent / "pages").exists()


def opened(page: str | None = None) -> AppTest:
    app = AppTest.from_file(str(APP), default_timeout=60).run()
    if page:
        app.switch_page(f"views/{page}.py").run()
    assert not app.exception
    return app


def texts(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.text, *app.caption, *app.info])


@pytest.mark.usefixtures("store")
def test_the_first_page_shows_all_curves() -> None:
    app = opened()
    assert app.title[0].value == "Emergent-ability curves"
    assert app.selectbox(key="task").options == ["All tasks", "colours", "shapes"]
    assert len(app.get("plotly_chart")) == 1
    assert "31 results, 1 failures, 0 unreadable files" in texts(app)


@pytest.mark.usefixtures("store")
def test_one_task_shows_its_verdicts_with_reasons() -> None:
    app = opened()
    app.selectbox(key="task").select("shapes").run()
    assert not app.exception
    assert "**0-shot: grows smoothly.**" in texts(app)
    assert "Rises with scale" in texts(app)
    assert "prob_correct" in app.get("plotly_chart")[0].proto.spec


@pytest.mark.usefixtures("store")
def test_another_scale_redraws_the_curves() -> None:
    app = opened()
    app.selectbox(key="scale").select("flops").run()
    assert not app.exception
    assert "Training compute 6ND, FLOPs (log scale)" in texts(app)


def test_the_verdict_table_can_be_narrowed(store: Store) -> None:
    for result in (r for shots in (0, 2) for r in grown([50] * 8, of=task("nonsense"), shots=shots)):
        store.write(replace(result, samples=()))
    app = opened("verdicts")
    assert list(app.dataframe[0].value["Verdict"]) == ["grows smoothly"] * 2 + ["flat"] * 2 + ["grows smoothly"] * 2
    assert all("n = 200 documents per size" in why for why in app.dataframe[0].value["Why"])
    app.pills(key="labels").select("flat").run()
    assert list(app.dataframe[0].value["Task"]) == ["nonsense"] * 2


def test_the_downloaded_table_is_the_leaderboard_export_byte_for_byte(store: Store) -> None:
    app = opened("leaderboard")
    expected = to_csv(tidy(store.results(), store.failures())).encode()
    # The media storage names a file by the hash of its bytes.
    name = _calculate_file_id(expected, "text/csv", "leaderboard.csv")
    (tidy_button, _) = app.get("download_button")
    assert name in tidy_button.proto.url
    assert app.dataframe[0].value["model"].iloc[0] == "toy-1000"


def test_new_results_appear_without_a_restart(store: Store) -> None:
    app = opened()
    for result in grown(RISE, of=task("numbers")):
        store.write(replace(result, samples=()))
    app.run()
    assert "numbers" in app.selectbox(key="task").options


@pytest.mark.usefixtures("store")
def test_failures_are_listed_as_plain_text() -> None:
    assert "toy-1000 colours 0-shot default seed 0: ValueError: no <b>answer</b>" in texts(opened())


def test_a_missing_folder_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path / "nowhere"))
    assert "`emergence run` makes some" in texts(opened())


def test_a_store_with_failures_only_shows_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path).write(failed())
    monkeypatch.setenv("EMERGENCE_RESULTS", str(tmp_path))
    app = opened()
    assert "There are no results" in texts(app)
    assert "ValueError: no answer" in texts(app)


def test_the_folder_can_be_an_argument(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMERGENCE_RESULTS")
    monkeypatch.setattr("sys.argv", ["app.py", str(store.root)])
    assert "31 results" in texts(opened())
