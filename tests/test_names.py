"""One name, one meaning: what a module defines for others is called like nothing else in the product."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TREES = {
    path: ast.parse(path.read_text(encoding="utf-8"))
    for top in ("harness", "dashboards")
    for path in sorted((ROOT / top).rglob("*.py"))
}
SAME_EVERYWHERE = {
    "command",  # what the command line calls of each verb
    "log",  # the logger of a module
    "main",  # what starts a program
    "to_json",  # a result as plain data
}
"""Names that many modules share because they mean the same in each."""
IMPORTED = {
    alias.name
    for tree in TREES.values()
    for node in ast.walk(tree)
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}
"""Names that some module takes from another one."""
PAGES = ROOT / "dashboards" / "views"
"""Scripts, whose variables nobody else sees."""


def definitions(path: Path, tree: ast.Module) -> Iterator[str]:
    """Classes, public functions, and constants that others import, at the top of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            if isinstance(node, ast.ClassDef) or not node.name.startswith("_"):
                yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not path.is_relative_to(PAGES):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            yield from (name for name in names if name in IMPORTED)


def test_no_two_modules_define_the_same_name() -> None:
    homes: dict[str, set[str]] = defaultdict(set)
    for path, tree in TREES.items():
        for name in definitions(path, tree):
            homes[name].add(str(path.relative_to(ROOT)))
    shared = {name: sorted(where) for name, where in homes.items() if len(where) > 1}
    assert {name: where for name, where in shared.items() if name not in SAME_EVERYWHERE} == {}


def test_no_package_exports_a_name_that_one_of_its_modules_has() -> None:
    """`package.name` would be the module or the function, whichever was imported last."""
    hidden = [
        f"{path.parent.relative_to(ROOT)}: {name}"
        for path, tree in TREES.items()
        if path.name == "__init__.py"
        for name in exported(tree)
        if (path.parent / f"{name}.py").exists() or (path.parent / name / "__init__.py").exists()
    ]
    assert hidden == []


def exported(tree: ast.Module) -> list[str]:
    """The names in a package's `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    return []
