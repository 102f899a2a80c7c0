"""Leases without a server: deadlines, losses, which go together, who waits for whom."""
import unittest

from lease_support import CODES, LeaseFlowTest, grant
from support import BASE_EPOCH, T0_S, event, message, pb, refusal, snapshot

from leasemap import errors, lease_flows
from leasemap.lease_state import (BATCH_MOST, HELD, LOST, RELEASED, LeaseState, any_due, batches, check_duration,
                                  why_lost)


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


class BatchesTest(unittest.TestCase):
    """Which leases are renewed by which calls."""

    def lease(self, key, taken, target="a:1", duration=10.0):
        lease = LeaseState(key, "me", duration, True)
        lease.granted(grant(), taken, taken, target)
        return lease

    def keys(self, leases, now, target="a:1"):
        return [[lease.key for lease in call] for call in batches(leases, target, now)] if any_due(leases, now) else []

    def test_none_before_one_is_due_and_then_those_that_soon_are_too(self):
        leases = [self.lease(b"due", 100.0), self.lease(b"soon", 101.6), self.lease(b"later", 101.8)]
        self.assertEqual(self.keys(leases, 103.3), [])
        self.assertEqual(self.keys(leases, 103.4), [[b"due", b"soon"]])

    def test_one_that_is_being_renewed_is_over_or_overdue_is_not_asked_for(self):
        leases = [self.lease(b"%d" % i, 100.0) for i in range(4)]
        leases[0].renewing = True
        leases[1].end(RELEASED)
        self.assertEqual(self.keys(leases, 103.4), [[b"2", b"3"]])
        self.assertEqual(self.keys(leases, 107.5), [], "they are lost, and no request may go out")

    def test_all_of_one_duration_are_soon_renewed_by_one_call_whenever_they_were_taken(self):
        leases = [self.lease(b"%d" % i, 100.0 + i / 7) for i in range(24)]
        calls, now = [], 103.0
        while now < 130:
            for call in batches(leases, "a:1", now) if any_due(leases, now) else []:
                calls.append((now, len(call)))
                for lease in call:
                    lease.granted(grant(), now, now, "a:1")
            now += 0.05
        self.assertEqual({size for at, size in calls if at > 107}, {24})
        self.assertLessEqual(len([at for at, _ in calls if at > 107]), 7, "one in each third")

    def test_a_call_has_no_more_than_a_node_takes_and_the_next_to_end_go_first(self):
        leases = [self.lease(b"%d" % i, 100.0 - i / 1e4) for i in range(BATCH_MOST + 1)]
        calls = self.keys(leases, 103.4)
        self.assertEqual([len(call) for call in calls], [1000, 1])
        self.assertEqual((calls[0][0], calls[1]), (b"1000", [b"0"]))

    def test_what_another_node_granted_goes_by_itself_and_what_a_node_lacked_too(self):
        leases = [self.lease(b"here", 100.0), self.lease(b"moved", 100.0, "b:1"), self.lease(b"gone", 100.0, "b:1")]
        leases[2].failed(102.0, lambda: 0.0, "it is not here", lacked=True)
        self.assertEqual(self.keys(leases, 103.4), [[b"here"], [b"moved"], [b"gone"]])
        leases[2].granted(grant(version="v2", written=T0_S + 3), 103.4, 103.4, "a:1")
        self.assertEqual(self.keys(leases, 106.8), [[b"here", b"gone"], [b"moved"]])

    def test_a_refusal_tells_whether_it_is_lost(self):
        def why(code, reason):
            return why_lost(errors.decode_item(CODES[code], "someone has it", reason))
        self.assertEqual(why("NOT_FOUND", "KEY_NOT_FOUND"), "the key is gone")
        for reason in ("LEASE_HELD", "LEASE_NOT_HELD"):
            self.assertEqual(why("FAILED_PRECONDITION", reason), "someone has it")
        for code, reason in (("UNAVAILABLE", "NOT_CAUGHT_UP"), ("PERMISSION_DENIED", "PERMISSION_DENIED")):
            self.assertEqual(why(code, reason), "", "rights may come back, and nodes catch up")


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


if __name__ == "__main__":
    unittest.main(verbosity=2)
