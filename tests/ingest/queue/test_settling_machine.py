import copy
import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from framegate.ingest.queue.settling import SettlingRules
from framegate.ingest.queue.uploads import Uploads
from framegate.model import Candidate, FileKey, NotYet, Origin, Unsettled

SETTLE_S = 2.0
GIVE_UP_S = 5.0
TICK_S = 0.25
LONGEST_DELAY_S = 4.0

NAMES = st.sampled_from(["c-1.jpg", "c-2.jpg", "c-3.jpg", "d-2.jpg"])
DELAYS = st.sampled_from([0.0, TICK_S, SETTLE_S / 2, SETTLE_S, LONGEST_DELAY_S])
IS_HEARD = st.booleans()


def describe(key: FileKey) -> Candidate:
    camera, _, rest = key.name.partition("-")
    return Candidate(key, camera, int(rest.partition(".")[0]))


@dataclass
class Belief:
    """What is known of one waiting file, in the words of the promises."""

    key: FileKey
    changed_s: float
    first_seen_s: float
    is_finished: bool
    not_before_s: float = 0.0
    lacks_its_end: bool = False


class SettlingMachine(RuleBasedStateMachine):
    """A folder whose writers do what they like, and whose watcher hears what it likes."""

    reorder_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.uploads = self.new_uploads()
        self.folder: dict[str, FileKey] = {}
        self.decided: set[FileKey] = set()
        self.waiting: dict[str, Belief] = {}
        self.first_seen_s: dict[str, float] = {}
        """Of what was taken last, by name."""

        self.versions = 0

    def new_uploads(self) -> Uploads:
        return Uploads(SettlingRules(SETTLE_S, GIVE_UP_S, reorder_s=self.reorder_s), describe)

    def write(self, name: str, size: int) -> None:
        self.versions += 1
        self.folder[name] = FileKey(name, size, self.versions)

    def hear(self, name: str, origin: Origin, *, is_heard: bool = True, writer_is_done: bool = False) -> None:
        """Do what the loop does with a hint: look at the file, skip a version that has its verdict."""
        if not is_heard:
            return
        key = self.folder.get(name)
        if key is None:
            self.uploads.vanished(name)
            self.waiting.pop(name, None)
        elif key not in self.decided:
            self.uploads.observe(key, origin, self.now_s, writer_is_done=writer_is_done)
            is_finished = writer_is_done or origin in {Origin.CLOSED, Origin.MOVED}
            self.believe(key, is_finished=is_finished or self.is_touched(key, origin))

    def is_touched(self, key: FileKey, origin: Origin) -> bool:
        """Tell whether a file that is complete has another status only: an uploader has set its time."""
        belief = self.waiting.get(key.name)
        if belief is None or belief.key == key or origin is Origin.CREATED:
            return False
        return belief.is_finished and belief.key.size_bytes == key.size_bytes

    def believe(self, key: FileKey, *, is_finished: bool) -> None:
        belief = self.waiting.get(key.name)
        if belief is None:
            self.waiting[key.name] = Belief(key, self.now_s, self.now_s, is_finished)
        elif belief.key != key:
            belief.key, belief.changed_s, belief.is_finished = key, self.now_s, is_finished
            belief.lacks_its_end = False
        else:
            belief.is_finished |= is_finished
        if is_finished:
            self.waiting[key.name].not_before_s = 0.0

    @rule(name=NAMES, size=st.integers(0, 3), is_heard=IS_HEARD)
    def create_or_replace(self, name: str, size: int, *, is_heard: bool) -> None:
        self.write(name, size)
        self.hear(name, Origin.CREATED, is_heard=is_heard)

    @precondition(lambda self: self.folder)
    @rule(data=st.data(), by=st.sampled_from([-1, 0, 1]))
    def append_rewrite_or_truncate(self, data: st.DataObject, by: int) -> None:
        name = data.draw(st.sampled_from(sorted(self.folder)))
        self.write(name, max(0, self.folder[name].size_bytes + by))

    @precondition(lambda self: self.folder)
    @rule(data=st.data(), is_heard=IS_HEARD)
    def close(self, data: st.DataObject, *, is_heard: bool) -> None:
        self.hear(data.draw(st.sampled_from(sorted(self.folder))), Origin.CLOSED, is_heard=is_heard)

    @rule(name=NAMES, size=st.integers(0, 3), is_heard=IS_HEARD)
    def move_in(self, name: str, size: int, *, is_heard: bool) -> None:
        self.write(name, size)
        self.hear(name, Origin.MOVED, is_heard=is_heard)

    @rule(name=NAMES, is_heard=IS_HEARD)
    def delete(self, name: str, *, is_heard: bool) -> None:
        self.folder.pop(name, None)
        self.hear(name, Origin.CLOSED, is_heard=is_heard)

    @rule(done=st.sets(NAMES))
    def sweep(self, done: AbstractSet[str] = frozenset()) -> None:
        """List the folder; of the names in ``done`` it is known that nobody has them open for writing."""
        for name in self.folder:
            self.hear(name, Origin.SWEEP, writer_is_done=name in done)
        for name in self.uploads.unseen(self.folder, math.inf):
            self.uploads.vanished(name)
        self.waiting = {name: belief for name, belief in self.waiting.items() if name in self.folder}

    @rule()
    def lose_all_hints(self) -> None:
        """A restart: everything in memory is gone, and a sweep makes good for it."""
        self.uploads = self.new_uploads()
        self.waiting = {}
        self.sweep()

    @rule(ticks=st.integers(1, 12))
    def let_time_pass(self, ticks: int) -> None:
        self.now_s += ticks * TICK_S

    @rule(delay_s=DELAYS, is_put_back=st.booleans(), lacks_its_end=st.booleans(), has_changed=st.booleans())
    def take(self, delay_s: float, *, is_put_back: bool, lacks_its_end: bool, has_changed: bool) -> None:
        candidates = self.uploads.settle(self.now_s)
        assert candidates == sorted(candidates, key=lambda c: (c.captured_at_ns, c.key.name))
        for candidate in candidates:
            self.check(candidate)
        # Taking out one that was settled lets nobody go: only the unsettled hold others.
        assert not any(self.is_free(belief) for belief in self.waiting.values())
        for candidate in candidates:
            self.decided.add(candidate.key)
        for candidate in candidates[1:] if is_put_back else candidates:
            self.uploads.done(candidate)
        if candidates and is_put_back:
            if has_changed:
                self.write(candidates[0].key.name, 2)
            self.put_back(candidates[0], delay_s, lacks_its_end=lacks_its_end)

    def put_back(self, tried: Candidate, delay_s: float, *, lacks_its_end: bool) -> None:
        """Put one back as the version that is there now, unless it has gone."""
        self.decided.discard(tried.key)
        key = self.folder.get(tried.key.name, tried.key)
        why = NotYet.UNFINISHED if lacks_its_end else NotYet.CHANGED
        self.uploads.put_back(Unsettled(tried, key, why), self.now_s, delay_s=delay_s)
        is_as_it_was = key == tried.key
        self.waiting[key.name] = Belief(
            key,
            changed_s=tried.unchanged_since_s if is_as_it_was else self.now_s,
            first_seen_s=self.first_seen_s[tried.key.name],
            is_finished=False,
            not_before_s=self.now_s + delay_s,
            lacks_its_end=lacks_its_end and is_as_it_was,
        )

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def put_back_what_was_heard_of_meanwhile(self, data: st.DataObject) -> None:
        """What is waiting again knows more than who tried it before: nothing changes."""
        belief = self.waiting[data.draw(st.sampled_from(sorted(self.waiting)))]
        tried = Unsettled(describe(belief.key), belief.key, NotYet.UNFINISHED)
        self.uploads.put_back(tried, self.now_s, delay_s=LONGEST_DELAY_S)

    def check(self, candidate: Candidate) -> None:
        """Compare what is handed out with what was seen; a second time without cause is not believed."""
        assert candidate.key not in self.decided
        belief = self.waiting.pop(candidate.key.name)
        self.first_seen_s[candidate.key.name] = belief.first_seen_s
        assert candidate.key == belief.key
        assert candidate.unchanged_since_s == belief.changed_s
        assert candidate.is_final == (self.now_s - belief.changed_s >= GIVE_UP_S)
        assert belief.is_finished or self.now_s - belief.changed_s >= SETTLE_S
        assert belief.is_finished or candidate.is_final or not belief.lacks_its_end
        assert self.now_s >= belief.not_before_s

    def is_settled(self, belief: Belief) -> bool:
        patience_s = GIVE_UP_S if belief.lacks_its_end else SETTLE_S
        is_quiet = self.now_s - belief.changed_s >= patience_s
        return self.now_s >= belief.not_before_s and (is_quiet or belief.is_finished)

    def is_held(self, belief: Belief) -> bool:
        """Tell whether an older file of its camera, seen a short while ago, is still on its way."""
        mine = describe(belief.key)
        return any(
            describe(other.key).camera == mine.camera
            and describe(other.key).order < mine.order
            and not self.is_settled(other)
            and self.now_s - other.first_seen_s < SETTLE_S
            for other in self.waiting.values()
        )

    def is_free(self, belief: Belief) -> bool:
        """Tell whether a file is complete and need not wait for others, or a younger one need not."""
        mine = describe(belief.key)
        return self.is_ready(belief) and any(
            self.is_ready(other)
            and describe(other.key).camera == mine.camera
            and describe(other.key).order >= mine.order
            and self.now_s - other.first_seen_s >= self.reorder_s
            for other in self.waiting.values()
        )

    def is_ready(self, belief: Belief) -> bool:
        return self.is_settled(belief) and not self.is_held(belief)

    @invariant()
    def would_hand_out_now_what_is_complete_and_not_held(self) -> None:
        """Ask a copy, so that it is asked at every step and not only when somebody takes."""
        would_take = copy.deepcopy(self.uploads).settle(self.now_s)
        expected = {
            (belief.key, belief.changed_s) for belief in self.waiting.values() if self.is_free(belief)
        }
        assert {(candidate.key, candidate.unchanged_since_s) for candidate in would_take} == expected

    @invariant()
    def has_a_deadline_before_which_nothing_comes(self) -> None:
        """Complete files stay complete: so it is enough to ask a moment before the deadline."""
        asked = copy.deepcopy(self.uploads)
        asked.settle(self.now_s)
        deadline_s = asked.settle_deadline_s(self.now_s)
        assert (deadline_s == math.inf) == (len(asked._settling) == 0)
        assert deadline_s > self.now_s
        if deadline_s < math.inf:
            assert deadline_s <= self.now_s + max(self.reorder_s, GIVE_UP_S + LONGEST_DELAY_S)
            assert deadline_s - TICK_S <= self.now_s or asked.settle(deadline_s - TICK_S) == []

    @invariant()
    def waits_for_what_was_seen(self) -> None:
        assert len(self.uploads._settling) == len(self.waiting)
        assert all(self.uploads.is_settling(name) for name in self.waiting)

    def teardown(self) -> None:
        """When nothing changes any more, everything that waits is handed out."""
        self.now_s += self.reorder_s + GIVE_UP_S + LONGEST_DELAY_S
        for candidate in self.uploads.settle(self.now_s):
            self.check(candidate)
        assert not self.waiting
        assert len(self.uploads._settling) == 0


SettlingMachine.TestCase.settings = settings(stateful_step_count=40, deadline=None, database=None)


class TestWritersDoWhatTheyLike(SettlingMachine.TestCase):  # type: ignore[valid-type,misc]
    """Whatever writers do and watchers hear, a file is taken once, complete, in order, and in the end."""


class ReorderingMachine(SettlingMachine):
    """The same, where each file waits for older ones."""

    reorder_s = 3.0


ReorderingMachine.TestCase.settings = SettlingMachine.TestCase.settings


class TestFilesWaitForOlderOnes(ReorderingMachine.TestCase):  # type: ignore[valid-type,misc]
    """Whatever writers do, a file waits for older ones for a bounded time, and they go before it."""
