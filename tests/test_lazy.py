import gc
import sys
from pathlib import Path

import pytest

from harness.lazy import import_large


@pytest.mark.parametrize(
    ("content", "error"), [("x = gc_was = __import__('gc').isenabled()", None), ("1 / 0", ZeroDivisionError)]
)
def test_the_collector_rests_only_while_a_large_module_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, error: type[Exception] | None
) -> None:
    name = f"large_{error.__name__ if error else 'one'}"
    (tmp_path / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    if error is None:
        assert import_large(name).gc_was is False
        assert import_large(name) is sys.modules[name]
    else:
        with pytest.raises(error):
            import_large(name)
    assert gc.isenabled()
