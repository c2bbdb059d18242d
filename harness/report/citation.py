"""How the harness is cited, as `CITATION.cff` says it."""

from __future__ import annotations

from harness.version import __version__

TITLE = "emergence harness: which abilities of language models appear, at which scale, and how sure that is"
AUTHORS = "The emergence harness maintainers"


def bibtex() -> str:
    """An entry for BibTeX.

    >>> print(bibtex().splitlines()[0])
    @software{emergence_harness,
    """
    return (
        "@software{emergence_harness,\n"
        f"  author  = {{{{{AUTHORS}}}}},\n"
        f"  title   = {{{TITLE}}},\n"
        f"  version = {{{__version__}}},\n"
        "  license = {Apache-2.0},\n"
        "}"
    )
