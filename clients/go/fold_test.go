package leasemap

// The near cache, and the queue of events, without a server.

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

// cacheTest is a near cache whose synced watch brought these events.
type cacheTest struct {
	*testing.T
	*nearCache
}

func newCacheTest(t *testing.T, events ...*leasemappb.Event) cacheTest {
	c := cacheTest{t, newNearCache("me", "")}
	c.nearCache.request()
	if changes := c.take(message("c1", true, events...), 0); len(changes) > 0 {
		t.Fatalf("what was there at the start is told: %v", changes)
	}
	return c
}

func (c cacheTest) watch(events ...*leasemappb.Event) string {
	return told(c.take(message("", false, events...), 0))
}

func told(changes []change) string {
	var all []string
	for _, each := range changes {
		all = append(all, each.kind.String()+" "+each.key)
	}
	return strings.Join(all, ", ")
}

func (c cacheTest) mine(key, value string, m made, now time.Duration, before ...string) {
	if m.holder == "" {
		m.holder = "me"
	}
	c.wrote(entryOf(key, value, m), now, before)
}

// shows checks what readers see: key=value, in order of the keys.
func (c cacheTest) shows(want, why string) {
	c.Helper()
	var all []string
	for key, entry := range c.shown.Load().entries {
		all = append(all, key+"="+entry.Value)
	}
	slices.Sort(all)
	equal(c.T, strings.Join(all, " "), want, why)
}

func TestASnapshotIsSeenWholeOrNotAtAll(t *testing.T) {
	c := cacheTest{t, newNearCache("me", "")}
	equal(t, c.nearCache.request().GetIncludeSnapshot(), true, "a snapshot is asked for")
	c.watch(set("a", "1", made{}))
	c.shows("", "half a snapshot")
	equal(t, c.synced.Load(), false, "synced")
	equal(t, told(c.take(message("c1", true, set("b", "2", made{})), 0)), "", "the start is not told")
	c.shows("a=1 b=2", "the whole")
	equal(t, c.synced.Load(), true, "synced")
}

func TestEventsChangeTheCopyAndAreTold(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}), set("gone", "1", made{}), set("brief", "1", made{}))
	equal(t, c.watch(set("a", "2", made{version: "v2", written: t0 + 1}),
		deleted("gone", made{version: "v2", written: t0 + 1}), expired("brief", "1", made{})),
		"set a, deleted gone, expired brief", "told")
	c.shows("a=2", "after the events")
	equal(t, c.watch(expired("brief", "1", made{}), deleted("never-seen", made{})), "", "a lapse is told once")
}

func TestAResumedStreamTellsNothingTwice(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}))
	two, three := set("a", "2", made{version: "v2", written: t0 + 1}), deleted("a", made{version: "v3", written: t0 + 2})
	equal(t, c.watch(two, three), "set a, deleted a", "the first time")
	c.broke()
	equal(t, c.synced.Load(), false, "synced")
	request := c.nearCache.request()
	equal(t, request.GetCursor(), "c1", "cursor")
	equal(t, request.GetIncludeSnapshot(), false, "snapshot")
	equal(t, c.watch(two, three), "", "the second time")
	c.shows("", "after both")
	c.take(message("c2", false), 0)
	equal(t, c.nearCache.request().GetCursor(), "c2", "cursor")
}

func TestWhatOnlyADeadNodeHadIsTakenBackFromTheCopy(t *testing.T) {
	ghost := made{version: "v9", written: t0 + 9}
	c := newCacheTest(t, set("a", "1", made{}), set("b", "1", made{}), set("d", "1", made{}), set("e", "1", made{}))
	c.watch(set("a", "9", ghost), set("b", "9", ghost), set("c", "9", ghost), deleted("d", ghost), set("e", "9", ghost))
	c.broke()
	c.nearCache.request()
	equal(t, c.watch(set("a", "2", made{version: "v2", written: t0 + 1}), set("e", "9", ghost)), "",
		"whether the rest is on its way is not known yet")
	c.shows("a=9 b=9 c=9 e=9", "before the cursor")
	changes := strings.Split(told(c.take(message("c2", false), 0)), ", ")
	slices.Sort(changes)
	equal(t, strings.Join(changes, ", "), "deleted c, set a, set b, set d", "told")
	c.shows("a=2 b=1 d=1 e=9", "what stands")
	equal(t, c.watch(set("b", "9", ghost)), "set b", "it was on its way after all")
}

func TestALapseThatTheNextNodeDoesNotSeeIsTakenBack(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}))
	c.watch(expired("a", "1", made{}))
	c.broke()
	c.nearCache.request()
	equal(t, c.watch(set("a", "1", made{})), "", "its lapse may be about to come")
	equal(t, told(c.take(message("c2", false), 0)), "set a", "told")
	c.shows("a=1", "it lives there: its lease may be renewed without an event")
}

func TestASecondBreakBeforeTheCursorLosesNothing(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}))
	c.watch(set("a", "9", made{version: "v9", written: t0 + 9}))
	for range 2 {
		c.broke()
		equal(t, c.nearCache.request().GetCursor(), "c1", "cursor")
	}
	equal(t, told(c.take(message("c2", false), 0)), "set a", "told")
	c.shows("a=1", "what stood at the cursor")
}

func TestAStreamsOwnOrderIsTheCopysOrder(t *testing.T) {
	c := newCacheTest(t)
	c.watch(set("a", "2", made{version: "v2", written: t0 + 1}), set("a", "1", made{}))
	c.shows("a=1", "the later event")
}

func TestASnapshotAfterALostCursorIsTheTruth(t *testing.T) {
	c := newCacheTest(t, set("stays", "1", made{}), set("gone", "1", made{}),
		set("back", "new", made{version: "v9", written: t0 + 9}))
	c.broke()
	c.cursor = ""
	c.nearCache.request()
	c.watch(set("stays", "1", made{}))
	c.shows("back=new gone=1 stays=1", "readers keep the old map until the new one is whole")
	// The write v9 died with its node: the older one that the others have is what stands.
	rest := message("c2", true, set("back", "old", made{version: "v8"}))
	equal(t, told(c.take(rest, 0)), "deleted gone, set back", "told")
	c.shows("back=old stays=1", "the truth")
}

func TestABrokenSnapshotLeavesNothing(t *testing.T) {
	c := cacheTest{t, newNearCache("me", "")}
	c.nearCache.request()
	c.watch(set("a", "1", made{}))
	c.broke()
	c.nearCache.request()
	c.take(message("c1", true, set("b", "1", made{})), 0)
	c.shows("b=1", "the second snapshot alone")
}

func TestARenewalIsNotToldAndANewHolderIs(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}))
	equal(t, c.watch(set("a", "1", made{version: "v2", written: t0 + 1})), "", "a renewal")
	equal(t, c.watch(set("a", "1", made{version: "v3", holder: "third", start: t0 + 9, written: t0 + 9, epoch: 1 << 41})),
		"set a", "another holder")
}

func TestOwnWritesAreReadAtOnce(t *testing.T) {
	c := newCacheTest(t, set("b", "1", made{holder: "me"}))
	c.mine("a", "1", made{}, 0)
	c.mine("b", "", made{version: "v2", written: t0 + 1, deleted: true}, 0)
	c.shows("a=1", "a write and a delete")
	equal(t, c.watch(set("a", "1", made{holder: "me"})), "set a", "told when the watch brings it")
	c.expire(ownMost * 10)
	c.shows("a=1 b=1", "what the watch has stays, what it never brought goes")
}

func TestOwnWritesGiveWayToTheWatch(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{holder: "me"}))
	c.mine("a", "3", made{version: "v3", written: t0 + 3}, 0)
	c.watch(set("a", "2", made{holder: "me", version: "v2", written: t0 + 2}))
	c.shows("a=3", "an older event does not hide it")
	c.watch(set("a", "9", made{version: "v9", epoch: 1 << 41, written: t0 + 9}))
	c.shows("a=9", "a newer one does")
}

func TestAnOwnWriteThatDiedWithItsNodeGoes(t *testing.T) {
	for _, moved := range []bool{false, true} {
		c := newCacheTest(t, set("a", "1", made{holder: "me"}))
		c.mine("a", "2", made{version: "v2", written: t0 + 1}, 10*time.Second)
		end := 10*time.Second + ownMost
		if moved {
			c.broke()
			c.nearCache.request()
			c.take(message("c2", false), 15*time.Second)
			end = 15*time.Second + doubtMost
		}
		c.expire(end - time.Millisecond)
		c.shows("a=2", "before its time")
		c.expire(end)
		c.shows("a=1", "after it")
	}
}

func TestAnAnswerThatComesAfterItsEventsChangesNothing(t *testing.T) {
	c := newCacheTest(t)
	c.take(message("c2", false, set("a", "1", made{holder: "me"}),
		deleted("a", made{holder: "me", version: "v2", written: t0 + 1})), 0)
	c.mine("a", "1", made{}, 0)
	c.shows("", "the delete stands")
}

func TestOfOneMillisecondTheWatchKnowsTheOrder(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{holder: "me"}))
	c.mine("a", "2", made{version: "v2"}, 0, "v1")
	c.shows("a=2", "nothing came since it was sent: it is the later one")
	c.watch(set("a", "2", made{holder: "me", version: "v2"}), set("a", "3", made{holder: "me", version: "v3"}))
	c.mine("a", "2", made{version: "v2"}, 0, "v1") // the answer to another goroutine, late
	c.shows("a=3", "the watch's word")
}

func TestEarlierWritesOfTheSameMillisecondHideNothing(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{holder: "me"}))
	for i := 2; i <= 3; i++ {
		c.mine("a", fmt.Sprint(i), made{version: fmt.Sprintf("v%d", i)}, 0, c.versions("a")...)
	}
	sent := c.versions("a") // v4 is under way
	c.watch(set("a", "2", made{holder: "me", version: "v2"}))
	c.shows("a=3", "the watch is behind")
	c.mine("a", "4", made{version: "v4"}, 0, sent...)
	c.watch(set("a", "3", made{holder: "me", version: "v3"}))
	c.shows("a=4", "the watch is behind")
	c.watch(set("a", "5", made{holder: "me", version: "v5"}))
	c.shows("a=5", "what this program did not write before is later")
}

func TestOfTwoUnderWayTogetherTheLastAnswerIsShown(t *testing.T) {
	c := newCacheTest(t)
	for i := 2; i <= 3; i++ {
		c.mine("a", fmt.Sprint(i), made{version: fmt.Sprintf("v%d", i)}, 0)
		c.shows(fmt.Sprintf("a=%d", i), "an answer")
	}
	c.watch(set("a", "2", made{holder: "me", version: "v2"}))
	c.shows("a=2", "the watch knows the order")
}

func TestARenewalKeepsTheValue(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{holder: "me"}))
	c.mine("a", "", made{version: "v2", written: t0 + 1, noForm: true}, 0)
	c.shows("a=1", "the value")
	equal(t, c.entry("a").Version, "v2", "the version")
	c.mine("never-seen", "", made{noForm: true}, 0)
	c.shows("a=1", "no value, no key")
}

func TestOwnWritesOutlastASnapshot(t *testing.T) {
	c := newCacheTest(t)
	c.mine("a", "1", made{}, 0)
	c.mine("b", "", made{version: "v2", deleted: true}, 0)
	c.broke()
	c.cursor = ""
	c.nearCache.request()
	c.take(message("c2", true, set("b", "old", made{holder: "me", written: t0 - 1})), 0)
	c.shows("a=1", "own writes on top")
}

func TestKeysOfOtherPrefixesAreNotKept(t *testing.T) {
	c := cacheTest{t, newNearCache("me", "app/")}
	equal(t, string(c.nearCache.request().GetPrefixesBytes()[0]), "app/", "what is asked for")
	c.mine("elsewhere", "1", made{}, 0)
	c.shows("", "of another prefix")
}

func TestALeaseThatWasReplacedWhileItRanIsLost(t *testing.T) {
	theirs := set("a", "theirs", made{version: "v9", start: t0 + 10, written: t0 + 10, epoch: 1 << 41})
	for _, each := range []struct {
		mine made
		want string
	}{
		{made{holder: "me"}, "lost a, set a"},
		{made{holder: "me", expire: t0 + 5}, "set a"}, // lapsed before
		{made{holder: "me", expire: t0}, "set a"},     // released before
		{made{holder: "third"}, "set a"},              // another's loss
		{made{holder: "me", epoch: 1 << 42}, "set a"}, // it has not lost
	} {
		c := newCacheTest(t, set("a", "mine", each.mine))
		if each.mine.epoch != 0 {
			c = newCacheTest(t)
			c.mine("a", "mine", each.mine, 0)
		}
		equal(t, c.watch(theirs), each.want, fmt.Sprint(each.mine))
	}
}

func TestTheOrderOfMerges(t *testing.T) {
	// From what stands least to what stands most.
	order := []*Entry{
		entryOf("k", "", made{}),
		entryOf("k", "", made{start: t0 - 1}), // the earlier start
		entryOf("k", "", made{epoch: baseEpoch + 1, holder: "b"}),
		entryOf("k", "", made{epoch: baseEpoch + 1, holder: "a"}), // the smaller holder
		entryOf("k", "", made{epoch: baseEpoch + 1, holder: "a", written: t0 + 0.001}),
	}
	for i := range order {
		for j := range order {
			equal(t, older(order[i], order[j]), i < j, fmt.Sprint(i, " and ", j))
		}
	}
}

func TestTheServersWordOfALossIsToldOnce(t *testing.T) {
	c := newCacheTest(t, set("a", "1", made{}))
	lost := &leasemappb.Event{Kind: leasemappb.Event_KIND_LOST, Entry: protoEntry("a", "mine", made{version: "v7"}),
		Winner: protoEntry("a", "1", made{})}
	equal(t, c.watch(lost), "lost a", "the first time")
	equal(t, c.watch(lost), "", "the second time")
	c.shows("a=1", "what is lost is not in the map")
}

func TestWhatWaitsForAProgramIsBounded(t *testing.T) {
	var said strings.Builder
	q := newQueue(slog.New(slog.NewTextHandler(&said, nil)))
	for i := range keysWaiting + 5 {
		q.publish([]change{{kind: KindSet, key: fmt.Sprint(i), entry: &Entry{Key: fmt.Sprint(i)}}})
	}
	for i := range lostWaiting + 5 {
		q.publish([]change{{kind: KindLost, key: "lost", entry: &Entry{Key: "lost", Version: fmt.Sprint(i)}}})
	}
	q.publish([]change{{kind: KindDeleted, key: "7", entry: &Entry{Key: "7", Deleted: true}}})
	equal(t, strings.Count(said.String(), "the oldest are skipped"), 1, "complaints")
	seen, last := map[Kind]int{}, Event{}
	for event, ok := q.take(); ok; event, ok = q.take() {
		seen[event.Kind]++
		last = event
	}
	equal(t, seen[KindLost], lostWaiting, "lost")
	equal(t, seen[KindSet]+seen[KindDeleted], keysWaiting, "others")
	equal(t, last.Kind, KindDeleted, "the latest of a key comes last, in place of the one before")
}
