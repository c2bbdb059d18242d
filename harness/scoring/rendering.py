"""Templates rendered as lm-eval renders them, in a sandbox: they come from other people's files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.wording import cut, quoted

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


def rendered(template: str, doc: Mapping[str, Any]) -> str:
    """The text of a template for one document.

    Raises:
        HarnessError: the document lacks a field, or something else cannot be computed.
    """
    import jinja2

    try:
        return environment().from_string(template).render(**doc)
    except (jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise HarnessError(f"template fails: {cut(str(error))} in {quoted(template)}") from error
    except RecursionError as error:
        raise HarnessError(f"template fails: it is nested too deep: {quoted(template)}") from error


@cache
def environment() -> SandboxedEnvironment:
    """lm-eval's template environment, sandboxed, that keeps what it compiled.

    Templates come from other people's YAML, and lm-eval's plain environment lets one reach any Python object. It also
    compiles a template for every text, most of a small model's time, and copies a chain of dicts.
    """
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    safe = SandboxedEnvironment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    safe.filters["regex_replace"] = _regex_replace
    compile_template = safe.from_string

    @lru_cache(maxsize=256)
    def compiled(source: str) -> jinja2.Template:
        template = compile_template(source)
        template.globals = dict(template.globals)
        return template

    safe.from_string = compiled  # type: ignore[assignment,method-assign]
    return safe


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of that name."""
    return re.sub(pattern, repl, string, count=count)
