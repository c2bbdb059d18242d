"""Choose the examples before a question: k shots are the first k in a fixed order, without copies of the question.

lm-eval's default sampler draws each document's examples from one running generator, so that other examples appear when
documents are sharded or limited. Here a seed fixes one permutation of the examples, or none where the task asks for
its first ones, and an example that would reveal the answer is skipped for that document alone.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal

from lm_eval.api.samplers import ContextSampler

from harness.errors import CatalogError, PlanError

DocumentFields = Mapping[str, Any]


class Demonstration(dict[str, Any]):
    """A document that is shown with its answer."""

    def __init__(self, doc: DocumentFields, place: int) -> None:
        """`place` is the document's position in the split or the list it comes from."""
        super().__init__(doc)
        self.place = place


def permutation(seed: int, n: int) -> list[int]:
    """The order in which a seed takes n examples: positions 0..n-1, shuffled."""
    order = list(range(n))
    random.Random(seed).shuffle(order)
    return order


class PoolShots(ContextSampler):  # type: ignore[misc]  # lm-eval is untyped
    """The same examples for every document, from one pool."""

    per_document = False
    """True when each document has its own examples."""
    in_order = False
    """True when examples are taken in their original order, whatever the seed."""

    def __init__(self, df: Sequence[DocumentFields] | None = None, **kwargs: Any) -> None:
        super().__init__(df, **kwargs)
        self._all = [Demonstration(doc, place) for place, doc in enumerate(df or ())]
        self._seed = 0
        self._orders: dict[int, list[int]] = {}
        self._next: Iterable[Demonstration] = ()

    def set_rnd(self, rnd: int | None) -> PoolShots:
        """Fix the seed (lm-eval's name for it)."""
        self._seed = rnd or 0
        self._orders.clear()
        return self

    def take(self, places: Sequence[int]) -> None:
        """Keep only the examples at these positions in the pool, in this order.

        Raises:
            CatalogError: there is no such example.
        """
        for place in places:
            if not 0 <= place < len(self._all):
                raise CatalogError(f"fewshot_config.fewshot_indices has {place}; there are {len(self._all)} examples")
        self._all = [self._all[place] for place in places]

    def pool(self, doc: DocumentFields) -> list[Demonstration]:
        """Every example for a document."""
        return self._all

    def order(self, n: int) -> list[int]:
        """Positions of n examples in the order in which they are taken."""
        if n not in self._orders:
            self._orders[n] = list(range(n)) if self.in_order else permutation(self._seed, n)
        return self._orders[n]

    def turn_to(self, doc: DocumentFields, left_out: Collection[int] = ()) -> None:
        """Draw the next examples for `doc`, without those at the positions `left_out`."""
        pool = self.pool(doc)
        self._next = (pool[i] for i in self.order(len(pool)) if i not in left_out)

    def sample(
        self, n: int, eval_doc: DocumentFields | None = None, df: Any = None, **_: Any
    ) -> Sequence[Demonstration]:
        """The first n examples; the document that lm-eval wants to exclude is ignored, since `turn_to` excluded it."""
        examples = list(islice(self._next, n))
        if len(examples) < n:
            raise PlanError(f"{n} shots were asked for; there are {len(examples)} examples to take them from")
        return examples


class DocumentShots(PoolShots):
    """Examples from each document's own list `examples`: positions are permuted, the same ones for every document."""

    per_document = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._own: tuple[DocumentFields | None, list[Demonstration]] = (None, [])

    def pool(self, doc: DocumentFields) -> list[Demonstration]:
        """The document's own examples."""
        if self._own[0] is not doc:
            own = doc.get("examples")
            if not isinstance(own, list):
                raise CatalogError("there is no list `examples`; a task with demonstrations: document needs one")
            self._own = (doc, [Demonstration(example, place) for place, example in enumerate(own)])
        return self._own[1]


class FirstPoolShots(PoolShots):
    """The first examples of the pool, for `sampler: first_n`."""

    in_order = True


class FirstDocumentShots(DocumentShots):
    """The first of each document's own examples."""

    in_order = True


def sampler(demonstrations: Literal["pool", "document"], name: str) -> type[PoolShots]:
    """The sampler for a task's `demonstrations` and its `fewshot_config.sampler`."""
    if name == "first_n":
        return FirstPoolShots if demonstrations == "pool" else FirstDocumentShots
    return PoolShots if demonstrations == "pool" else DocumentShots
