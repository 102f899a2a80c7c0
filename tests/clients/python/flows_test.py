"""The operations on keys, without a server: which calls they make, when they try again, what they return."""
import unittest

from support import World, entry, event, message, pb, refusal, snapshot

from leasemap import errors, flows
from leasemap.retry import ATTEMPT_S


def set_answer(call, version="v1", **fields):
    key, holder = call.request.key or call.request.key_bytes, call.request.holder
    return pb.SetResponse(entry=entry(key, holder=holder, version=version, **fields))


class FlowTest(unittest.TestCase):
    def setUp(self):
        self.world = World()
        self.core = self.world.core


class CallTest(FlowTest):
    def test_the_next_node_is_asked_at_once_with_the_same_request_id(self):
        def nodes(call):
            if call.target != "c:1":
                raise refusal("UNAVAILABLE", "DRAINING")
            return set_answer(call)
        self.world.nodes = nodes
        self.world.run(flows.set_(self.core, "k", "v"))
        self.assertEqual([call.target for call in self.world.calls], ["a:1", "b:1", "c:1"])
        self.assertEqual(len({call.request.request_id for call in self.world.calls}), 1)
        self.assertTrue(self.world.calls[0].request.request_id)
        self.assertEqual(self.world.pauses, [])
        self.world.run(flows.set_(self.core, "k", "v"))
        self.assertEqual(self.world.calls[-1].target, "c:1", "it stays there")
        self.assertEqual(self.core.cache.values, {b"k": "v"})

    def test_pauses_grow_and_the_timeout_ends_it(self):
        def nodes(call):
            raise refusal("UNAVAILABLE")
        self.world.nodes = nodes
        start = self.world.time
        with self.assertRaises(errors.UnavailableError):
            self.world.run(flows.set_(self.core, "k", "v", timeout=3.0))
        self.assertLessEqual(self.world.time - start, 3.0)
        self.assertGreater(self.world.time - start, 1.0)
        self.assertLess(len(self.world.calls), 40)
        self.assertGreater(max(self.world.pauses), min(self.world.pauses))

    def test_one_node_has_so_long_to_answer(self):
        self.world.nodes = set_answer
        self.world.run(flows.set_(self.core, "k", "v", timeout=60))
        self.world.run(flows.set_(self.core, "k", "v", timeout=0.5))
        self.world.run(flows.set_(self.core, "k", "v", timeout=5, ack="all"))
        self.assertEqual([call.timeout for call in self.world.calls], [ATTEMPT_S, 0.5, 5])

    def test_a_refusal_is_not_tried_again(self):
        def nodes(call):
            raise refusal("FAILED_PRECONDITION", "LEASE_HELD", holder="other")
        self.world.nodes = nodes
        with self.assertRaises(errors.LeaseHeldError):
            self.world.run(flows.set_(self.core, "k", "v"))
        self.assertEqual(len(self.world.calls), 1)

    def test_a_watch_moves_with_its_map(self):
        cuts = []
        self.core.cut_watch = lambda: cuts.append(self.core.watching)
        self.assertEqual(self.core.open_watch()[0], "a:1")

        def nodes(call):
            if call.target == "a:1":
                raise refusal("DEADLINE_EXCEEDED")
            return set_answer(call)
        self.world.nodes = nodes
        self.world.run(flows.set_(self.core, "k", "v"))
        self.assertEqual(cuts, ["a:1"])
        self.assertEqual(self.core.watch_ended(refusal("CANCELLED")), 0.0)
        self.assertEqual(self.core.open_watch()[0], "b:1")

    def test_a_closed_map_says_so(self):
        self.core.close()
        with self.assertRaises(errors.ClosedError):
            self.world.run(flows.set_(self.core, "k", "v"))


class OptionsTest(FlowTest):
    def test_leases_and_acks_as_asked_for(self):
        self.world.nodes = set_answer
        for options in ({}, {"lease": 0}, {"lease": 2.5, "ephemeral": True}, {"ack": 2}, {"ack": "majority"},
                        {"if_absent": True}, {"if_version": "v7"}):
            self.world.run(flows.set_(self.core, b"\xff", b"v", **options))
        plain, none, brief, two, majority, absent, version = [call.request for call in self.world.calls]
        self.assertFalse(plain.HasField("lease_duration"))
        self.assertTrue(none.HasField("lease_duration"))
        self.assertEqual((brief.lease_duration.ToMilliseconds(), brief.on_lapse), (2500, pb.ON_LAPSE_DELETE))
        self.assertEqual((two.ack_nodes, majority.ack), (2, pb.ACK_MAJORITY))
        self.assertEqual((absent.if_absent, version.if_version), (True, "v7"))
        self.assertEqual({call.request.holder for call in self.world.calls}, {"me"})
        with self.assertRaises(ValueError):
            self.world.run(flows.set_(self.core, "k", "v", ack="most"))

    def test_the_maps_own_lease_and_prefix(self):
        world = World(lease=0, prefix=b"app/")
        world.nodes = set_answer
        world.run(flows.set_(world.core, "app/k", "v"))
        self.assertTrue(world.calls[0].request.HasField("lease_duration"))
        with self.assertRaisesRegex(ValueError, "prefix"):
            world.run(flows.set_(world.core, "k", "v"))


class DictTest(FlowTest):
    """A node with one key, `k`."""

    def setUp(self):
        super().setUp()
        self.there, self.version, self.races = "old", 1, 0
        self.world.nodes = self.node

    def node(self, call):
        if self.there is None:
            if call.method == "Set":
                self.there = call.request.value
                return set_answer(call)
            raise refusal("NOT_FOUND", "KEY_NOT_FOUND")
        if call.method == "Get":
            return pb.GetResponse(entry=entry("k", self.there, version=f"v{self.version}"))
        if self.races:
            self.races, self.version = self.races - 1, self.version + 1
            raise refusal("ABORTED", "VERSION_MISMATCH")
        if call.method == "Set":
            raise refusal("ABORTED", "VERSION_MISMATCH")
        self.there = None
        return pb.DeleteResponse(entry=entry("k", version="gone", deleted=True))

    def test_pop_deletes_the_version_that_it_returns(self):
        self.assertEqual(self.world.run(flows.pop(self.core, "k")), "old")
        self.assertEqual(self.world.calls[-1].request.if_version, "v1")
        self.assertEqual(self.world.run(flows.pop(self.core, "k", None)), None)
        with self.assertRaises(KeyError):
            self.world.run(flows.pop(self.core, "k"))

    def test_pop_reads_again_when_it_raced_and_not_for_ever(self):
        self.races = 2
        self.assertEqual(self.world.run(flows.pop(self.core, "k")), "old")
        self.assertEqual(self.world.calls[-1].request.if_version, "v3")
        self.there, self.races = "old", 1000
        with self.assertRaises(errors.VersionMismatchError):
            self.world.run(flows.pop(self.core, "k"))

    def test_setdefault(self):
        self.assertEqual(self.world.run(flows.setdefault(self.core, "k", "new")), "old")
        self.there = None
        self.assertEqual(self.world.run(flows.setdefault(self.core, "k", "new")), "new")
        calls = len(self.world.calls)
        self.assertEqual(self.world.run(flows.setdefault(self.core, "k", "newer")), "new")
        self.assertEqual(len(self.world.calls), calls, "the near cache had it")

    def test_popitem_passes_over_what_others_hold(self):
        self.core.cache.request()
        self.core.cache.take(snapshot(event("SET", "k", "old"), event("SET", "theirs", "x")))

        def nodes(call):
            if call.request.key == "theirs":
                if call.method == "Delete":
                    raise refusal("FAILED_PRECONDITION", "LEASE_HELD", holder="other")
                return pb.GetResponse(entry=entry("theirs", "x"))
            return self.node(call)
        self.world.nodes = nodes
        self.assertEqual(self.world.run(flows.popitem(self.core)), ("k", "old"))
        with self.assertRaises(errors.LeaseHeldError):
            self.world.run(flows.popitem(self.core))
        self.core.cache.take(message(event("DELETED", "theirs", version="v2", deleted=True)))
        with self.assertRaises(KeyError):
            self.world.run(flows.popitem(self.core))


class UpdateTest(FlowTest):
    def test_batches_are_bounded_and_each_refusal_is_named(self):
        def nodes(call):
            results = []
            for request in call.request.requests:
                if request.key.endswith("7"):
                    results.append(pb.BatchResult(status=pb.ItemStatus(code=9, message="held", reason="LEASE_HELD")))
                else:
                    results.append(pb.BatchResult(entry=entry(request.key, holder="me")))
            return pb.BatchSetResponse(results=results)
        self.world.nodes = nodes
        with self.assertRaises(errors.BatchError) as caught:
            self.world.run(flows.update(self.core, [(f"k{i}", "v") for i in range(2500)]))
        self.assertEqual([len(call.request.requests) for call in self.world.calls], [1000, 1000, 500])
        self.assertEqual(len(caught.exception.failed), 250)
        self.assertIsInstance(caught.exception.failed["k7"], errors.LeaseHeldError)
        self.assertEqual(len(self.core.cache.values), 2250)
        ids = {request.request_id for call in self.world.calls for request in call.request.requests}
        self.assertEqual(len(ids), 2500)

    def test_large_values_make_small_batches(self):
        def nodes(call):
            self.assertLess(call.request.ByteSize(), 8 << 20)
            return pb.BatchSetResponse(results=[pb.BatchResult(entry=entry(request.key, holder="me"))
                                                for request in call.request.requests])
        self.world.nodes = nodes
        self.world.run(flows.update(self.core, [(f"k{i}", b"x" * (1 << 20)) for i in range(9)]))
        self.assertEqual(len(self.world.calls), 3)
        self.world.run(flows.update(self.core, []))
        self.assertEqual(len(self.world.calls), 3)


class SyncedTest(FlowTest):
    def test_waiting_ends_when_the_watch_is_at_the_head(self):
        def arrive():
            self.core.open_watch()
            self.core.took(snapshot())
        self.world.at = [(103.0, arrive)]
        self.world.run(flows.wait_synced(self.core, 10))
        self.assertEqual(self.world.time, 103.0)

    def test_and_says_what_the_last_node_said(self):
        self.core.open_watch()
        self.core.watch_ended(refusal("UNAVAILABLE", "SYNCING"))
        with self.assertRaisesRegex(errors.UnavailableError, "a:1.*SYNCING"):
            self.world.run(flows.wait_synced(self.core, 10))

    def test_a_cursor_that_is_no_good_costs_no_node(self):
        self.core.open_watch()
        self.core.took(snapshot())
        self.assertEqual(self.core.watch_ended(refusal("OUT_OF_RANGE", "CURSOR_EXPIRED")), 0.0)
        target, request = self.core.open_watch()
        self.assertEqual((target, request.include_snapshot, request.cursor), ("a:1", True, ""))

    def test_a_silent_watch_is_noticed(self):
        self.core.open_watch()
        self.world.time += 19
        self.assertFalse(self.core.watch_is_silent())
        self.core.took(message(cursor="c"))
        self.world.time += 21
        self.assertTrue(self.core.watch_is_silent())


if __name__ == "__main__":
    unittest.main(verbosity=2)
