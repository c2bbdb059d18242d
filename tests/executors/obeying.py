"""A child process that does what tests ask of it."""

from __future__ import annotations

import ctypes
import logging
import os
import subprocess
import sys
import time

from harness.executors.child import ParentLine, ToParent


def obey(line: ParentLine) -> None:
    log = logging.getLogger("harness.obeying")
    log.setLevel(logging.INFO)
    log.addHandler(ToParent(line))
    for what, arguments in line.requests():
        match what:
            case "add":
                log.info("%d and %d", *arguments)
                line.send("answer", sum(arguments))
            case "crash":
                print("before the crash", flush=True)
                ctypes.string_at(0)
            case "exit":
                print(*(f"line {i}" for i in range(1000)), sep="\n", flush=True)
                os._exit(*arguments)
            case "compute":
                end = time.process_time() + arguments[0]
                while time.process_time() < end:
                    pass
                line.send("answer", "computed")
            case "sleep":
                time.sleep(600)
            case "start a child":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
                line.send("answer", child.pid)
