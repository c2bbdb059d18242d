"""Templates rendered as lm-eval renders them, in a sandbox: they come from other people's files.

The sandbox keeps a template from Python's objects. It does not keep it from running without end or from filling the
memory: templates of tasks that do not come with the package are rendered in a process with limits (see `limited`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError
from harness.scoring.templates import plain_parts
from harness.wording import cut, quoted

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


class Rendering(Protocol):
    """Renders the templates of one task."""

    def learn(
        self, templates: Iterable[str], docs: Iterable[Mapping[str, Any]], *, literals: Iterable[str] = ()
    ) -> None:
        """Render in one go what will be asked for one by one.

        Args:
            templates: templates whose text will be asked for.
            docs: the documents.
            literals: templates whose value will be asked for.
        """
        ...

    def text(self, template: str, doc: Mapping[str, Any]) -> str:
        """The text of a template for one document.

        Raises:
            HarnessError: it cannot be rendered.
        """
        ...

    def value(self, template: str, doc: Mapping[str, Any]) -> Any:
        """The value that this text writes, as Python would read it; the text itself where it writes none.

        Raises:
            HarnessError: it cannot be rendered.
        """
        ...

    def forget(self) -> None:
        """Drop what was rendered, when no document seen so far will be asked for again."""
        ...


class RenderingHere:
    """Renders in this process, for templates that are known to end."""

    def learn(
        self, templates: Iterable[str], docs: Iterable[Mapping[str, Any]], *, literals: Iterable[str] = ()
    ) -> None:
        """Nothing to be prepared."""

    def text(self, template: str, doc: Mapping[str, Any]) -> str:
        """The text of a template for one document."""
        return rendered(template, doc)

    def value(self, template: str, doc: Mapping[str, Any]) -> Any:
        """The value that this text writes."""
        return written_value(rendered(template, doc))

    def forget(self) -> None:
        """Nothing was kept."""


def rendered(template: str, doc: Mapping[str, Any]) -> str:
    """The text of a template for one document.

    Raises:
        HarnessError: the document lacks a field, or something else cannot be computed.
    """
    if (text := put_together(template, doc)) is not None:
        return text
    import jinja2

    try:
        return environment().from_string(template).render(**doc)
    except RecursionError as error:
        raise HarnessError(f"template fails: it is nested too deep: {quoted(template)}") from error
    except (jinja2.TemplateError, re.error, ArithmeticError, AttributeError, LookupError) as error:
        raise HarnessError(f"template fails: {cut(str(error))} in {quoted(template)}") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise HarnessError(f"template fails: {cut(str(error))} in {quoted(template)}") from error


def written_value(text: str) -> Any:
    """The value that a text writes, as Python would read it; the text itself where it writes none."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text


def wrong_pattern(pattern: str) -> str | None:
    """Why a text is no regular expression; None for one."""
    try:
        re.compile(pattern)
        return None
    except RecursionError:
        return "it is nested too deep"
    except (re.error, OverflowError) as error:
        return str(error)


def put_together(template: str, doc: Mapping[str, Any]) -> str | None:
    """The text of a template that has nothing but fields, without jinja, which takes ten times as long.

    None for any other template, and where a field is absent or is no text and no number.
    """
    parts = plain_parts(template)
    if parts is None:
        return None
    said = list(parts)
    for i in range(1, len(parts), 2):
        value = doc.get(parts[i], ())
        if not isinstance(value, str | int | float):
            return None
        said[i] = str(value)
    return "".join(said)


@cache
def environment() -> SandboxedEnvironment:
    """lm-eval's template environment, sandboxed, that keeps what it compiled.

    Templates come from other people's YAML, and lm-eval's plain environment lets one reach any Python object. It also
    compiles a template for every text, most of a small model's time, and copies a chain of dicts.
    """
    import jinja2
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import SandboxedEnvironment

    class Templates(SandboxedEnvironment):
        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if _is_large(operator, left, right):
                raise SecurityError(f"{operator} would fill the memory")
            return super().call_binop(context, operator, left, right)

    safe = Templates(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    safe.filters["regex_replace"] = _regex_replace
    compile_template = safe.from_string

    @lru_cache(maxsize=256)
    def compiled(source: str) -> jinja2.Template:
        template = compile_template(source)
        template.globals = dict(template.globals)
        return template

    safe.from_string = compiled  # type: ignore[assignment,method-assign]
    return safe


def _is_large(operator: str, left: Any, right: Any) -> bool:
    """Whether a product or a power has more than some millions of characters, such as `'a' * 10**10`."""
    if operator == "**":
        return isinstance(left, int) and isinstance(right, int) and left.bit_length() * right > _LARGE
    pairs = ((left, right), (right, left))
    return any(isinstance(a, str | list | tuple) and isinstance(b, int) and len(a) * b > _LARGE for a, b in pairs)


_LARGE = 16_000_000


def _regex_replace(string: str, pattern: str, repl: str, count: int = 0) -> str:
    """lm-eval's filter of that name."""
    return re.sub(pattern, repl, string, count=count)
