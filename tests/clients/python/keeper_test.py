"""How leases are renewed, told as lost and given up, without a server."""
import unittest

from lease_support import LeaseFlowTest, grant, result
from support import BASE_EPOCH, T0_S, event, pb, snapshot

from leasemap import flows, lease_flows
from leasemap.lease_state import BATCH_MOST, HELD, LOST, RELEASED, LeaseState


class KeepTest(LeaseFlowTest):
    def test_it_is_renewed_until_it_is_released(self):
        lease = self.acquire()
        self.keep(160.0)
        self.assertTrue(lease.held(self.world.time))
        self.assertIn(self.world.methods().count("BatchRenew"), range(16, 20))
        self.world.run(lease_flows.give_up(self.core, lease))
        self.keep(180.0)
        self.assertEqual(self.world.methods()[-1], "Release")

    def test_through_another_node_once_that_one_has_it(self):
        lease = self.acquire()
        self.node.down = {"a:1"}
        self.keep(110.0)
        self.assertTrue(lease.held(self.world.time))
        there = [call.request.requests[0].min_version for call in self.world.calls if call.target == "b:1"]
        self.assertEqual(there[0], "v1")
        self.assertEqual(set(there[1:]), {""}, "that node granted it now")
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
        self.assertIn(self.world.methods().count("BatchRenew"), range(4, 20))

    def test_it_is_lost_when_another_has_it(self):
        lease = self.acquire()
        self.node.holder = "other"
        self.keep(105.0)
        self.assertEqual((lease.state, lease.why_lost), (LOST, "other has it"))
        self.assertNotIn("Release", self.world.methods())

    def test_it_is_lost_when_it_lapsed_and_is_not_acquired_again(self):
        lease = self.acquire()
        self.node.holder = ""
        self.keep(105.0)
        self.assertEqual((lease.state, lease.why_lost, self.node.holder), (LOST, "nobody has it", ""))

    def test_another_lease_of_this_holder_is_a_loss_and_stays_with_who_took_it(self):
        lease = self.acquire()
        self.node.start += 7
        self.keep(105.0)
        self.assertEqual((lease.state, self.node.holder), (LOST, "me"))
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

    def hold(self, count, taken=97.0, target="a:1"):
        for i in range(count):
            self.core.leases[b"%d" % i] = lease = LeaseState(b"%d" % i, "me", 10.0, True)
            lease.granted(grant(), taken, taken, target)
        return list(self.core.leases.values())

    def test_many_are_renewed_by_one_call_whose_items_decide(self):
        leases = self.hold(5)
        refused = {1: result("NOT_FOUND", "KEY_NOT_FOUND"), 2: result("UNAVAILABLE", "NOT_CAUGHT_UP"),
                   3: result("PERMISSION_DENIED", "PERMISSION_DENIED")}
        self.node.holder = "me"

        def answer(request):
            self.assertEqual([item.key for item in request.requests], ["0", "1", "2", "3", "4"])
            return pb.BatchRenewResponse(results=[refused.get(i) or pb.BatchResult(entry=self.node.entry())
                                                  for i in range(4)])  # and one too few
        self.node.batchrenew = answer
        self.keep(100.3)
        with self.assertLogs("leasemap", "WARNING") as logged:
            self.keep(100.5)
        self.assertEqual(self.world.methods(), ["BatchRenew"])
        self.assertEqual([lease.state for lease in leases], [HELD, LOST, HELD, HELD, HELD])
        self.assertAlmostEqual(leases[0].deadline, 107.8, delta=0.1)
        self.assertEqual([lease.deadline for lease in leases[2:]], [104.5] * 3)
        self.assertIn("1 leases were not renewed", logged.output[0])
        self.assertEqual([lease.lacked for lease in leases], [False, False, True, False, True])
        self.assertNotEqual(self.core.endpoints.pick(self.world.time), "a:1", "the next node may have them")
        self.assertEqual(self.core.renewals, 0)

    def test_a_call_that_fails_is_repeated_with_all_of_them_at_the_next_node(self):
        self.hold(20)
        self.node.holder, self.node.value, self.node.down = "me", "x", {"a:1"}
        self.keep(103.0)
        calls = [(call.target, call.method, len(call.request.requests)) for call in self.world.calls]
        self.assertEqual(calls[:2], [("a:1", "BatchRenew", 20), ("b:1", "BatchRenew", 20)])
        self.assertEqual({lease.target for lease in self.core.leases.values()}, {"b:1"})

    def test_the_deadline_counts_from_before_the_call_was_sent(self):
        lease, = self.hold(1)
        self.node.holder, self.node.value, self.world.call_s = "me", "x", 1.5
        self.keep(102.5)
        sent = self.world.calls[0]
        self.assertEqual(sent.timeout, 2.0, "one try takes no longer")
        self.assertAlmostEqual(lease.deadline, 100.334 + 7.5, delta=0.02)

    def test_a_try_leaves_time_for_a_second_one(self):
        leases = self.hold(3)
        leases[1].deadline = 101.4  # as after tries that failed
        self.node.down = {"a:1", "b:1", "c:1"}
        self.keep(100.5)
        self.assertAlmostEqual(self.world.calls[0].timeout, (101.4 - 100.334) / 2, delta=0.02)

    def test_calls_under_way_have_a_bound(self):
        self.hold(10 * BATCH_MOST)
        self.world.time = 101.0
        keeper, spawned = lease_flows.keeper(self.core), []
        effect = next(keeper)
        while type(effect).__name__ == "Spawn":
            spawned, effect = [*spawned, effect.flow], keeper.send(None)
        self.assertEqual((len(spawned), effect.seconds), (8, 1.0), "it is woken by those that end")
        self.node.holder, self.node.value = "me", "x"
        self.world.run(spawned[0])
        self.assertEqual(self.core.renewals, 7)
        self.assertEqual(type(keeper.send(None)).__name__, "Spawn", "the next call takes its place")

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
