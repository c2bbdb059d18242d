"""Asking in turns, by the model's own chat template, and with a system instruction."""

import json
import shutil
from pathlib import Path

import pytest

from harness.catalog import load_catalog
from harness.store import Store
from tests.builders import cell
from tests.builders.commands import Emergence

TEMPLATE = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system turn here') }}{% endif %}" + TEMPLATE
ASKED = ("run", "--task", "topic", "--limit", "3", "--executor", "inline", "--model", "./chatty")
TURNS = ("--apply_chat_template",)


@pytest.fixture
def chatty(tmp_path: Path) -> Path:
    """A small model whose tokenizer has a chat template."""
    (shipped,) = (m for m in load_catalog().family("embedded").models if m.name == "ladder-12k")
    folder = shutil.copytree(str(shipped.path), tmp_path / "chatty")
    write_template(folder, TEMPLATE)
    return folder


def write_template(folder: Path, template: str) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": template}))


def prompts(*, chat: str | None, system: str | None = None) -> list[str]:
    """What the model read first in each cell that was asked so."""
    store = Store(Path("results"))
    cells = [r.cell for r in store.results() if (r.cell.chat, r.cell.system) == (chat, system)]
    return [store.samples(one)[0].prompt for one in sorted(cells, key=lambda one: one.shots)]


@pytest.mark.usefixtures("chatty")
def test_chat_and_plain_are_asked_apart_and_stand_on_curves_of_their_own(emergence: Emergence) -> None:
    plain = emergence(*ASKED, "--shots", "0,1")
    assert plain.code == 0, plain.err
    assert "asked in plain text in spite of a chat template: chatty; see --apply-chat-template" in plain.err
    turns = emergence(*ASKED, "--shots", "0,1", *TURNS)
    assert turns.code == 0, turns.err
    assert "done already" not in turns.err
    assert "in spite of" not in turns.err
    zero, one = prompts(chat="template")
    assert zero.startswith("<user>")
    assert zero.endswith("\n<assistant>")
    assert one.count("<user>") == 2
    assert one.count("<assistant>") == 2
    assert not any("<user>" in text for text in prompts(chat=None))
    rows = json.loads(emergence("curves", "--metric", "headline", "--json").out)
    assert sorted((row["shots"], "chat template" in row["conditions"]) for row in rows) == [
        (0, False),
        (0, True),
        (1, False),
        (1, True),
    ]


@pytest.mark.usefixtures("chatty")
def test_a_system_instruction_comes_first_in_both_ways(emergence: Emergence) -> None:
    said = ("--shots", "0", "--system_instruction", "Be brief.")
    assert emergence(*ASKED, *said).code == 0
    assert emergence(*ASKED, *said, *TURNS).code == 0
    (plain,) = prompts(chat=None, system="Be brief.")
    (turns,) = prompts(chat="template", system="Be brief.")
    assert plain.startswith("Be brief.")
    assert turns.startswith("<system>Be brief.")


def test_a_template_without_a_system_turn_fails_the_cell_and_leaves_nothing_out(
    emergence: Emergence, chatty: Path
) -> None:
    write_template(chatty, NO_SYSTEM)
    done = emergence(*ASKED, "--shots", "0", "--system-instruction", "Be brief.", *TURNS)
    assert done.code == 1
    assert "document 0: the model's chat template refuses turns of system, user: no system turn here" in done.err


def test_a_model_without_a_template_is_refused_before_it_is_loaded(emergence: Emergence, chatty: Path) -> None:
    write_template(chatty, "")
    done = emergence(*ASKED, *TURNS)
    assert (done.code, Path("results").exists()) == (2, False)
    assert f"{chatty}: its tokenizer has no chat template; leave --apply-chat-template out" in done.err


def test_cells_that_are_asked_in_plain_text_keep_the_keys_they_had() -> None:
    def key(**changes: str) -> str:
        return cell(**changes).key

    assert cell().key == "be72a90be2e13409"
    assert len({key(), key(chat="template"), key(system="Be brief."), key(chat="template", system="Be brief.")}) == 4
