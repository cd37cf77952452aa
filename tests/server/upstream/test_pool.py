from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pointsman_server.upstream.pool import Pool, Turn

LIFETIME_S = 60.0


def full(limit: int) -> Pool[str, str]:
    pool: Pool[str, str] = Pool(limit, LIFETIME_S)
    for _ in range(limit):
        assert pool.lease() is Turn.OPEN
    return pool


def test_connections_are_opened_up_to_the_limit_and_then_waited_for() -> None:
    assert full(2).lease() is Turn.WAIT


def test_the_connection_used_last_is_used_first() -> None:
    pool = full(3)
    for now, connection in enumerate(["a", "b", "c"]):
        pool.keep(connection, now)
    assert [pool.lease(), pool.lease(), pool.lease()] == ["c", "b", "a"]


def test_whoever_waits_longest_is_first() -> None:
    pool = full(1)
    for waiter in ("first", "second", "third"):
        pool.wait(waiter)
    assert pool.leave("second")
    assert [pool.next(), pool.next(), pool.next()] == ["first", "third", None]


def test_who_has_had_its_turn_is_no_longer_in_the_queue() -> None:
    pool = full(1)
    pool.wait("first")
    assert pool.next() == "first"
    assert not pool.leave("first")


def test_a_slot_that_is_free_is_given_again() -> None:
    pool = full(1)
    pool.free()
    assert pool.lease() is Turn.OPEN


def test_an_idle_connection_that_ended_leaves_its_slot() -> None:
    pool = full(1)
    pool.keep("a", 0.0)
    pool.drop("a")
    pool.drop("a")
    assert pool.lease() is Turn.OPEN


def test_idle_connections_expire_the_longest_unused_first() -> None:
    pool = full(3)
    for now, connection in ((0.0, "a"), (10.0, "b"), (20.0, "c")):
        pool.keep(connection, now)
    assert pool.next_expiry == LIFETIME_S
    assert pool.expire(LIFETIME_S - 0.1) == []
    assert pool.expire(LIFETIME_S + 10.0) == ["a", "b"]
    assert pool.next_expiry == LIFETIME_S + 20.0
    assert pool.lease() == "c"
    assert pool.next_expiry is None


def test_using_a_connection_begins_its_life_anew() -> None:
    pool = full(2)
    pool.keep("a", 0.0)
    pool.keep("b", 1.0)
    assert pool.lease() == "b"
    pool.keep("b", 50.0)
    assert pool.expire(LIFETIME_S + 2.0) == ["a"]


def test_dissolving_gives_everybody_a_turn() -> None:
    pool = full(1)
    pool.wait("a")
    pool.wait("b")
    assert list(pool.dissolve()) == ["a", "b"]
    assert (pool.waiting, pool.leased) == (0, 3)


class PoolMachine(RuleBasedStateMachine):
    """Calls that come, wait, leave and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[int, int] = Pool(3, LIFETIME_S)
        self.now = 0.0
        self.next_name = 0
        self.held: list[int] = []
        self.queue: list[int] = []

    def name(self) -> int:
        self.next_name += 1
        return self.next_name

    def pass_on(self, connection: int | None) -> None:
        waiter = self.pool.next()
        if waiter is not None:
            assert waiter == self.queue.pop(0)
            self.held.append(self.name() if connection is None else connection)
        elif connection is None:
            self.pool.free()
        else:
            self.pool.keep(connection, self.now)

    @rule()
    def come(self) -> None:
        match self.pool.lease():
            case Turn.OPEN:
                assert not self.queue
                self.held.append(self.name())
            case Turn.WAIT:
                assert len(self.held) == 3
                self.queue.append(self.name())
                self.pool.wait(self.queue[-1])
            case connection:
                assert not self.queue
                assert connection not in self.held
                self.held.append(connection)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), reusable=st.booleans())
    def end(self, data: st.DataObject, reusable: bool) -> None:
        connection = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.pass_on(connection if reusable else None)

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        waiter = self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1)))
        assert self.pool.leave(waiter)

    @rule(by=st.floats(0.0, 100.0))
    def time_passes(self, by: float) -> None:
        self.now += by
        assert not set(self.pool.expire(self.now)) & set(self.held)
        assert self.pool.next_expiry is None or self.pool.next_expiry > self.now

    @rule(connection=st.integers(1, 20))
    def one_ends_by_itself(self, connection: int) -> None:
        self.pool.drop(connection)

    @invariant()
    def slots_are_neither_lost_nor_made(self) -> None:
        assert self.pool.leased == len(self.held)
        assert self.pool.leased + self.pool.idle <= 3
        assert self.pool.waiting == len(self.queue)
        assert not self.queue or self.pool.leased == 3


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestPool = PoolMachine.TestCase
