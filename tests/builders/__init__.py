"""Data for tests, made in one place: no test module imports another.

The nouns of a run (`cell`, `result`, `grown`, ...) come from here: `from tests.builders import cell`. They are light,
so that workers may import them. The rest is imported from its own module:

- `tables`: tidy tables as users publish them; `curves`: counts of every kind of growth, and the verdict on them
- `runs`: what a run records of itself; `commands`: the command line and a small catalogue for it
- `tasks`: task files and tasks with data; `models`: a tiny model that has learnt a little
- `zoo`: models of many architectures; `prompts`: requests of every kind
- `hostile`: names that nothing may obey which shows them
- `dashboards`: pages in Streamlit's test driver, and a server for a real browser
"""

from tests.builders.cells import (
    ACC,
    PROB,
    SIZES,
    cell,
    counted,
    failed,
    grown,
    made_with,
    model,
    result,
    sample,
    task,
)

__all__ = [
    "ACC",
    "PROB",
    "SIZES",
    "cell",
    "counted",
    "failed",
    "grown",
    "made_with",
    "model",
    "result",
    "sample",
    "task",
]
