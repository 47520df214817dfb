"""A model of the whole daemon: whatever its camera, its disk and its machine do, the books balance.

The machine does to a drop folder what cameras do, loses the hints it likes, fills the disk, crashes the
daemon at any step of the protocol, edits its config, and moves the clocks. The model knows each version that
ever stood in the folder, and follows the verdicts one by one: given the last kept frame, each has to be the
one that a reader of the README would expect.
"""

import errno
import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from framegate.events.frames import FrameDecided
from framegate.ingest import sweeper, sweeping
from framegate.ingest.queue import backlog
from framegate.keep.disk import Step
from framegate.model import Origin
from invariants import (
    acknowledged_are_there,
    inputs_are_untouched,
    judged,
    ledger_is_sound,
    ledger_rows,
    lines_of,
    no_temporary_is_left,
    results_are_the_oracles,
    rows_agree_with_results,
    rows_are_explained,
    verdicts_are_final,
    visible,
    whole_and_ours,
)
from oracle import DETECTION, FIRST_MTIME_NS, Shot, scene_jpeg
from running import Site
from stepping import Crash, FaultyDisk, Stepped

EXAMPLES = int(os.environ.get("FRAMEGATE_EXAMPLES", "60"))
"""More of them, by this flag, for a night."""

SETTLE_S, GIVE_UP_S, POLL_S = 1.0, 4.0, 2.0
NOTHING_ELSE_KEPT = DETECTION.replace('"50%"', '"100%"')
"""An edit after which no change is large enough: only the first frame of a camera is kept."""

CAMERAS = r"camera_pattern = '(^|/)(?P<camera>c\d+)_'"
DAY_NS = 86_400_000_000_000
NAMES = st.sampled_from(["c1_a.jpg", "c1_b.jpg", "c2_a.jpg", "gate/c1_c.jpg", "gate/c2_b.jpg"])
SCENES = st.integers(0, 3)
IS_HEARD = st.booleans()
ERRORS = st.sampled_from([errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT])

Version = tuple[str, int, int]


class DaemonMachine(RuleBasedStateMachine):
    """The world around one daemon."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.home = Path(tempfile.mkdtemp(prefix="framegate-machine-"))
        self.site = Site(self.home)
        self.disk = FaultyDisk()
        self.daemon = Stepped(self.site, self.disk)
        self.number = 0
        self.clock_ns = FIRST_MTIME_NS
        self.versions: dict[Version, Shot] = {}
        self.standing: dict[str, Shot] = {}
        self.keeps_changes = True
        self.followed = 0
        self.references: dict[str, int] = {}
        self.verdicts: dict[Version, tuple[str, str | None]] = {}
        self.kept: list[Shot] = []

    # --- the daemon's lives ---------------------------------------------------------------------------

    @initialize(
        has_unnamed=st.booleans(), batch=st.sampled_from([1, 2, 1000]), room=st.sampled_from([4, 4096])
    )
    def begin(self, *, has_unnamed: bool, batch: int, room: int) -> None:
        self.disk.has_unnamed = has_unnamed
        self.patch.setattr(sweeping, "BATCH", batch)
        self.patch.setattr(sweeper, "SLICE_S", 0.0)
        self.patch.setattr(backlog, "MOST_IN_HAND", room)
        self.patch.setattr(backlog, "MOST_BY_SWEEP", room * 3 // 4)
        self.patch.setattr(backlog, "REFILL_BELOW", room // 4)
        self.edit(keeps_changes=True)
        self.daemon.start()

    def edit(self, *, keeps_changes: bool, includes_png: bool = False) -> None:
        """Write the config; frames are named otherwise when PNG files are frames, though there are none."""
        self.keeps_changes = keeps_changes
        include = '"*.jpg", "*.png"' if includes_png else '"*.jpg"'
        self.site.configure(
            drop='watch = "poll"\n'
            f"include = [{include}]\npoll_s = {POLL_S}\n"
            f"settle_s = {SETTLE_S}\ngive_up_s = {GIVE_UP_S}\n{CAMERAS}",
            detection=DETECTION if keeps_changes else NOTHING_ELSE_KEPT,
        )

    def go(self, seconds: float) -> None:
        """Let time pass; when the daemon crashes in it, the next life begins at once."""
        try:
            self.daemon.go(seconds)
        except Crash:
            self.crash()

    def crash(self) -> None:
        self.follow()
        self.daemon.crash()
        self.daemon.start()

    @rule(seconds=st.sampled_from([0.0, SETTLE_S / 2, SETTLE_S, POLL_S, GIVE_UP_S + POLL_S]))
    def time_passes(self, seconds: float) -> None:
        self.go(seconds)

    @rule(turns=st.integers(1, 3))
    def a_sweep_advances(self, turns: int) -> None:
        """Let some files be listed, and no time pass; the next rule finds the sweep under way."""
        assert self.daemon.daemon is not None
        try:
            for _ in range(turns):
                self.daemon.daemon.turn(0)
        except Crash:
            self.crash()

    @rule(seconds=st.sampled_from([POLL_S, GIVE_UP_S + POLL_S]))
    def a_sweep_is_begun(self, seconds: float) -> None:
        """Let the next sweep become due, and no more than its first files be listed."""
        self.daemon.now_s += seconds
        self.a_sweep_advances(1)

    @rule()
    def events_are_lost(self) -> None:
        """Let the kernel say that its queue has overflowed."""
        assert self.daemon.daemon is not None
        self.daemon.daemon._intake.inbox.request_sweep()

    @precondition(lambda self: not self.is_away)
    @rule()
    def the_drop_folder_goes_away(self) -> None:
        self.site.drop.rename(self.away)

    @precondition(lambda self: self.is_away)
    @rule()
    def the_drop_folder_comes_back(self) -> None:
        self.away.rename(self.site.drop)

    @property
    def away(self) -> Path:
        return self.home / "away"

    @property
    def is_away(self) -> bool:
        return self.away.exists()

    @property
    def drop(self) -> Path:
        """Where the drop folder is now: cameras write on to a disk that is mounted elsewhere."""
        return self.away if self.is_away else self.site.drop

    @rule()
    def the_process_is_killed(self) -> None:
        self.crash()

    @rule(step=st.sampled_from(list(Step)), at_reach=st.integers(1, 3))
    def it_will_crash(self, step: Step, at_reach: int) -> None:
        self.disk.fail(step, Crash, at_reach=at_reach)

    @rule(error=ERRORS, step=st.sampled_from([Step.WRITE, Step.INTEND, Step.FLUSH, Step.SYNC_FOLDER]))
    def the_disk_fails(self, error: int, step: Step) -> None:
        self.disk.fail(step, lambda: OSError(error, os.strerror(error)), lasts=True)

    @precondition(lambda self: self.disk.faults)
    @rule()
    def the_disk_heals(self) -> None:
        self.disk.heal()

    @precondition(lambda self: not self.disk.faults)
    @rule(keeps_changes=st.booleans())
    def the_config_is_edited(self, *, keeps_changes: bool) -> None:
        self.follow()
        self.daemon.stop()
        self.follow()
        self.edit(keeps_changes=keeps_changes)
        self.daemon.start()

    @precondition(lambda self: not self.disk.faults and self.has_nothing_half_done())
    @rule(keeps_changes=st.booleans(), includes_png=st.booleans())
    def the_config_is_edited_while_it_runs(self, *, keeps_changes: bool, includes_png: bool) -> None:
        assert self.daemon.daemon is not None
        self.follow()
        self.edit(keeps_changes=keeps_changes, includes_png=includes_png)
        self.daemon.daemon.reload()
        self.go(0)

    def has_nothing_half_done(self) -> bool:
        """Tell whether no frame is decided whose verdict was not told: such a one keeps its decision."""
        daemon = self.daemon.daemon
        return daemon is not None and daemon._is_recovered and daemon._pause is None

    # --- the camera -----------------------------------------------------------------------------------

    @rule(name=NAMES, scene=SCENES, is_heard=IS_HEARD)
    def a_frame_is_written(self, name: str, scene: int, *, is_heard: bool) -> None:
        self.put(name, self.picture(scene), scene)
        self.say(name, Origin.CREATED, Origin.CLOSED, is_heard=is_heard)

    @rule(name=NAMES, scene=SCENES, is_heard=IS_HEARD)
    def a_frame_is_renamed_in(self, name: str, scene: int, *, is_heard: bool) -> None:
        self.put(name, self.picture(scene), scene, through=".part")
        self.say(name, Origin.MOVED, is_heard=is_heard)

    @rule(name=NAMES, scene=SCENES, share=st.sampled_from([0.0, 0.3, 0.99]), is_heard=IS_HEARD)
    def an_upload_stalls(self, name: str, scene: int, share: float, *, is_heard: bool) -> None:
        data = self.picture(scene)
        self.put(name, data[: int(share * len(data))], None)
        self.say(name, Origin.CREATED, is_heard=is_heard)

    @rule(name=NAMES, scene=SCENES, is_heard=IS_HEARD)
    def space_is_taken_first(self, name: str, scene: int, *, is_heard: bool) -> None:
        data = self.picture(scene)
        self.put(name, data[:1000] + bytes(len(data) - 1000), None)
        self.say(name, Origin.CREATED, Origin.CLOSED, is_heard=is_heard)

    @precondition(lambda self: self.standing)
    @rule(data=st.data(), is_heard=IS_HEARD)
    def a_file_is_cut(self, data: st.DataObject, *, is_heard: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.standing)))
        self.put(name, self.standing[name].data[:700], None)
        self.say(name, Origin.CLOSED, is_heard=is_heard)

    @precondition(lambda self: self.standing)
    @rule(data=st.data())
    def a_file_is_removed(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.standing)))
        (self.drop / name).unlink()
        del self.standing[name]

    @rule(days=st.sampled_from([-1, 1]), hours=st.integers(0, 23))
    def the_clock_jumps(self, days: int, hours: int) -> None:
        self.clock_ns += days * DAY_NS + hours * DAY_NS // 24

    def picture(self, scene: int) -> bytes:
        self.number += 1
        return scene_jpeg(scene, self.number, 2000)

    def put(self, name: str, data: bytes, scene: int | None, through: str = "") -> None:
        """Write a file with a time of its own; the clock may go back, but never shows a time twice."""
        self.clock_ns += 1_000_000_001
        path = self.drop / (name + through)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(self.clock_ns, self.clock_ns))
        path.rename(self.drop / name)
        taken = Shot(name, data, self.clock_ns, scene, Path(name).name[:2])
        self.versions[taken.version] = self.standing[name] = taken

    def say(self, name: str, *origins: Origin, is_heard: bool) -> None:
        for origin in origins:
            if is_heard:
                self.daemon.hint(name, origin)

    # --- the model ------------------------------------------------------------------------------------

    @invariant()
    def follow(self) -> None:
        """Compare each new verdict with the one that the model gives."""
        verdicts = self.daemon.verdicts()
        for event in verdicts[self.followed :]:
            self.expect(event)
        self.followed = len(verdicts)

    @invariant()
    def nothing_visible_is_partial(self) -> None:
        assert not list(whole_and_ours(visible(self.site.results), list(self.versions.values()), {}))

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.daemon.daemon is None or self.daemon.daemon.in_hand <= backlog.MOST_IN_HAND

    def expect(self, event: FrameDecided) -> None:
        entry = event.entry
        version = (entry.key.name, entry.key.size_bytes, entry.key.mtime_ns)
        taken = self.versions[version]
        verdict = (str(entry.reason.verdict), entry.result)
        if version in self.verdicts:  # after a crash, again
            assert self.verdicts[version] == verdict
            return
        self.verdicts[version] = verdict
        if entry.reason == "vanished":
            assert self.standing.get(taken.name) is not taken
        else:
            assert entry.reason == self.right_reason(taken), taken.name
        if verdict[0] == "kept":
            assert taken.scene is not None
            self.references[taken.camera] = taken.scene
            self.kept.append(taken)

    def right_reason(self, taken: Shot) -> str:
        if taken.scene is None:
            return "truncated" if taken.data else "empty"
        if taken.camera not in self.references:
            return "first"
        is_changed = taken.scene != self.references[taken.camera] and self.keeps_changes
        return "changed" if is_changed else "unchanged"

    def teardown(self) -> None:
        try:
            if self.daemon.daemon is not None:
                self.come_to_rest()
                self.check()
        finally:
            self.patch.undo()
            shutil.rmtree(self.home)

    def come_to_rest(self) -> None:
        if self.is_away:
            self.the_drop_folder_comes_back()
        self.disk.heal()
        self.go(200)  # the longest pause is 60 s
        self.follow()
        self.daemon.stop()

    def check(self) -> None:
        """Ask the shared checker, and that whatever stands in the folder has its verdict."""
        lines, results, rows = (
            lines_of(self.daemon.events),
            visible(self.site.results),
            ledger_rows(self.site),
        )
        shots = judged(self.site, self.versions.values())
        assert [row.name for row in rows if row.verdict == "kept"] == [taken.name for taken in self.kept]
        assert {taken.version for taken in self.standing.values()} <= {row.version for row in rows}
        assert len({row.version for row in rows}) == len(rows)
        assert self.daemon.count("intake.paused") == self.daemon.count("intake.resumed") + self.lost_pauses()
        found = [
            *results_are_the_oracles(results, self.kept, {}),
            *acknowledged_are_there(results, lines, shots),
            *verdicts_are_final(lines),
            *inputs_are_untouched(self.site.drop, list(self.standing.values())),
            *no_temporary_is_left(self.site),
            *ledger_is_sound(self.site),
            *rows_are_explained(rows),
            *rows_agree_with_results(rows, results),
        ]
        assert not found, "\n".join(found)

    def lost_pauses(self) -> int:
        """Pauses that a crash ended."""
        names = [
            e.event
            for e in self.daemon.events
            if e.event in {"intake.paused", "intake.resumed", "daemon.started"}
        ]
        return sum(
            a == "intake.paused" and b != "intake.resumed"
            for a, b in zip(names, [*names[1:], ""], strict=True)
        )


@pytest.mark.slow
@pytest.mark.timeout(60 + 5 * EXAMPLES)
class TestWhateverHappensTheBooksBalance(DaemonMachine.TestCase):  # type: ignore[valid-type,misc]
    """Whatever happens, every frame has the verdict that it should have, and no frame is lost or doubled."""


TestWhateverHappensTheBooksBalance.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
