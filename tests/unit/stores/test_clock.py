"""The clock by which sessions live: what it believes, and what it goes by when it does not."""

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from service.errors import StoreError
from service.stores.clock import MOST_DIFFERENCE_SECONDS, Clocks, Look, StoreClock
from tests.manual_clocks import ManualClocks

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
RETENTION = 2 * DAY


class LooksInDict:
    """What a store keeps; it may fail."""

    def __init__(self) -> None:
        self.looks: dict[str, Look] = {}
        self.away = False

    def read_looks(self) -> Mapping[str, Look]:
        self._fail()
        return dict(self.looks)

    def write_look(self, boot_id: str, look: Look, *, alone: bool) -> None:
        self._fail()
        if alone:
            self.looks.clear()
        self.looks[boot_id] = look

    def _fail(self) -> None:
        if self.away:
            raise StoreError("away")


@pytest.fixture
def looks() -> LooksInDict:
    return LooksInDict()


@pytest.fixture
def machine() -> ManualClocks:
    return ManualClocks()


def started(machine: ManualClocks, looks: LooksInDict) -> StoreClock:
    """The clock of a process that starts now."""
    return StoreClock(machine.clocks, looks, RETENTION)


def run(machine: ManualClocks, seconds: float, *clocks: StoreClock) -> None:
    """Let time pass, with a look each minute."""
    for _ in range(round(seconds / MINUTE)):
        machine.pass_time(MINUTE)
        for clock in clocks:
            clock.refresh()


def test_it_shows_the_wall(machine: ManualClocks, looks: LooksInDict) -> None:
    clock = started(machine, looks)
    assert clock.held is None
    assert clock.now() == machine.wall
    machine.pass_time(10)
    assert clock.now() == machine.wall
    run(machine, HOUR, clock)
    assert clock.now() == machine.wall


@pytest.mark.parametrize("jump", [40 * DAY, -40 * DAY, 61.0, -61.0, HOUR, -HOUR])
def test_a_jump_is_not_seen_and_then_not_believed(
    machine: ManualClocks, looks: LooksInDict, jump: float
) -> None:
    clock = started(machine, looks)
    machine.jump(jump)
    for _ in range(3):
        machine.pass_time(MINUTE)
        assert clock.now() == pytest.approx(machine.wall - jump)
        clock.refresh()
        assert clock.held == f"the clock has jumped by {jump:+.0f} s"
    machine.jump(-jump)
    clock.refresh()
    assert clock.held is None, "the wall is right again"
    assert clock.now() == machine.wall


@pytest.mark.parametrize("jump", [59.0, -59.0])
def test_a_small_correction_is_believed(
    machine: ManualClocks, looks: LooksInDict, jump: float
) -> None:
    clock = started(machine, looks)
    machine.jump(jump)
    assert clock.now() == machine.wall - jump
    clock.refresh()
    assert clock.held is None
    assert clock.now() == machine.wall


def test_a_machine_that_sleeps_for_long_is_no_jump(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    clock = started(machine, looks)
    machine.pass_time(30 * DAY)
    assert clock.now() == machine.wall
    clock.refresh()
    assert clock.held is None
    assert clock.now() == machine.wall


@pytest.mark.parametrize("jump", [40 * DAY, -40 * DAY])
def test_processes_that_start_after_a_jump_go_by_the_same_time(
    machine: ManualClocks, looks: LooksInDict, jump: float
) -> None:
    first = started(machine, looks)
    run(machine, HOUR, first)
    machine.jump(jump)
    second = started(machine, looks)
    assert second.held is not None
    assert second.now() == pytest.approx(first.now())
    run(machine, 5 * DAY, first)
    third = started(machine, looks)
    assert third.now() == pytest.approx(first.now()) == pytest.approx(machine.wall - jump)
    assert third.held is not None
    machine.jump(-jump)
    for clock in (third, first, second):
        clock.refresh()
        assert clock.held is None
        assert clock.now() == machine.wall


@pytest.mark.parametrize("jump", [40 * DAY, -40 * DAY])
def test_one_process_that_is_wrong_disturbs_no_other(
    machine: ManualClocks, looks: LooksInDict, jump: float
) -> None:
    right = started(machine, looks)
    wrong_clocks = Clocks(machine.boot_id, lambda: machine.boot, lambda: machine.wall + jump)
    wrong = StoreClock(wrong_clocks, looks, RETENTION)
    for _ in range(5):
        machine.pass_time(MINUTE)
        wrong.refresh()
        right.refresh()
        assert wrong.held is not None
        assert right.held is None
        assert wrong.now() == pytest.approx(right.now()) == pytest.approx(machine.wall)


def test_another_machine_that_is_wrong_disturbs_none(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    right = started(machine, looks)
    ahead = ManualClocks(machine.wall + 40 * DAY, "other")
    for seconds in (0.0, MINUTE, MINUTE):
        machine.pass_time(seconds)
        ahead.pass_time(seconds)
        wrong = StoreClock(ahead.clocks, looks, RETENTION)
        right.refresh()
        assert wrong.held is not None
        assert wrong.now() == pytest.approx(right.now(), abs=MINUTE)
        assert right.held is None
        assert right.now() == machine.wall


def test_a_doubted_wall_is_never_kept(machine: ManualClocks, looks: LooksInDict) -> None:
    clock = started(machine, looks)
    machine.jump(40 * DAY)
    run(machine, HOUR, clock)
    assert max(one.wall_seconds for one in looks.looks.values()) < machine.wall - 39 * DAY


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_service_that_was_off_for_longer_than_sessions_are_kept(
    machine: ManualClocks, looks: LooksInDict, same_boot: bool
) -> None:
    started(machine, looks)
    last = machine.wall
    if same_boot:
        machine.pass_time(3 * DAY)
    else:
        machine.reboot("second", 3 * DAY)
    clock = started(machine, looks)
    assert clock.held is not None
    assert "259200 s have passed unseen" in clock.held
    assert clock.now() == last, "its sessions lose nothing of their lives"
    run(machine, HOUR, clock)
    assert clock.held is not None
    assert clock.now() == pytest.approx(last + HOUR)
    machine.pass_time(30)
    another = started(machine, looks)
    assert another.held is not None
    assert another.now() == pytest.approx(clock.now())
    another.accept()
    clock.refresh()
    for one in (another, clock):
        assert one.held is None
        assert one.now() == machine.wall


@pytest.mark.parametrize("same_boot", [True, False])
def test_a_service_that_was_off_for_less(
    machine: ManualClocks, looks: LooksInDict, same_boot: bool
) -> None:
    started(machine, looks)
    if same_boot:
        machine.pass_time(1.9 * DAY)
    else:
        machine.reboot("second", 1.9 * DAY)
    clock = started(machine, looks)
    assert clock.held is None
    assert clock.now() == machine.wall


def test_a_machine_that_boots_with_a_clock_behind_and_gets_the_time_later(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    """As those do that have no battery for it."""
    started(machine, looks)
    last = machine.wall
    machine.reboot("second", 2 * HOUR)
    machine.jump(-10_000 * DAY)
    clock = started(machine, looks)
    assert clock.held is not None
    assert "behind what it showed before" in clock.held
    run(machine, 10 * MINUTE, clock)
    assert clock.now() == pytest.approx(last + 10 * MINUTE)
    machine.jump(10_000 * DAY)
    clock.refresh()
    assert clock.held is None
    assert clock.now() == machine.wall == last + 2 * HOUR + 10 * MINUTE


def test_a_reboot_with_a_wall_far_ahead(machine: ManualClocks, looks: LooksInDict) -> None:
    started(machine, looks)
    last = machine.wall
    machine.reboot("second", 40 * DAY)
    clock = started(machine, looks)
    assert clock.held is not None
    assert clock.now() == last


def test_a_reboot_while_the_clock_was_held(machine: ManualClocks, looks: LooksInDict) -> None:
    """The time that sessions lived by goes on, also where the wall was wrong for days."""
    clock = started(machine, looks)
    machine.jump(-40 * DAY)
    run(machine, 3 * DAY, clock)
    reached = clock.now()
    machine.reboot("second")
    machine.jump(40 * DAY)
    clock = started(machine, looks)
    assert clock.held is None
    assert clock.now() == machine.wall == pytest.approx(reached + 30)


def test_a_machine_that_is_put_back_to_an_earlier_moment(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    """The same boot, fewer seconds since then; the store stood elsewhere."""
    clock = started(machine, looks)
    run(machine, DAY, clock)
    last = machine.wall
    machine.boot -= DAY / 2
    machine.wall += HOUR
    for one in (clock, started(machine, looks)):
        one.refresh()
        assert one.held is not None
        assert one.now() == pytest.approx(last)


def test_a_store_that_was_away_for_long_makes_nobody_doubt(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    clock = started(machine, looks)
    looks.away = True
    for _ in range(72):
        machine.pass_time(HOUR)
        with pytest.raises(StoreError):
            clock.refresh()
        assert clock.now() == machine.wall
    looks.away = False
    clock.refresh()
    assert clock.held is None
    assert clock.now() == machine.wall


def test_a_jump_while_the_store_was_away_for_long(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    clock = started(machine, looks)
    looks.away = True
    machine.pass_time(3 * DAY)
    machine.jump(40 * DAY)
    with pytest.raises(StoreError):
        clock.refresh()
    looks.away = False
    clock.refresh()
    assert clock.held is not None
    assert clock.now() == pytest.approx(machine.wall - 40 * DAY)


def test_accepting_is_for_all_processes_and_nothing_where_the_store_is_away(
    machine: ManualClocks, looks: LooksInDict
) -> None:
    first, second = started(machine, looks), started(machine, looks)
    machine.jump(40 * DAY)
    for clock in (first, second):
        clock.refresh()
    looks.away = True
    with pytest.raises(StoreError):
        first.accept()
    assert first.held is not None
    assert first.now() == pytest.approx(machine.wall - 40 * DAY)
    looks.away = False
    first.accept()
    assert list(looks.looks) == [machine.boot_id]
    second.refresh()
    for clock in (first, second, started(machine, looks)):
        assert clock.held is None
        assert clock.now() == machine.wall


def test_a_process_that_is_stopped_between_the_two_clocks() -> None:
    boots = iter([1.0, 201.0, 202.0, 202.1])
    walls = iter([101.0, 302.0])
    clocks = Clocks("b", lambda: next(boots), lambda: next(walls))
    assert clocks.look() == Look(202.0, 302.0)


def test_the_clocks_of_this_machine_go_on() -> None:
    clocks = Clocks.of_this_machine()
    assert clocks.boot_id == Clocks.of_this_machine().boot_id
    first, second = clocks.look(), clocks.look()
    assert second.boot_seconds >= first.boot_seconds > 0


class Histories(RuleBasedStateMachine):
    """Processes come and go on one machine whose wall is set, and which boots anew."""

    @initialize()
    def begin(self) -> None:
        self.machine = ManualClocks()
        self.looks = LooksInDict()
        self.processes = [started(self.machine, self.looks)]
        self.wrong_by = 0.0
        self.boots = 0

    @rule(seconds=st.floats(0, 90))
    def pass_time(self, seconds: float) -> None:
        """No longer than from one look to the next, which each process then takes."""
        before = [one.now() for one in self.processes]
        self.machine.pass_time(seconds)
        after = [one.now() for one in self.processes]
        for early, late in zip(before, after, strict=True):
            assert late - early == pytest.approx(seconds, abs=1e-3)
        self._refresh_all()

    @rule(seconds=st.sampled_from([-40 * DAY, -3 * DAY, -HOUR, HOUR, DAY, 3 * DAY, 40 * DAY]))
    def jump(self, seconds: float) -> None:
        before = [one.now() for one in self.processes]
        self.machine.jump(seconds)
        self.wrong_by += seconds
        assert [one.now() for one in self.processes] == before
        self._refresh_all()

    @precondition(lambda self: self.wrong_by)
    @rule()
    def set_right(self) -> None:
        self.machine.jump(-self.wrong_by)
        self.wrong_by = 0.0
        self._refresh_all()
        assert all(one.held is None for one in self.processes)
        assert all(one.now() == self.machine.wall for one in self.processes)

    @rule()
    def start_another(self) -> None:
        expected = self.processes[0].now()
        self.processes.append(started(self.machine, self.looks))
        assert self.processes[-1].now() == pytest.approx(expected, abs=MOST_DIFFERENCE_SECONDS)

    @precondition(lambda self: len(self.processes) > 1)
    @rule(data=st.data())
    def stop_one(self, data: st.DataObject) -> None:
        self.processes.pop(data.draw(st.integers(0, len(self.processes) - 1)))

    @rule(seconds=st.floats(0, DAY))
    def restart_all(self, seconds: float) -> None:
        """The machine stays on."""
        expected = self.processes[0].now() + seconds
        self.machine.pass_time(seconds)
        self.processes = [started(self.machine, self.looks)]
        assert self.processes[0].now() == pytest.approx(expected, abs=MOST_DIFFERENCE_SECONDS)

    @precondition(lambda self: not self.wrong_by)
    @rule(seconds=st.floats(0, DAY))
    def boot_anew(self, seconds: float) -> None:
        expected = self.processes[0].now() + seconds
        self.boots += 1
        self.machine.reboot(f"boot {self.boots}", seconds)
        self.processes = [started(self.machine, self.looks)]
        assert self.processes[0].now() == pytest.approx(expected, abs=MOST_DIFFERENCE_SECONDS)

    @rule(data=st.data())
    def accept(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.processes)).accept()
        self.wrong_by = 0.0
        self._refresh_all()
        assert all(one.held is None for one in self.processes)
        assert all(one.now() == self.machine.wall for one in self.processes)

    @invariant()
    def all_go_by_one_time(self) -> None:
        times = [one.now() for one in self.processes]
        assert max(times) - min(times) < MOST_DIFFERENCE_SECONDS

    @invariant()
    def it_is_the_right_time_less_what_the_wall_is_wrong_by(self) -> None:
        for one in self.processes:
            assert one.now() == pytest.approx(self.machine.wall - self.wrong_by, abs=1e-3)
            assert (one.held is None) == (not self.wrong_by)

    def _refresh_all(self) -> None:
        for one in self.processes:
            one.refresh()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=200, stateful_step_count=30)


@given(
    st.lists(st.tuples(st.floats(-59, 59), st.floats(0, 3600)), max_size=20),
)
def test_it_never_goes_back_by_more_than_a_small_correction(
    history: list[tuple[float, float]],
) -> None:
    machine, looks = ManualClocks(), LooksInDict()
    clock = started(machine, looks)
    before = clock.now()
    for jump, seconds in history:
        machine.jump(jump)
        machine.pass_time(seconds)
        clock.refresh()
        assert clock.held is None
        assert clock.now() >= before + seconds - MOST_DIFFERENCE_SECONDS
        before = clock.now()
