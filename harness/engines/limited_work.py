"""Operations of `harness.scoring.limited_process` that need lm-eval or transformers; neither loads torch for them."""

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
