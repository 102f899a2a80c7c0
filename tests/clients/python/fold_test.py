"""The near cache: what a watch and own writes make of the map."""
import unittest

from support import BASE_EPOCH, T0_S, entry, event, message, snapshot

from leasemap import entry as entries
from leasemap import fold
from leasemap.fold import NearCache


def told(changes):
    return [(change.kind, entries.shown(change.key)) for change in changes if change.told]


def second(i):
    """Version and time of a write that was made i seconds after the first."""
    return {"version": f"v{i}s", "written": T0_S + i}


class CacheTest(unittest.TestCase):
    def setUp(self):
        self.cache = NearCache("me")

    def start(self, *events):
        self.cache.request()
        return self.cache.take(snapshot(*events))

    def wrote(self, *arguments, now=0.0, before=(), **keywords):
        keywords = {"holder": "me", **keywords}
        self.cache.wrote(entries.from_proto(entry(*arguments, **keywords)), now, frozenset(before))


class FoldTest(CacheTest):
    def test_a_snapshot_is_seen_whole_or_not_at_all(self):
        request = self.cache.request()
        self.assertTrue(request.include_snapshot)
        self.assertEqual(self.cache.take(message(event("SET", "a", "1"))), [])
        self.assertEqual((self.cache.values, self.cache.synced), ({}, False))
        changes = self.cache.take(snapshot(event("SET", "b", b"2")))
        self.assertEqual(self.cache.values, {b"a": "1", b"b": b"2"})
        self.assertTrue(self.cache.synced)
        self.assertEqual(told(changes), [], "what was there at the start is not told")

    def test_events_change_it_and_are_told(self):
        self.start(event("SET", "a", "1"), event("SET", "gone", "1"), event("SET", "brief", "1"))
        changes = self.cache.take(message(
            event("SET", "a", "2", version="v2", written=1_700_000_001),
            event("DELETED", "gone", version="v2", written=1_700_000_001, deleted=True),
            event("EXPIRED", "brief", "1")))
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.assertEqual(told(changes), [("update", "a"), ("delete", "gone"), ("expired", "brief")])

    def test_a_resumed_stream_tells_nothing_twice(self):
        self.start(event("SET", "a", "1"))
        self.cache.take(message(event("SET", "a", "2", version="v2", written=1_700_000_001)))
        self.cache.take(message(event("DELETED", "a", version="v3", written=1_700_000_002, deleted=True)))
        self.cache.broke()
        self.assertFalse(self.cache.synced)
        request = self.cache.request()
        self.assertEqual((request.cursor, request.include_snapshot), ("c1", False))
        again = self.cache.take(message(event("SET", "a", "2", version="v2", written=1_700_000_001),
                                        event("DELETED", "a", version="v3", written=1_700_000_002, deleted=True)))
        self.assertEqual(again, [])
        self.assertEqual(self.cache.values, {})
        self.cache.take(message(cursor="c2"))
        self.assertTrue(self.cache.synced)
        self.assertEqual(self.cache.request().cursor, "c2")

    def test_the_lapse_of_a_version_is_told_once(self):
        self.start(event("SET", "a", "1"))
        self.assertEqual(told(self.cache.take(message(event("EXPIRED", "a", "1")))), [("expired", "a")])
        self.assertEqual(self.cache.take(message(event("EXPIRED", "a", "1"))), [])

    def test_a_snapshot_after_a_lost_cursor_is_the_truth(self):
        self.start(event("SET", "stays", "1"), event("SET", "gone", "1"), event("SET", "back", "new", version="v9",
                                                                              written=1_700_000_009))
        self.cache.broke()
        self.cache.forget_cursor()
        self.assertTrue(self.cache.request().include_snapshot)
        self.cache.take(message(event("SET", "stays", "1")))
        self.assertEqual(self.cache.values[b"gone"], "1", "readers keep the old map until the new one is whole")
        # The write v9 died with its node: the older one that the others have is what stands.
        changes = self.cache.take(snapshot(event("SET", "back", "old", version="v8")))
        self.assertEqual(self.cache.values, {b"stays": "1", b"back": "old"})
        self.assertEqual(told(changes), [("delete", "gone"), ("update", "back")])

    def test_a_broken_snapshot_leaves_nothing(self):
        self.cache.request()
        self.cache.take(message(event("SET", "a", "1")))
        self.cache.broke()
        self.start(event("SET", "b", "1"))
        self.assertEqual(self.cache.values, {b"b": "1"})

    def test_a_renewal_is_not_told_and_a_new_holder_is(self):
        self.start(event("SET", "a", "1"))
        renewal = self.cache.take(message(event("SET", "a", "1", version="v2", written=1_700_000_001)))
        self.assertEqual(([c.kind for c in renewal], told(renewal)), (["update"], []))
        other = self.cache.take(message(event("SET", "a", "1", version="v3", holder="third", start=1_700_009_000,
                                              written=1_700_009_000, epoch=1 << 41)))
        self.assertEqual(told(other), [("update", "a")])


class TakenBackTest(CacheTest):
    """A node told writes after its last cursor, and died. Another one, on which the watch resumes, lacks them."""

    def told_and_died(self, *events, now=0.0):
        self.cache.take(message(*events), now)
        self.resume()

    def resume(self):
        self.cache.broke()
        self.assertEqual(self.cache.request().cursor, self.cache.cursor)

    def at_the_cursor(self, cursor="c2"):
        return self.cache.take(message(cursor=cursor))

    def test_what_stood_at_the_cursor_is_put_back(self):
        self.start(event("SET", "a", "1"))
        self.told_and_died(event("SET", "a", "2", **second(1)), event("SET", "a", "3", **second(2)))
        self.assertEqual(self.cache.values, {b"a": "3"})
        changes = self.at_the_cursor()
        self.assertEqual(self.cache.values, {b"a": "1"})
        self.assertEqual(told(changes), [("update", "a")])
        self.assertEqual((changes[0].entry.value, changes[0].entry.version), ("1", "v1"))
        self.assertEqual(self.at_the_cursor("c3"), [])

    def test_a_key_that_was_not_there_is_deleted(self):
        self.start()
        self.told_and_died(event("SET", "a", "1"))
        changes = self.at_the_cursor()
        self.assertEqual(self.cache.values, {})
        self.assertEqual(told(changes), [("delete", "a")])
        self.assertTrue(changes[0].entry.deleted)
        self.assertIsNone(changes[0].entry.value)

    def test_a_delete_or_lapse_that_no_other_node_has_is_taken_back(self):
        for kind, keywords in (("DELETED", {"deleted": True, **second(1)}), ("EXPIRED", {})):
            self.cache = NearCache("me")
            self.start(event("SET", "a", "1"))
            self.told_and_died(event(kind, "a", **keywords))
            self.assertEqual(self.cache.values, {})
            self.assertEqual(told(self.at_the_cursor()), [("update", "a")])
            self.assertEqual(self.cache.values, {b"a": "1"})

    def test_an_older_change_waits_for_the_cursor_and_is_told(self):
        self.start(event("SET", "a", "0"))
        self.told_and_died(event("SET", "a", "9", **second(9)))
        for i in (1, 3):
            self.assertEqual(self.cache.take(message(event("SET", "a", f"{i}", **second(i)))), [])
        self.assertEqual(self.cache.values, {b"a": "9"})
        self.assertEqual(told(self.at_the_cursor()), [("update", "a")])
        self.assertEqual(self.cache.values, {b"a": "3"})
        self.assertEqual(self.cache.entry(b"a").version, "v3s")

    def test_one_stream_is_taken_in_its_own_order(self):
        self.start()
        self.cache.take(message(event("SET", "a", "2", **second(2)), event("SET", "a", "1", **second(1))))
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_it_may_come_in_one_message_with_the_cursor(self):
        self.start(event("SET", "a", "0"))
        self.told_and_died(event("SET", "a", "9", **second(9)))
        changes = self.cache.take(message(event("DELETED", "a", deleted=True, **second(1)), cursor="c2"))
        self.assertEqual(told(changes), [("delete", "a")])
        self.assertEqual(changes[0].entry.version, "v1s")
        self.assertEqual(self.cache.values, {})

    def test_a_lapse_of_the_older_change_counts(self):
        self.start()
        self.told_and_died(event("SET", "a", "9", **second(9)))
        self.cache.take(message(event("SET", "a", "1", **second(1)), event("EXPIRED", "a", "1", **second(1))))
        self.assertEqual(told(self.at_the_cursor()), [("expired", "a")])
        self.assertEqual(self.cache.values, {})

    def test_of_what_lapsed_on_the_dead_node_alone_the_set_counts(self):
        self.start()
        self.told_and_died(event("SET", "a", "1"), event("EXPIRED", "a", "1"))
        self.assertEqual(self.cache.take(message(event("SET", "a", "1"))), [])
        self.assertEqual(told(self.at_the_cursor()), [("update", "a")])
        self.assertEqual(told(self.cache.take(message(event("EXPIRED", "a", "1")))), [("expired", "a")])

    def test_the_same_or_a_newer_version_confirms(self):
        self.start(event("SET", "a", "0"), event("SET", "b", "0"), event("SET", "c", "0"))
        self.told_and_died(*(event("SET", key, "5", **second(5)) for key in "abc"))
        changes = self.cache.take(message(
            event("SET", "c", "1", **second(1)),  # and then what was told: it is the later one
            *(event("SET", key, f"{i}", **second(i)) for key, i in (("a", 5), ("b", 6), ("c", 5)))))
        self.assertEqual(told(changes), [("update", "b")])
        self.assertEqual(self.at_the_cursor(), [])
        self.assertEqual(self.cache.values, {b"a": "5", b"b": "6", b"c": "5"})

    def test_a_break_before_the_cursor_begins_it_again(self):
        self.start(event("SET", "a", "0"), event("SET", "b", "0"), event("SET", "c", "0"))
        self.told_and_died(*(event("SET", key, "5", **second(5)) for key in "abc"))
        self.cache.take(message(event("SET", "a", "1", **second(1)), event("SET", "b", "5", **second(5)),
                                event("SET", "c", "7", **second(7))))
        self.resume()  # on a third node, which has none of these
        self.assertEqual(self.cache.cursor, "c1")
        self.assertEqual(sorted(told(self.at_the_cursor())), [("update", key) for key in "abc"])
        self.assertEqual(self.cache.values, {b"a": "0", b"b": "0", b"c": "0"})

    def test_nothing_is_told_of_what_does_not_differ(self):
        self.start(event("SET", "a", "1"))
        self.told_and_died(event("SET", "a", "1", **second(1)),  # a renewal
                           event("SET", "b", "1"), event("DELETED", "b", deleted=True, **second(1)))
        self.assertEqual(told(self.at_the_cursor()), [])
        self.assertEqual(self.cache.entry(b"a").version, "v1")

    def test_a_cursor_ends_the_doubt(self):
        self.start(event("SET", "a", "1"))
        self.cache.take(message(event("SET", "a", "2", **second(1)), cursor="c2"))
        self.resume()
        self.assertEqual(self.at_the_cursor("c3"), [])
        self.assertEqual(self.cache.values, {b"a": "2"})

    def test_one_that_turns_up_later_is_told_again(self):
        self.start()
        self.told_and_died(event("SET", "a", "1"))
        self.at_the_cursor()
        self.assertEqual(told(self.cache.take(message(event("SET", "a", "1")))), [("update", "a")])
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_a_snapshot_needs_none_of_it(self):
        self.start()
        self.told_and_died(event("SET", "a", "1"))
        self.cache.forget_cursor()
        self.assertEqual(told(self.start(event("SET", "a", "1"))), [])
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_own_writes_stay_and_no_loss_is_told(self):
        self.start(event("SET", "a", "theirs", version="v0", epoch=BASE_EPOCH - 1))
        self.wrote("b", "mine", **second(1))
        self.told_and_died(event("SET", "a", "mine", holder="me", expire=1_700_003_600),
                           event("SET", "b", "theirs", holder="me"))
        changes = self.at_the_cursor()
        self.assertEqual(told(changes), [("update", "a"), ("delete", "b")])
        self.assertEqual(self.cache.values, {b"a": "theirs", b"b": "mine"})

    def test_an_own_write_of_the_same_millisecond_stays(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.told_and_died(event("SET", "a", "2", holder="me", version="v2"))
        self.wrote("a", "3", before={"v2"}, version="v3")
        self.assertEqual(told(self.at_the_cursor()), [("update", "a")])
        self.assertEqual(self.cache.values, {b"a": "3"})

    def test_an_own_write_after_it_is_read_at_once(self):
        self.start()
        self.told_and_died(event("SET", "a", "1", holder="me", epoch=1 << 41))
        self.at_the_cursor()
        self.wrote("a", "2", **second(1))  # of a node that never knew of the other: it seems older
        self.assertEqual(self.cache.values, {b"a": "2"})


class OwnWritesTest(CacheTest):
    def test_they_are_read_at_once_and_told_when_the_watch_brings_them(self):
        self.start()
        self.wrote("a", "1")
        self.assertEqual(self.cache.values, {b"a": "1"})
        self.assertEqual(told(self.cache.take(message(event("SET", "a", "1", holder="me")))), [("update", "a")])
        self.cache.expire(1e9)
        self.assertEqual(self.cache.values, {b"a": "1"}, "the watch has it: it stays")

    def test_an_older_event_does_not_hide_them(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "3", version="v3", written=1_700_000_003)
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2", written=1_700_000_002)))
        self.assertEqual(self.cache.values, {b"a": "3"})

    def test_a_newer_event_does(self):
        self.start()
        self.wrote("a", "1")
        self.cache.take(message(event("SET", "a", "9", version="v9", epoch=1 << 41, written=1_700_000_009)))
        self.assertEqual(self.cache.values, {b"a": "9"})

    def test_one_that_the_watch_never_brings_goes_after_its_time(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "2", now=10.0, version="v2", written=1_700_000_001)
        self.cache.expire(10.0 + fold.OWN_S - 0.1)
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.cache.expire(10.0 + fold.OWN_S)
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_one_that_died_with_its_node_goes_soon_after_the_watch_moved(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", "2", now=10.0, version="v2", written=1_700_000_001)
        self.cache.take(message(cursor="c2"), 11.0)
        self.cache.broke()
        self.cache.request()
        self.cache.expire(15.0)
        self.assertEqual(self.cache.values, {b"a": "2"})
        self.cache.take(message(cursor="c3"), 15.0)
        self.cache.expire(15.0 + fold.DOUBT_S)
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_a_delete_is_seen_at_once(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", version="v2", written=1_700_000_001, deleted=True)
        self.assertEqual(self.cache.values, {})

    def test_an_answer_that_comes_after_its_events_changes_nothing(self):
        self.start()
        self.cache.take(message(event("SET", "a", "1", holder="me"),
                                event("DELETED", "a", holder="me", version="v2", written=1_700_000_001, deleted=True),
                                cursor="c2"))
        self.wrote("a", "1")
        self.assertEqual(self.cache.values, {})

    def test_of_one_millisecond_the_watch_knows_the_order(self):
        self.start(event("SET", "a", "1", holder="me", version="v1"))
        self.wrote("a", "2", before={"v1"}, version="v2")
        self.assertEqual(self.cache.values, {b"a": "2"}, "nothing came since it was sent: it is the later one")
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2"),
                                event("SET", "a", "3", holder="me", version="v3")))
        self.wrote("a", "2", before={"v1"}, version="v2")  # the answer to another thread, late
        self.assertEqual(self.cache.values, {b"a": "3"})

    def test_what_the_watch_brings_of_earlier_writes_of_the_same_millisecond_hides_nothing(self):
        self.start(event("SET", "a", "1", holder="me", version="v1"))
        for i in (2, 3):
            self.wrote("a", f"{i}", before=self.cache.versions(b"a"), version=f"v{i}")
        sent = self.cache.versions(b"a")  # v4 is under way
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2")))
        self.assertEqual(self.cache.values, {b"a": "3"})
        self.wrote("a", "4", before=sent, version="v4")
        self.cache.take(message(event("SET", "a", "3", holder="me", version="v3")))
        self.assertEqual(self.cache.values, {b"a": "4"})
        self.cache.take(message(event("SET", "a", "5", holder="me", version="v5")))
        self.assertEqual(self.cache.values, {b"a": "5"}, "what this program did not write before is later")

    def test_of_two_under_way_together_the_last_answer_is_shown(self):
        self.start()
        for i in (2, 3):
            self.wrote("a", f"{i}", version=f"v{i}")
            self.assertEqual(self.cache.values, {b"a": f"{i}"})
        self.cache.take(message(event("SET", "a", "2", holder="me", version="v2")))
        self.assertEqual(self.cache.values, {b"a": "2"}, "the watch knows the order")

    def test_a_renewal_keeps_the_value(self):
        self.start(event("SET", "a", "1", holder="me"))
        self.wrote("a", None, version="v2", written=1_700_000_001)
        self.assertEqual(self.cache.values, {b"a": "1"})
        self.assertEqual(self.cache.entry(b"a").version, "v2")
        self.wrote("never-seen", None)
        self.assertNotIn(b"never-seen", self.cache.values)

    def test_they_outlast_a_snapshot(self):
        self.start()
        self.wrote("a", "1")
        self.wrote("b", version="v2", deleted=True)
        self.cache.broke()
        self.cache.forget_cursor()
        self.start(event("SET", "b", "old", holder="me", written=1_699_999_999))
        self.assertEqual(self.cache.values, {b"a": "1"})

    def test_keys_of_others_prefixes_are_not_kept(self):
        self.cache = NearCache("me", b"app/")
        self.assertEqual(list(self.cache.request().prefixes_bytes), [b"app/"])
        self.wrote("elsewhere", "1")
        self.assertEqual(self.cache.values, {})


class LostTest(CacheTest):
    def test_a_lease_that_another_replaced_while_it_ran_is_lost(self):
        self.start(event("SET", "a", "mine", holder="me", expire=1_700_003_600))
        changes = self.cache.take(message(event("SET", "a", "theirs", version="v9", start=1_700_000_010,
                                                written=1_700_000_010, epoch=1 << 41)))
        self.assertEqual(told(changes), [("lost", "a"), ("update", "a")])
        self.assertEqual((changes[0].entry.value, changes[0].winner.value), ("mine", "theirs"))

    def test_a_takeover_after_the_lapse_or_a_release_is_no_loss(self):
        for expire, written in ((1_700_000_005, 1_700_000_000), (1_700_000_000, 1_700_000_000)):
            self.cache = NearCache("me")
            self.start(event("SET", "a", "mine", holder="me", expire=expire, written=written))
            changes = self.cache.take(message(event("SET", "a", "theirs", version="v9", start=1_700_000_010,
                                                    written=1_700_000_010, epoch=1 << 41)))
            self.assertEqual(told(changes), [("update", "a")])

    def test_the_loss_of_others_is_theirs(self):
        self.start(event("SET", "a", "1", holder="third"))
        changes = self.cache.take(message(event("SET", "a", "2", version="v9", start=1_700_000_010, epoch=1 << 41)))
        self.assertEqual(told(changes), [("update", "a")])

    def test_an_older_write_of_the_holder_before_is_no_loss(self):
        self.start()
        self.wrote("a", "mine", version="v9", epoch=1 << 41, start=1_700_000_010, written=1_700_000_010)
        self.assertEqual(told(self.cache.take(message(event("SET", "a", "theirs")))), [("update", "a")])
        self.assertEqual(self.cache.values, {b"a": "mine"})

    def test_the_servers_word_is_told_once(self):
        self.start(event("SET", "a", "1"))
        lost = event("LOST", "a", "mine", holder="me", version="v7")
        lost.winner.CopyFrom(entry("a", "1"))
        self.assertEqual(told(self.cache.take(message(lost))), [("lost", "a")])
        self.assertEqual(self.cache.take(message(lost)), [])
        self.assertEqual(self.cache.values, {b"a": "1"}, "what is lost is not in the map")


if __name__ == "__main__":
    unittest.main(verbosity=2)
