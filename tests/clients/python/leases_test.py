"""Leases without a server: deadlines, renewals, losses, who waits for whom."""
import unittest

from support import BASE_EPOCH, T0_S, World, entry, event, message, pb, refusal, snapshot

from leasemap import entry as entries
from leasemap import errors, flows, lease_flows
from leasemap.lease_state import HELD, LOST, RELEASED, LeaseState, check_duration


def grant(start=T0_S, version="v1", written=T0_S, holder="me", epoch=BASE_EPOCH, expire=None):
    return entries.from_proto(entry("k", holder=holder, start=start, version=version, written=written, epoch=epoch,
                                    expire=written + 10 if expire is None else expire))


class StateTest(unittest.TestCase):
    """A lease of 10 s that was asked for at 100."""

    def setUp(self):
        self.lease = LeaseState(b"k", "me", 10.0, True)
        self.assertTrue(self.lease.granted(grant(), 100.0, 100.0, "a:1"))


class DeadlineTest(StateTest):
    def test_it_ends_before_the_clusters_counted_from_before_the_request(self):
        self.assertTrue(self.lease.held(107.4))
        self.assertFalse(self.lease.held(107.5))
        self.assertTrue(self.lease.overdue(107.5))
        self.assertEqual((self.lease.left(100.0), self.lease.left(200.0)), (7.5, 0.0))

    def test_the_shortest_lease_leaves_a_clock_bound_at_its_end(self):
        bound = 0.5
        lease = LeaseState(b"k", "me", 4 * bound, True)
        lease.granted(grant(), 100.0, 100.0, "a:1")
        self.assertLessEqual(lease.deadline, 100.0 + 4 * bound - bound)

    def test_it_is_renewed_after_a_third_and_each_renewal_moves_the_deadline(self):
        self.assertFalse(self.lease.due(103.3))
        self.assertTrue(self.lease.due(103.4))
        self.assertTrue(self.lease.granted(grant(version="v2", written=T0_S + 4), 103.4, 103.4, "a:1"))
        self.assertAlmostEqual(self.lease.deadline, 110.9)
        self.lease.granted(grant(), 101.0, 101.0, "a:1")
        self.assertAlmostEqual(self.lease.deadline, 110.9, msg="an answer that comes late moves nothing back")
        self.assertEqual(self.lease.entry.version, "v2")

    def test_a_renewal_that_failed_is_tried_again_soon(self):
        self.lease.failed(103.4, lambda: 1.0)
        self.assertAlmostEqual(self.lease.next(), 103.4 + 10 / 12)
        long = LeaseState(b"k", "me", 3600.0, True)
        long.granted(grant(), 100.0, 100.0, "a:1")
        long.failed(1300.0, lambda: 1.0)
        self.assertEqual(long.next(), 1301.0)

    def test_another_start_is_another_lease(self):
        self.assertFalse(self.lease.granted(grant(start=T0_S + 20, written=T0_S + 20), 120.0, 120.0, "a:1"))

    def test_an_answer_after_the_deadline_brings_nothing_back(self):
        self.lease.granted(grant(version="v2", written=T0_S + 7), 107.0, 107.6, "a:1")
        self.assertFalse(self.lease.held(107.6))

    def test_durations_are_checked(self):
        self.assertEqual(check_duration(2), 2)
        for bad in (0, -1, 1e12):
            with self.assertRaises(ValueError):
                check_duration(bad)


class SeenTest(StateTest):
    """What the watch brings of the key."""

    def seen(self, kind, **fields):
        return self.lease.seen(kind, grant(**fields))[0]

    def test_its_own_events_are_no_loss(self):
        self.assertEqual(self.seen("update"), HELD)
        self.assertEqual(self.seen("update", version="v2", written=T0_S + 3), HELD)

    def test_another_holder_is(self):
        self.assertEqual(self.lease.seen("update", grant(holder="other", version="v9", epoch=BASE_EPOCH + 1)),
                         (LOST, "other has the key"))

    def test_what_is_older_is_history(self):
        self.assertEqual(self.seen("update", holder="before", version="v0", epoch=BASE_EPOCH - 1), HELD)

    def test_a_delete_or_release_of_another_program_is_a_loss_and_ones_own_is_none(self):
        gone = dict(version="v2", written=T0_S + 3, expire=T0_S + 3)
        self.assertEqual((self.seen("delete", **gone), self.seen("update", **gone)), (LOST, LOST))
        self.lease.ending = True
        self.assertEqual((self.seen("delete", **gone), self.seen("update", **gone)), (RELEASED, RELEASED))

    def test_only_the_lapse_of_the_latest_renewal_counts(self):
        self.assertEqual(self.seen("expired"), LOST)
        self.lease.granted(grant(version="v2", written=T0_S + 3), 103.0, 103.0, "a:1")
        self.assertEqual(self.seen("expired"), HELD)


class Node:
    """One key with a lease, as the cluster has it."""

    def __init__(self, world):
        self.world, self.holder, self.start, self.version, self.value = world, "", T0_S, 0, None
        self.down, self.done = set(), {}
        world.nodes = self

    def __call__(self, call):
        if call.target in self.down:
            raise refusal("UNAVAILABLE")
        return getattr(self, call.method.lower())(call.request)

    def entry(self, expire=None):
        self.version += 1
        at = T0_S + self.world.time - 100
        return entry("k", holder=self.holder, start=self.start, version=f"v{self.version}", written=at,
                     expire=at + 10 if expire is None else at + expire)

    def refuse(self, request):
        if self.holder and self.holder != request.holder:
            raise refusal("FAILED_PRECONDITION", "LEASE_HELD", 3.0, holder=self.holder)

    def set(self, request):
        if request.request_id not in self.done:
            self.done[request.request_id] = self.set_once(request)
        return self.done[request.request_id]

    def set_once(self, request):
        self.refuse(request)
        if request.if_absent and self.value is not None:
            raise refusal("ABORTED", "VERSION_MISMATCH")
        self.holder, self.value = request.holder, request.value
        return pb.SetResponse(entry=self.entry())

    def renew(self, request):
        if self.value is None:
            raise refusal("NOT_FOUND", "KEY_NOT_FOUND")
        self.refuse(request)
        self.holder = request.holder
        return pb.RenewResponse(entry=self.entry())

    def release(self, request):
        self.refuse(request)
        answer = self.entry(expire=0)
        self.holder, self.value = "", None
        return pb.ReleaseResponse(entry=answer)

    def get(self, request):
        if self.value is None:
            raise refusal("NOT_FOUND", "KEY_NOT_FOUND")
        return pb.GetResponse(entry=self.entry())


class LeaseFlowTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.core = self.world.core
        self.node = Node(self.world)

    def acquire(self, **options):
        return self.world.run(lease_flows.acquire(self.core, "k", **options))

    def keep(self, until):
        """The keeper runs until this time, and what it spawns."""
        def stop():
            self.core.closed = True

        def perform(effect, perform=self.world.perform):
            if type(effect).__name__ == "Pause":
                self.world.run_spawned()
                effect = type(effect)(max(0.001, min(effect.seconds, until - self.world.time)), effect.signal)
            result = perform(effect)
            if self.world.time >= until:
                stop()
            return result
        self.world.perform, before = perform, self.world.perform
        self.core.closed = False
        self.world.run(lease_flows.keeper(self.core))
        self.world.perform, self.core.closed = before, False


class AcquireTest(LeaseFlowTest):
    def test_a_missing_key_is_made_and_vanishes_with_its_lease(self):
        lease = self.acquire()
        self.assertEqual(self.world.methods(), ["Renew", "Set"])
        request = self.world.calls[1].request
        self.assertEqual((request.if_absent, request.on_lapse, request.value), (True, pb.ON_LAPSE_DELETE, "me"))
        self.assertTrue(lease.held(self.world.time))
        self.assertEqual(self.core.cache.values, {b"k": "me"})
        self.world.run(lease_flows.give_up(self.core, lease))
        self.assertEqual((lease.state, self.node.holder, self.core.cache.values), (RELEASED, "", {}))

    def test_a_key_that_exists_keeps_its_value(self):
        self.node.value = "config"
        self.acquire()
        self.assertEqual(self.world.methods(), ["Renew"])
        self.assertEqual(self.node.value, "config")

    def test_acks_are_waited_for(self):
        self.node.value = "config"
        self.acquire(ack="all")
        self.assertEqual(self.world.methods(), ["Get", "Set"])
        self.assertEqual((self.world.calls[1].request.ack, self.world.calls[1].request.if_version), (pb.ACK_ALL, "v1"))

    def test_another_holder_is_an_error_at_once_by_default(self):
        self.node.value, self.node.holder = "x", "other"
        with self.assertRaises(errors.LeaseHeldError) as caught:
            self.acquire()
        self.assertEqual(caught.exception.holder, "other")
        self.assertEqual((self.core.leases, self.world.pauses), ({}, []))

    def test_who_waits_is_woken_by_the_watch(self):
        self.node.value, self.node.holder = "x", "other"
        self.core.open_watch()
        self.core.took(snapshot(event("SET", "k", "x")))

        def freed():
            self.node.holder, self.node.value = "", None
            self.core.took(message(event("EXPIRED", "k", "x")))
        self.world.at = [(103.25, freed)]
        lease = self.acquire(wait=None)
        self.assertEqual(lease.state, HELD)
        self.assertLess(self.world.time, 103.3)
        self.assertLess(len(self.world.calls), 8, "it looked once a second")

    def test_and_not_for_longer_than_asked(self):
        self.node.value, self.node.holder = "x", "other"
        with self.assertRaises(errors.LeaseHeldError):
            self.acquire(wait=2.5)
        self.assertAlmostEqual(self.world.time, 102.5, delta=0.1)

    def test_a_race_that_was_lost_is_a_holder_to_wait_for(self):
        self.node.value, races = "config", [refusal("ABORTED", "SUPERSEDED", winner_holder="other")]
        inner = self.node.set

        def race(request):
            if races:
                raise races.pop()
            return inner(request)
        self.node.set = race
        with self.assertRaises(errors.LeaseHeldError) as caught:
            self.acquire(ack="all")
        self.assertEqual(caught.exception.holder, "other")
        races.append(refusal("ABORTED", "SUPERSEDED", winner_holder="other"))
        self.assertEqual(self.acquire(ack="all", wait=5).state, HELD)

    def test_after_a_majority_a_rival_may_still_turn_up(self):
        self.core.open_watch()
        self.core.took(snapshot())
        rival = event("SET", "k", "x", holder="a-rival", version="v9", epoch=BASE_EPOCH + 1)
        self.world.call_s = 0.1
        self.world.at = [(100.15, lambda: self.core.took(message(rival)))]
        with self.assertRaisesRegex(errors.LeaseHeldError, "a-rival has the key"):
            self.acquire(ack="majority", overwrite=True, wait=0)
        self.assertEqual(self.core.leases, {})
        self.assertAlmostEqual(self.world.pauses[0], 0.1)
        for ack in (None, "all"):
            self.world.pauses.clear()
            self.world.run(lease_flows.give_up(self.core, self.acquire(ack=ack, overwrite=True)))
            self.assertEqual(self.world.pauses, [], f"{ack}: nothing to wait for")

    def test_a_grant_that_the_next_node_lacks_is_for_the_renewal_to_judge(self):
        self.core.open_watch()
        self.core.took(snapshot())
        lease = self.acquire()
        granted, = self.node.done.values()
        self.core.took(message(pb.Event(kind=pb.Event.KIND_SET, entry=granted.entry)))
        self.core.watch_ended(refusal("UNAVAILABLE"))
        self.core.open_watch()
        published = []
        self.core.publish = published.extend
        self.core.took(message(cursor="c2"))
        self.assertEqual([(change.kind, change.key) for change in published], [("delete", b"k")])
        self.assertEqual(lease.state, HELD)

    def test_one_map_does_not_hold_a_key_twice(self):
        first = self.acquire()
        with self.assertRaisesRegex(errors.LeaseHeldError, "already"):
            self.acquire()
        self.world.at = [(101.0, lambda: self.world.run(lease_flows.give_up(self.core, first)))]
        self.assertEqual(self.acquire(wait=5).state, HELD)
        self.assertLess(self.world.time, 101.1)

    def test_a_grant_that_came_too_late_is_given_back(self):
        self.world.call_s = 1.6  # two calls; of 4 s three quarters are used
        with self.assertRaisesRegex(errors.LeaseHeldError, "too late"):
            self.acquire(duration_s=4)
        self.world.run_spawned()
        self.assertEqual((self.node.holder, self.core.leases), ("", {}))

    def test_a_grant_in_doubt_is_given_back_before_anybody_acquires_again(self):
        inner = self.node.set

        def lost(request):
            inner(request)
            raise refusal("DEADLINE_EXCEEDED")
        self.node.set = lost
        with self.assertRaises(errors.UnavailableError):
            self.acquire()
        self.assertEqual(list(self.core.leases), [b"k"], "the release is on its way")
        self.node.set = inner
        self.world.run_spawned()
        self.assertEqual((self.node.holder, self.core.leases), ("", {}))


class KeepTest(LeaseFlowTest):
    def test_it_is_renewed_until_it_is_released(self):
        lease = self.acquire()
        self.keep(160.0)
        self.assertTrue(lease.held(self.world.time))
        renewals = self.world.methods().count("Renew") - 1
        self.assertIn(renewals, range(16, 20))
        self.world.run(lease_flows.give_up(self.core, lease))
        self.keep(180.0)
        self.assertEqual(self.world.methods()[-1], "Release")

    def test_through_another_node_once_that_one_has_it(self):
        lease = self.acquire()
        self.node.down = {"a:1"}
        self.keep(110.0)
        self.assertTrue(lease.held(self.world.time))
        there = [(call.method, call.request.min_version) for call in self.world.calls
                 if call.target == "b:1" and call.method == "Get"]
        self.assertEqual(there, [("Get", "v1")])
        self.assertEqual(lease.target, "b:1")

    def test_it_is_lost_at_the_deadline_when_no_node_answers(self):
        lease, told = self.acquire(), []
        lease.on_end.append(lambda: told.append(self.world.time))
        self.node.down = {"a:1", "b:1", "c:1"}
        self.keep(120.0)
        self.assertEqual(lease.state, LOST)
        self.assertEqual(len(told), 1)
        self.assertLess(told[0], 108.6, "the keeper looks once a second at least")
        self.assertFalse(lease.held(107.6))
        self.assertIn(self.world.methods().count("Renew"), range(4, 20))

    def test_it_is_lost_when_another_has_it(self):
        lease = self.acquire()
        self.node.holder = "other"
        self.keep(105.0)
        self.assertEqual((lease.state, lease.why_lost), (LOST, "other has the key"))
        self.assertNotIn("Release", self.world.methods())

    def test_a_renewal_that_started_a_new_lease_is_a_loss_and_given_back(self):
        lease = self.acquire()
        self.node.start += 7
        self.keep(105.0)
        self.assertEqual((lease.state, self.node.holder), (LOST, ""))
        self.assertEqual(self.core.leases, {})

    def test_the_watch_tells_a_loss_at_once(self):
        lease = self.acquire()
        self.core.open_watch()
        self.core.took(snapshot(event("SET", "k", "theirs", version="v9", epoch=BASE_EPOCH + 1, written=T0_S + 1)))
        self.assertEqual(lease.state, LOST)

    def test_a_write_under_the_lease_renews_it_and_keeps_its_duration(self):
        lease = self.acquire()
        before = lease.deadline
        self.world.run(flows.set_(self.core, "k", "mine"))
        request = self.world.calls[-1].request
        self.assertEqual((request.lease_duration.seconds, request.on_lapse), (10, pb.ON_LAPSE_DELETE))
        self.assertGreater(lease.deadline, before)
        with self.assertRaisesRegex(ValueError, "kept at 10"):
            self.world.run(flows.set_(self.core, "k", "mine", lease=60))

    def test_after_the_machine_slept_it_is_lost_and_not_renewed(self):
        lease = self.acquire()
        calls = len(self.world.calls)
        self.world.time += 3600
        self.assertFalse(lease.held(self.world.time))
        self.keep(self.world.time + 1)
        self.assertEqual((lease.state, len(self.world.calls)), (LOST, calls))

    def test_many_are_renewed_but_not_all_at_once(self):
        for i in range(200):
            self.core.leases[b"%d" % i] = lease = LeaseState(b"%d" % i, "me", 10.0, True)
            lease.granted(grant(), 95.0, 95.0, "a:1")
        keeper = lease_flows.keeper(self.core)
        spawned = 0
        effect = next(keeper)
        while type(effect).__name__ == "Spawn":
            spawned, effect = spawned + 1, keeper.send(None)
        self.assertEqual((spawned, effect.seconds), (64, 1.0), "it is woken by those that end")

    def test_all_are_given_up_at_the_end_within_a_bound(self):
        self.acquire()
        self.world.run(lease_flows.give_up_all(self.core))
        self.world.run_spawned()
        self.assertEqual((self.node.holder, self.core.leases), ("", {}))
        self.assertLessEqual(self.world.time, 100.0 + lease_flows.RELEASE_S + 0.1)


class RegistrationTest(LeaseFlowTest):
    def test_it_comes_back_when_its_lease_was_lost(self):
        registration = lease_flows.Registration("k", "here:80", 10.0)
        self.world.run(lease_flows.register(self.core, registration, 0.0))
        kept = self.world.spawned.popleft()
        effect = next(kept)
        self.assertEqual(type(effect).__name__, "Pause")
        self.node.value = None  # someone deleted it
        self.core.end_lease(registration.lease, LOST, "a test")
        while registration.lease.state != HELD:
            effect = kept.send(self.world.perform(effect))
        self.assertEqual(self.node.value, "here:80")
        self.world.run(lease_flows.unregister(self.core, registration))
        with self.assertRaises(StopIteration):
            kept.send(None)
        self.assertEqual((self.node.holder, self.node.value), ("", None))


if __name__ == "__main__":
    unittest.main(verbosity=2)
