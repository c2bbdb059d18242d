"""Programs that a test function judges, as those of HumanEval and MBPP: which test a document has, and which program.

| The document has | The test |
|---|---|
| `test`, a text that defines `check`, and `entry_point` (HumanEval) | `check(f)`, f being the function of that name |
| `test_list`, asserts; perhaps `test_setup_code` and `test_imports` (MBPP) | all of them, one after the other |

What a model wrote is the whole program, or what follows the prompt: the latter where the prompt is the beginning of a
Python program that defines the function. In a chat the program is what stands between the signs ``` of a block of code,
which the prompt may have opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.errors import HarnessError
from harness.scoring.sandbox import Trial
from harness.wording import quoted

_FENCE = "```"
_BLOCK = re.compile(r"```[\w+-]*[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)


def has_test(doc: Mapping[str, Any]) -> bool:
    """True for a document whose programs are judged by a test of its own, and not by pairs."""
    return "tests" not in doc and ("test" in doc or "test_list" in doc)


def trial_of(doc: Mapping[str, Any], question: str) -> Trial:
    """The test of a document.

    Args:
        doc: the document, of which `has_test` is true.
        question: its prompt, without examples.

    Raises:
        HarnessError: its test is no text, or no list of texts.
    """
    if "test" in doc:
        test, entry = doc["test"], doc.get("entry_point")
        if not isinstance(test, str) or not test.strip():
            raise HarnessError(f"a document's `test` is {quoted(test)}; expected the text of a function `check`")
        if not isinstance(entry, str) or not entry.isidentifier():
            raise HarnessError(
                f"a document's `entry_point` is {quoted(entry)}; expected the function that `test` checks"
            )
        return Trial(test=test, entry=entry, prompt=_beginning(doc, question, entry))
    asserts = doc["test_list"]
    if not isinstance(asserts, list | tuple) or not asserts or not all(isinstance(one, str) for one in asserts):
        raise HarnessError(f"a document's `test_list` is {quoted(asserts)}; expected a list of asserts")
    imports = doc.get("test_imports")
    setup = [*(imports if isinstance(imports, list | tuple) else ()), doc.get("test_setup_code")]
    return Trial(test="\n".join(asserts), setup="\n".join(str(one) for one in setup if one))


def judged_source(doc: Mapping[str, Any], question: str, output: str, entry: str) -> str:
    r"""The program that is judged.

    Args:
        doc: the document.
        question: its prompt, without examples.
        output: what the model wrote after it, or what the task's filters made of that.
        entry: name of the function that a prompt begins; empty where none does.

    >>> judged_source({}, "def f(x):\n", "    return x", "f")
    'def f(x):\n    return x'
    >>> judged_source({}, "Write f.\n```python\n", "def f(x):\n  return x\n```\nDone.", "")
    'def f(x):\n  return x\n'
    """
    prompt = doc.get("prompt")
    if isinstance(prompt, str) and prompt and output.startswith(prompt):  # a filter has put the two together
        return output
    if question.count(_FENCE) % 2:
        begun = question.rpartition(_FENCE)[2].partition("\n")[2]
        return begun + output.partition(_FENCE)[0]
    if block := _BLOCK.search(output):
        output = block[1]
    return question + output if _begins(question, entry) else output


def _begins(question: str, entry: str) -> bool:
    return (
        bool(entry)
        and _FENCE not in question
        and re.search(rf"^\s*def {re.escape(entry)}\b", question, re.M) is not None
    )


def _beginning(doc: Mapping[str, Any], question: str, entry: str) -> str:
    """The text that begins the program, and defines other functions that a test calls; empty where there is none."""
    prompt = doc.get("prompt")
    for text in (prompt, question):
        if isinstance(text, str) and _begins(text, entry):
            return text
    return ""
