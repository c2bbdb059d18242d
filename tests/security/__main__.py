"""`python -m tests.security [PROVIDER ...] [--only TEXT]`: try all cases; exit 1 when one escaped.

Run as root it tries programs as `nobody` and as an ordinary user, else as the user it runs as.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.security import PROVIDERS, Case, NotHereError, provider

HEAD = ("class", "tried", "contained", "escaped")


def main() -> None:
    """Try, tell on stderr what escaped and what could not be tried, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.security", description=__doc__)
    parser.add_argument("providers", nargs="*", metavar="PROVIDER", help=f"of {', '.join(PROVIDERS)}; all unless told")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases whose class, name or place holds this")
    options = parser.parse_args()
    if unknown := set(options.providers) - PROVIDERS.keys():
        parser.error(f"unknown provider {sorted(unknown)[0]!r}; known: {', '.join(PROVIDERS)}")
    tried: Counter[str] = Counter()
    escaped: Counter[str] = Counter()
    for name in options.providers or PROVIDERS:
        for case in provider(name)():
            if options.only in f"{case.kind} {case.name} {case.where}":
                _try(case, tried, escaped)
    rows = [(kind, n, n - escaped[kind], escaped[kind]) for kind, n in tried.items()]
    rows.append(("all", tried.total(), tried.total() - escaped.total(), escaped.total()))
    print(_table(rows))
    sys.exit(1 if escaped.total() else 0)


def _try(case: Case, tried: Counter[str], escaped: Counter[str]) -> None:
    try:
        harm = case.attempt()
    except NotHereError as why:
        print(f"not tried: {case.kind}: {case.name}: {case.where}: {why}", file=sys.stderr)
        return
    tried[case.kind] += 1
    if harm is not None:
        escaped[case.kind] += 1
        print(f"ESCAPED: {case.kind}: {case.name}: {case.where}: {harm}", file=sys.stderr)


def _table(rows: list[tuple[str, int, int, int]]) -> str:
    width = max(len(kind) for kind, *_ in rows)
    lines = [f"{HEAD[0]:{width}}  {'  '.join(f'{name:>9}' for name in HEAD[1:])}"]
    return "\n".join(lines + [f"{kind:{width}}  {'  '.join(f'{n:9,}' for n in numbers)}" for kind, *numbers in rows])


if __name__ == "__main__":
    main()
