import pytest

from framegate.commands.cluster.window import LOST, Chain, Window
from running import wait_until
from schedulers import dask

distributed = pytest.importorskip("distributed", reason="the Python package distributed is not installed")

WITHIN_S = 60


def test_a_result_that_dies_with_its_worker_is_made_again() -> None:
    """A worker that dies between the end of a part and the taking of its result costs nothing."""
    taken: list[int] = []
    with dask(workers=1) as scheduler, distributed.Client(scheduler.address, set_as_default=False) as client:

        def take(_chain: Chain[int], result: int) -> None:
            if not taken:
                in_hand = list(client.futures.values())
                assert len(in_hand) == 2
                wait_until(lambda: all(each.status == "finished" for each in in_hand), WITHIN_S)
                scheduler.kill_worker()
                wait_until(lambda: all(each.status in LOST for each in in_hand), WITHIN_S)
                scheduler.add_worker()
            taken.append(result)

        chains = [Chain.of(number, f"c{number}", [number], lambda _part: 1) for number in range(2)]
        Window(client, abs, finished=take).run(chains)
    assert sorted(taken) == [0, 1]
