"""A slow line between two ports of this machine: delay each way, bytes a second, and a cut."""

import asyncio
import contextlib
import threading
import time
from typing import Any


class DelayProxy:
    """Forwards one TCP port to another as a distant line would.

    Parameters
    ----------
    target : int
        Port of this machine that is behind the line.
    delay_s : float
        Each way [s].
    bytes_per_s : float
        Of each direction.
    """

    def __init__(self, target: int, *, delay_s: float, bytes_per_s: float) -> None:
        self._target, self._delay_s, self._rate = target, delay_s, bytes_per_s
        self._loop = asyncio.new_event_loop()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.port = 0
        is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(is_ready,), daemon=True)
        self._thread.start()
        is_ready.wait(10)

    def cut(self) -> None:
        """Drop every connection, as a lost line does."""
        self._loop.call_soon_threadsafe(self._drop)

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _drop(self) -> None:
        for writer in self._writers:
            with contextlib.suppress(Exception):
                writer.transport.abort()

    def _run(self, is_ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        is_ready.set()
        self._loop.run_forever()
        self._drop()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _accept(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [near_out, far_out]
        for source, sink in ((near_in, far_out), (far_in, near_out)):
            task = asyncio.ensure_future(self._forward(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                sink.write(data)
                await sink.drain()
                if not data:
                    sink.write_eof()
                    return

        task = asyncio.ensure_future(deliver())
        free_at = time.monotonic()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            while data := await source.read(2048):
                free_at = max(free_at, time.monotonic()) + len(data) / self._rate
                waiting.put_nowait((free_at + self._delay_s, data))
            waiting.put_nowait((time.monotonic() + self._delay_s, b""))
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await task
