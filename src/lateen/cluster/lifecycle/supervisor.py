"""Keeps a cluster's processes running: `python -m lateen.cluster.lifecycle.supervisor --root DIR`.

A process that ends is started again, at once the first time and then with a back-off. SIGTERM stops them all, last
started first. Processes are left running when the supervisor itself is killed; its successor takes them over.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import time
from pathlib import Path

from lateen.cluster.layout import Layout, load
from lateen.cluster.lifecycle import processes
from lateen.cluster.lifecycle.components import Component, components
from lateen.cluster.replaced_file import replace_file
from lateen.cluster.spec import load_spec

log = logging.getLogger("supervisor")

STOP_SECONDS = 10.0
"""How long a process may take to end after SIGTERM."""
_STEADY_SECONDS = 30.0
_BACKOFF_SECONDS = (0.05, 0.5, 1.0, 2.0, 5.0)
_LOG_BYTES = 16 << 20
_RECORD_RETRY_SECONDS = 1.0


class Child:
    """One component: started, watched, started again."""

    def __init__(self, component: Component, layout: Layout) -> None:
        self.component = component
        self._pid_file = layout.run / f"{component.name}.pid"
        self._restarts_file = layout.run / f"{component.name}.restarts"
        self._log_file = layout.logs / f"{component.name}.log"

    async def keep(self) -> None:
        """Runs until cancelled; then ends the process and returns when it is gone."""
        failures = 0
        restarts = 0
        adopted = processes.read_record(self._pid_file)
        current = adopted if adopted is not None and adopted.alive else None
        try:
            while True:
                if current is None:
                    current = await self._start()
                since = time.monotonic()
                await self._until_ended(current)
                current = None
                failures = 0 if time.monotonic() - since > _STEADY_SECONDS else failures + 1
                pause = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)]
                restarts += 1
                with contextlib.suppress(OSError):
                    # On a full disk the count is out of date until the next restart.
                    replace_file(self._restarts_file, str(restarts).encode(), durable=False)
                log.warning("%s ended; starting it again in %.2f s", self.component.name, pause)
                await asyncio.sleep(pause)
        finally:
            if current is not None:
                gone = await asyncio.to_thread(processes.terminate, current, STOP_SECONDS)
                if not gone:
                    log.warning("%s did not end within %d s and was killed", self.component.name, STOP_SECONDS)
            self._pid_file.unlink(missing_ok=True)

    async def _start(self) -> processes.ProcessRecord | None:
        try:
            if self._log_file.exists() and self._log_file.stat().st_size > _LOG_BYTES:
                self._log_file.replace(self._log_file.with_suffix(".log.1"))
            with open(self._log_file, "ab") as output:
                # Its own session: a Ctrl-C meant for a terminal's command must not reach a background process.
                process = await asyncio.create_subprocess_exec(
                    *self.component.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        except OSError as error:
            log.warning("%s cannot be started: %s", self.component.name, error)
            return None
        log.info("%s started: pid %d", self.component.name, process.pid)
        return processes.identify(process.pid)

    async def _until_ended(self, process: processes.ProcessRecord | None) -> None:
        if process is None:
            return
        async with asyncio.TaskGroup() as group:
            recording = group.create_task(self._record(process))
            await _ended(process)
            recording.cancel()

    async def _record(self, process: processes.ProcessRecord) -> None:
        """Writes the PID file. A full disk must not end what keeps the cluster up: it is written when there is room."""
        told = False
        while processes.read_record(self._pid_file) != process:
            try:
                processes.write_record(self._pid_file, process)
            except OSError as error:
                if not told:
                    log.warning("%s cannot be written yet: %s", self._pid_file, error)
                    told = True
                await asyncio.sleep(_RECORD_RETRY_SECONDS)


async def _ended(process: processes.ProcessRecord) -> None:
    """Waits for the end of a process, ours or taken over (hence a pidfd rather than a wait for a child)."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if not process.alive:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)


async def supervise(layout: Layout, nodes: int) -> None:
    """Runs all components until SIGTERM or SIGINT; then stops them in reverse order."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(Child(c, layout).keep(), name=c.name) for c in components(layout, nodes)]
        await stop.wait()
        log.info("stopping")
        for task in reversed(tasks):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the cluster's directory")
    root: Path = parser.parse_args().root
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    layout = load(root)
    pid_file = layout.run / "supervisor.pid"
    processes.record(pid_file, os.getpid())
    try:
        asyncio.run(supervise(layout, load_spec(root).nodes))
    finally:
        pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
