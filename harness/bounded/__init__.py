"""Files that come from others, each read within limits: the only way in for tasks, data, models, tables and results.

Whatever a file holds, reading it ends within seconds and within a gigabyte: with its content, or with one sentence that
says what was found and what is allowed. `limits` has the numbers and the setting that raises them, `files` opens and
reads, and there is a module for each format. None of them says which keys or values are right.
"""
