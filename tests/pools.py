"""A pool whose order of finishing a test decides."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from framegate.errors import Exhausted


class Lazy(Executor):
    """Runs what is submitted when a result is asked for: whatever ``choose`` chooses, until that is there."""

    def __init__(self, choose: Callable[[int], int] = lambda _waiting: 0) -> None:
        self.waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._choose = choose

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = _Asked(self)
        self.waiting.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run_one(self) -> None:
        future, call = self.waiting.pop(self._choose(len(self.waiting)))
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except Exhausted as error:
            future.set_exception(error)


class _Asked(Future[Any]):
    def __init__(self, pool: Lazy) -> None:
        super().__init__()
        self._pool = pool

    def result(self, timeout: float | None = None) -> Any:
        while not self.done():
            self._pool.run_one()
        return super().result(timeout)
