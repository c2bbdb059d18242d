"""Finds the fields that a task's templates use by parsing the templates; nothing in them is evaluated."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from harness.bounded.limits import TEMPLATE, UnreadableError
from harness.errors import CatalogError
from harness.wording import cut

if TYPE_CHECKING:
    from jinja2 import Environment

FILTERS = ("regex_replace",)
"""Filters that lm-eval adds to those of jinja."""


def asked(template: str) -> frozenset[str]:
    """Names of the fields that a template takes from the document; those that may be absent are left out.

    A field may be absent where the template asks about it first (`is defined`, `default`).

    Raises:
        CatalogError: the template is damaged, or holds more than is allowed.
    """
    from jinja2 import nodes

    tree, names, usual = _read(template)
    about = [test.node for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined")]
    about += [use.node for use in tree.find_all(nodes.Filter) if use.name in ("default", "d") and use.node is not None]
    return names - usual - {node.name for node in about if isinstance(node, nodes.Name)}


def mentioned(template: str) -> frozenset[str] | None:
    """Names of all fields that a template may look at, among them those of jinja's own; None for a damaged one."""
    try:
        _, names, usual = _read(template)
    except CatalogError:
        return None
    return names | usual


def written_fields(template: str) -> frozenset[str]:
    """Names of the fields that a template writes as they are, whatever else it does: `q` of `{{q}}`, not of `{{q[0]}}`.

    Raises:
        CatalogError: the template is damaged, or holds more than is allowed.
    """
    from jinja2 import nodes

    tree, _, usual = _read(template)
    outputs = (node for output in tree.body if isinstance(output, nodes.Output) for node in output.nodes)
    return frozenset(node.name for node in outputs if isinstance(node, nodes.Name)) - usual


@lru_cache(maxsize=256)
def plain_parts(template: str) -> tuple[str, ...] | None:
    r"""Texts and names of fields in turn, of a template that has nothing else; None for any other template.

    >>> plain_parts("Q: {{ question }}\nA:"), plain_parts("{{ a + b }}")
    (('Q: ', 'question', '\nA:'), None)
    """
    parts = tuple(_FIELD.split(template))
    texts, names = parts[::2], parts[1::2]
    if len(names) > _MOST_PARTS or "\r" in template or not _WORDS.isdisjoint(names):
        return None
    # what jinja would read otherwise: other signs of its language, and braces that touch
    odd = any(sign in text for text in texts for sign in ("{{", "}}", "{%", "%}", "{#", "#}"))
    touching = any(text[-1:] == "{" for text in texts[:-1]) or any(text[:1] == "}" for text in texts[1:])
    return None if odd or touching else parts


_FIELD = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_WORDS = frozenset("true false none True False None and or not in is if else self loop".split())
"""Words of jinja's own, which no field is called by."""
_MOST_PARTS = 16
"""Fields of a template that is put together without jinja; each can be as long as a document."""


def _read(template: str) -> tuple[Any, frozenset[str], frozenset[str]]:
    """The syntax tree of a template, the names that it does not set itself, and the names that jinja provides."""
    import jinja2  # only commands that look at templates wait for it
    from jinja2 import meta

    usual = _grammar()
    try:
        TEMPLATE.check(len(template))
        tree = usual.parse(template)
        return tree, frozenset(meta.find_undeclared_variables(tree)), frozenset(usual.globals)
    except jinja2.TemplateError as error:
        raise CatalogError(f"is no template: {cut(str(error.message))}") from error
    except UnreadableError as error:
        raise CatalogError(str(error)) from error
    except RecursionError as error:
        raise CatalogError("is no template: it is nested too deep") from error
    except (ValueError, OverflowError, MemoryError) as error:  # numbers of thousands of digits
        raise CatalogError(f"is no template: {cut(str(error))}") from error


@cache
def _grammar() -> Environment:
    """Jinja's language with nothing to compute: jinja evaluates the constant parts of a template while parsing it."""
    from jinja2.sandbox import SandboxedEnvironment

    class Grammar(SandboxedEnvironment):
        intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)
        intercepted_unops = frozenset(SandboxedEnvironment.default_unop_table)

    usual = Grammar()
    for things in (usual.filters, usual.tests):
        things.update(dict.fromkeys([*things], _nothing))
    usual.filters.update(dict.fromkeys(FILTERS, _nothing))
    return usual


def _nothing(*_: Any, **__: Any) -> str:
    return ""
