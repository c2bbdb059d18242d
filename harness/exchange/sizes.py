"""How large the models of published results are: by families that name them, else as the user or the file says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from harness.errors import HarnessError
from harness.exchange.types import Published
from harness.plausible import SIZE_BOUNDS
from harness.specs import Family, ModelSpec
from harness.wording import quantity, quoted

IMPORTED = "imported"
"""Family of models that no family names, and whose sizes the user or the file says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Finds the model of a published result, with its family and its size."""

    families: tuple[Family, ...] = ()
    """Families whose models may be meant, the preferred ones first."""
    told: Mapping[str, int] = field(default_factory=dict)
    """Name of a model, in full or behind the last slash -> parameters, as the user says."""
    _found: dict[tuple[str, str], ModelSpec | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Name and revision -> what was found in the families, of which files name the same thousands of times."""

    def model(self, result: Published) -> ModelSpec | None:
        """The model; None where nobody knows its size.

        Tokens and loss are those of the very checkpoint: a revision that the family does not name has none.
        """
        if result.cell is not None:
            return result.cell.model
        asked = result.model, result.revision
        if asked not in self._found:
            self._found[asked] = self._in_families(*asked)
        found = self._found[asked]
        if found is None:
            params = self.told.get(result.model) or self.told.get(short(result.model)) or result.params
            if params is None:
                return None
            found = ModelSpec(name=result.model, family=IMPORTED, params=params)
        return replace(
            found,
            revision=result.revision,
            dtype=result.dtype or found.dtype,
            variant=result.variant,
            path=None,
            gpus=None,
        )

    def _in_families(self, name: str, revision: str) -> ModelSpec | None:
        for family in self.families:
            named = [model for model in family.models if name in (model.name, short(model.name))]
            named = named or [model for model in family.models if short(name) == short(model.name)]
            for model in named:
                if revision in (model.revision, model.revision[:12]):
                    return model
            if named:
                final = named[-1]
                return final if revision in _FINAL else replace(final, tokens=None, loss=None)
        return None


_FINAL = ("main", "master")
"""Branches that hold the end of a training."""


def short(name: str) -> str:
    """The name of a model without its organisation."""
    return name.rpartition("/")[2]


def told_sizes(texts: Iterable[str]) -> dict[str, int]:
    """Name of a model -> parameters, from texts such as `pythia-70m=70.4M`.

    Raises:
        HarnessError: a text is none, or no model has such a size.
    """
    found: dict[str, int] = {}
    for text in texts:
        name, _, size = text.rpartition("=")
        params = quantity(size)
        if not name or params is None or params != int(params):
            raise HarnessError(f"--params is {quoted(text)}; expected MODEL=SIZE, such as pythia-70m=70.4M")
        try:
            SIZE_BOUNDS["params"].check("params", int(params))
        except ValueError as error:
            raise HarnessError(f"--params {name}: {error}") from error
        found[name] = int(params)
    return found
