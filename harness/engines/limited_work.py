"""Operations of `harness.scoring.limited_process` that need lm-eval, transformers or tokenizers, but never torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol


class ItemWork(Protocol):
    """A request being worked on: `harness.scoring.limited_process.RequestWork`."""

    def start(self) -> None:
        """Begin the next item."""
        ...

    def tell(self, reply: dict[str, Any]) -> None:
        """Send a reply before the last one of an item."""
        ...

    def library(self, name: str) -> Any:
        """A module, imported without a limit on the memory that it takes."""
        ...

    def allow_memory(self, memory: int) -> None:
        """Allow so many bytes beyond what the process has now, until the end of the request."""
        ...


def lm_eval_filtered(
    work: ItemWork, steps: Sequence[tuple[str, Mapping[str, Any]]], answers: Sequence[Any], docs: Sequence[Any]
) -> Iterator[dict[str, Any]]:
    """The answers to each document after lm-eval's filters, given by name with their options."""
    get_filter = work.library("lm_eval.filters").get_filter

    def watched(items: Iterable[Any]) -> Iterator[Any]:
        for i, item in enumerate(items):
            work.start()
            work.tell({"at": i})
            yield item

    for name, options in steps:
        work.start()
        answers = list(get_filter(name)(**options).apply(watched(answers), docs))
    yield {"done": answers}


def chat_text(work: ItemWork, asked: Mapping[str, Any], most: int) -> Iterator[dict[str, Any]]:
    """The turns of a chat as transformers writes them; `asked` are arguments of its `render_jinja_template`."""
    library = work.library("transformers.utils.chat_template_utils")
    # an empty template first, since the first of all takes time for what belongs to transformers
    library.render_jinja_template(conversations=[[]], chat_template="")
    work.start()
    (text,), _ = library.render_jinja_template(**asked)
    yield {"text": text} if len(text) <= most else {"long": len(text)}


_tokenizers: dict[str, Any] = {}
"""The one that was loaded last, by its digest."""


def tokenizer_loaded(work: ItemWork, digest: str, text: str, memory: int) -> Iterator[dict[str, Any]]:
    """Load a tokenizer from the text of its tokenizer.json, to be used under a digest; one reply.

    An error is told only where the library panics or lacks memory: others are told better where the model is loaded.
    """
    kind = work.library("tokenizers").Tokenizer
    _tokenizers.clear()
    work.allow_memory(memory)
    work.start()
    try:
        _tokenizers[digest] = kind.from_str(text)
        yield {"done": None}
    except Exception as error:
        yield {"error": _line(error)} if "memory" in str(error).lower() else {"done": None}
    except BaseException as error:  # the library's panics are no exceptions
        yield {"error": _line(error)}


def tokenizer_used(
    work: ItemWork, digest: str, method: str, items: Sequence[Any], memory: int
) -> Iterator[dict[str, Any]]:
    """Use a method of a tokenizer on each item; nothing is returned but whether it ends. One reply for each.

    The first reply has `at` when the tokenizer is not loaded, or not any more.
    """
    tokenizer = _tokenizers.get(digest)
    if tokenizer is None:
        work.tell({"at": 0})
        return
    work.allow_memory(memory)
    for item in items:
        work.start()
        try:
            getattr(tokenizer, method)(item)
            yield {"done": None}
        except BaseException as error:  # the library's panics are no exceptions
            yield {"error": _line(error)}


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
