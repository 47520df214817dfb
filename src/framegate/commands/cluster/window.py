"""Chains of parts go through the workers in a window: as many at a time as keep all workers busy.

A scheduler of Dask takes a millisecond or two for a part, and memory for each that it knows: of millions it
only ever knows those in the window. Of each chain one part is there at a time.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from framegate.commands.cluster.workers import ClusterError, connection_lost
from framegate.errors import FramegateError

if TYPE_CHECKING:
    from distributed import Client, Future

PARTS_A_THREAD = 2
"""One is judged, one waits at hand."""

TRIES = 3
"""How often a part is begun by Dask at which so many workers died that Dask gave it up, four by default. So
a few frames that crash a worker can be found out, one by one (see ``crash_guard``)."""

LOST = {"lost", "pending"}
"""What a future is whose worker has died with the result before that was here: Dask begins it again."""

Part = TypeVar("Part")
Result = TypeVar("Result")


@dataclass(order=True)
class Chain(Generic[Part]):
    """Parts that have to be done in their order."""

    weight: int
    """Minus what is left to be done: the heaviest chain is begun first, as it takes longest."""

    number: int
    name: str = field(compare=False)
    parts: Sequence[Part] = field(compare=False)
    weigh: Callable[[Part], int] = field(compare=False)
    done: int = field(compare=False, default=0)
    tries: int = field(compare=False, default=0)

    @classmethod
    def of(cls, number: int, name: str, parts: Sequence[Part], weigh: Callable[[Part], int]) -> "Chain[Part]":
        """Return a chain of which nothing is done."""
        return cls(-sum(map(weigh, parts)), number, name, parts, weigh)

    @property
    def next_part(self) -> Part:
        """The part to be done next."""
        return self.parts[self.done]

    def advance(self) -> bool:
        """Go on to the part that follows; return whether there is one."""
        self.weight += self.weigh(self.next_part)
        self.done, self.tries = self.done + 1, 0
        return self.done < len(self.parts)


class Window(Generic[Part, Result]):
    """Brings chains of parts to the workers.

    Args:
        client: the way to them.
        call: what a worker does with a part; it is pickled, so it is a function of a module.
        sent: returns what ``call`` gets; default: a chain's next part.
        begun: called with a chain when its next part is handed over.
        finished: called with a chain and the result of its part.
    """

    def __init__(
        self,
        client: "Client",
        call: Callable[[Any], Result],
        *,
        sent: Callable[[Chain[Part]], object] = lambda chain: chain.next_part,
        begun: Callable[[Chain[Part]], None] = lambda _chain: None,
        finished: Callable[[Chain[Part], Result], None],
    ) -> None:
        self._client = client
        self._call, self._sent = call, sent
        self._begun, self._finished = begun, finished
        self._numbers = count()
        self._in_hand: dict[Future, Chain[Part]] = {}
        self.deadly: list[Chain[Part]] = []
        """Chains that were given up: every worker that took their next part has died."""

    def run(self, chains: Iterable[Chain[Part]]) -> None:
        """Do all parts of all chains.

        Raises:
            ClusterError: the scheduler is gone, or a worker fails in a way that is not foreseen.
            FramegateError: as ``call`` raises it in a worker.
        """
        import distributed  # noqa: PLC0415 - as in workers

        waiting = [chain for chain in chains if chain.done < len(chain.parts)]
        heapify(waiting)
        completed = distributed.as_completed(loop=self._client.loop)
        try:
            while waiting or self._in_hand:
                while waiting and len(self._in_hand) < self._room():
                    completed.add(self._hand_over(heappop(waiting)))
                future = next(completed)
                if future.status in LOST:
                    completed.add(future)
                    continue
                chain = self._in_hand.pop(future)
                if self._is_to_go_on(chain, future):
                    heappush(waiting, chain)
        except (OSError, TimeoutError) as error:  # of Dask's connections
            raise connection_lost() from error
        finally:
            with suppress(Exception):  # the scheduler may be gone, and nothing is left to be done about it
                self._client.cancel(list(self._in_hand), force=True)

    def _room(self) -> int:
        threads: dict[str, int] = self._client.ncores()
        return max(1, PARTS_A_THREAD * sum(threads.values()))

    def _hand_over(self, chain: Chain[Part]) -> "Future":
        self._begun(chain)
        key = f"framegate-{chain.name}-{chain.done}-{next(self._numbers)}"
        future = self._client.submit(self._call, self._sent(chain), key=key, pure=False)
        self._in_hand[future] = chain
        return future

    def _is_to_go_on(self, chain: Chain[Part], future: "Future") -> bool:
        """Take what has become of a part; return whether the chain has more to do."""
        if future.status == "error":
            return self._is_to_be_tried_again(chain, future.exception())
        if future.status != "finished":
            raise connection_lost()
        self._finished(chain, future.result())
        return chain.advance()

    def _is_to_be_tried_again(self, chain: Chain[Part], error: BaseException) -> bool:
        from distributed import KilledWorker  # noqa: PLC0415 - as in workers

        if isinstance(error, KilledWorker):
            chain.tries += 1
            if chain.tries >= TRIES:
                self.deadly.append(chain)
            return chain.tries < TRIES
        if isinstance(error, FramegateError):
            raise error
        if isinstance(error, ModuleNotFoundError):
            raise ClusterError(f"a worker has no Python package {error.name}: framegate is needed on each")
        raise ClusterError(f"a worker failed at {chain.name}: {error!r}") from error
