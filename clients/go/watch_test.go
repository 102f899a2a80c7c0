package leasemap

// Watches and maps against a fake cluster, and the cost of a read.

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"leasemap.dev/leasemap/leasemappb"
)

// following goes over a watch in a goroutine of the test's own.
func following(t *testing.T, c *Client, options ...WatchOption) (events chan string, stop func() error) {
	ctx, cancel := context.WithCancel(background)
	events, ended := make(chan string, 1000), make(chan error, 1)
	go func() {
		for event, err := range c.Watch(ctx, options...) {
			if err != nil {
				ended <- err
				return
			}
			events <- strings.TrimSpace(event.Kind.String() + " " + event.Entry.Key + " " + event.Entry.Value)
		}
		ended <- nil
	}()
	stop = func() error {
		cancel()
		return <-ended
	}
	t.Cleanup(cancel)
	return events, stop
}

func next(t *testing.T, events chan string) string {
	t.Helper()
	select {
	case event := <-events:
		return event
	case <-time.After(20 * time.Second):
		t.Fatal("no event")
		return ""
	}
}

func TestAWatchGoesOnAtTheNextNodeAndTellsNothingTwice(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	store := nodes[0].store
	store.by("other", "a", "1", 0)
	events, stop := following(t, c, Snapshot())
	equal(t, next(t, events), "set a 1", "snapshot")
	store.by("other", "a", "2", 0)
	equal(t, next(t, events), "set a 2", "change")
	nodes[0].server.Stop()
	store.by("other", "b", "3", 0)
	equal(t, next(t, events), "set b 3", "what happened meanwhile")
	equal(t, c.Node(), nodes[1].target, "home")
	store.drop("a")
	equal(t, next(t, events), "deleted a", "delete")
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	equal(t, nodes[1].requests[0].(*leasemappb.WatchRequest).GetCursor(), "2", "the cursor it resumed from")
}

func TestASilentNodeIsLeft(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	c.silence = 50 * time.Millisecond
	following(t, c)
	eventually(t, "the other is asked", func() bool { return nodes[1].count("Watch") > 0 })
}

func TestASlowLoopIsNotTakenForASilentNode(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	c.silence = 200 * time.Millisecond
	nodes[0].store.by("other", "a", "1", 0)
	for event, err := range c.Watch(background, Snapshot()) {
		if err != nil {
			t.Fatal(err)
		}
		if event.Entry.Key == "c" {
			break
		}
		nodes[0].store.by("other", map[string]string{"a": "b", "b": "c"}[event.Entry.Key], "2", 0)
		time.Sleep(2 * c.silence)
	}
	equal(t, nodes[0].count("Watch"), 1, "streams")
	equal(t, c.Node(), nodes[0].target, "home")
}

// pureWatch is a watch without a node: it gathers what it tells.
func pureWatch(asks bool) (*watch, *[]string) {
	var events []string
	w := &watch{told: map[string]*telling{}, asks: asks,
		args: watchArgs{request: &leasemappb.WatchRequest{}, bookmarks: true}}
	w.yield = func(event Event, _ error) bool {
		about := event.Entry.Key + event.Cursor
		if event.Entry.HasValue {
			about += "=" + event.Entry.Value
		}
		events = append(events, event.Kind.String()+" "+about)
		return true
	}
	w.read = func(keys []string) (map[string]Entry, error) { panic(fmt.Sprint("a node is asked for ", keys)) }
	w.request()
	return w, &events
}

func TestRepeatsAfterACursorAreDropped(t *testing.T) {
	w, events := pureWatch(false)
	two, brief := set("a", "2", made{version: "v2", written: t0 + 1}), set("b", "1", made{})
	w.took(message("c1", false))
	w.took(message("", false, set("a", "1", made{}), two, brief, expired("b", "1", made{})))
	w.request() // it resumes from c1
	w.took(message("", false, set("a", "1", made{}), two, expired("b", "1", made{})))
	w.took(message("c2", false))
	equal(t, strings.Join(*events, ", "),
		"bookmark c1, set a=1, set a=2, set b=1, expired b=1, bookmark c2", "told")
	equal(t, w.request().GetCursor(), "c2", "cursor")
}

func TestWhatOnlyADeadNodeHadIsTakenBack(t *testing.T) {
	ghost := made{version: "v9", written: t0 + 9}
	w, events := pureWatch(false)
	w.took(message("c1", false))
	w.took(message("", false, set("a", "9", ghost), set("b", "9", ghost), set("c", "9", ghost), set("d", "9", ghost),
		deleted("e", ghost), set("f", "9", ghost)))
	w.request()
	var asked []string
	w.read = func(keys []string) (map[string]Entry, error) {
		slices.Sort(keys)
		asked = keys
		return map[string]Entry{"c": *entryOf("c", "1", made{}), "f": *entryOf("f", "9", ghost)}, nil
	}
	*events = nil
	w.took(message("", false, set("a", "1", made{version: "v2", written: t0 + 1}), deleted("b", made{version: "v2"})))
	equal(t, len(*events), 0, "whether the rest is on its way is not known yet")
	w.took(message("c2", false))
	equal(t, strings.Join(asked, " "), "c d e f", "a node is asked for what the stream said nothing of")
	equal(t, (*events)[len(*events)-1], "bookmark c2", "last")
	slices.Sort(*events)
	equal(t, strings.Join(*events, ", "), "bookmark c2, deleted b, deleted d, set a=1, set c=1", "told")
	*events = nil
	w.took(message("", false, set("c", "1", made{}), set("a", "9", ghost)))
	equal(t, strings.Join(*events, ", "), "set a=9", "what arrives after all is told, what was read is not told again")
}

func TestAWatchThatCannotAskResumesFromItsOldCursor(t *testing.T) {
	w, events := pureWatch(false)
	w.took(message("c1", false))
	w.took(message("", false, set("a", "9", made{})))
	w.request()
	w.read = func([]string) (map[string]Entry, error) { return nil, errors.New("no node answers") }
	if more, err := w.took(message("c2", false)); err == nil || !more {
		t.Fatal(more, err)
	}
	equal(t, w.request().GetCursor(), "c1", "cursor")
	w.took(message("c3", false, set("a", "9", made{})))
	equal(t, strings.Join(*events, ", "), "bookmark c1, set a=9, bookmark c3", "told")
}

func TestAStreamsOwnOrderIsTheNodes(t *testing.T) {
	w, events := pureWatch(false)
	w.took(message("", false, set("a", "2", made{version: "v2", written: t0 + 1}), set("a", "1", made{})))
	equal(t, strings.Join(*events, ", "), "set a=2, set a=1", "told")
}

func TestOnlyKindsThatWereAskedForAreTakenBack(t *testing.T) {
	w, events := pureWatch(false)
	w.args.request.Kinds = []leasemappb.Event_Kind{leasemappb.Event_KIND_SET}
	w.took(message("", false, set("a", "9", made{})))
	w.request()
	w.read = func([]string) (map[string]Entry, error) { return nil, nil }
	w.took(message("c2", false))
	equal(t, strings.Join(*events, ", "), "set a=9, bookmark c2", "told")
}

func TestASnapshotThatIsTriedAgainTellsWhatStands(t *testing.T) {
	w, events := pureWatch(true)
	equal(t, w.request().GetIncludeSnapshot(), true, "snapshot")
	w.took(message("", false, set("a", "1", made{}), set("b", "1", made{}),
		set("d", "9", made{version: "v9", written: t0 + 9})))
	equal(t, w.broke(failure(codes.Unavailable, "DRAINING", nil)), true, "it goes on")
	equal(t, w.request().GetIncludeSnapshot(), true, "the snapshot again")
	w.took(message("c1", true, set("b", "1", made{}), set("c", "1", made{}), set("d", "1", made{})))
	equal(t, strings.Join((*events)[:4], ", "), "set a=1, set b=1, set d=9, set c=1", "told")
	slices.Sort((*events)[4:6])
	equal(t, strings.Join((*events)[4:], ", "), "deleted a, set d=1, bookmark c1", "told at the end")
	equal(t, w.request().GetCursor(), "c1", "cursor")
	equal(t, w.request().GetIncludeSnapshot(), false, "snapshot")
}

func TestAWatchEndsWithWhatNoNodeMends(t *testing.T) {
	for reason, each := range map[string]struct {
		code codes.Code
		kind error
	}{"CURSOR_EXPIRED": {codes.OutOfRange, ErrCursor}, "REQUEST_INVALID": {codes.InvalidArgument, ErrInvalid}} {
		nodes := startFakeNodes(t, 2)
		c := client(t, nodes)
		nodes[0].onFail(refusing("Watch", failure(each.code, reason, nil)))
		var last error
		for _, err := range c.Watch(background, FromCursor("c"), Kinds(KindSet, KindLost), Keys("k")) {
			last = err
		}
		equal(t, errors.Is(last, each.kind), true, fmt.Sprint(last))
		equal(t, c.Node(), nodes[0].target, "the node is not to blame")
		request := nodes[0].requests[0].(*leasemappb.WatchRequest)
		equal(t, len(request.GetKinds())*10+len(request.GetKeysBytes()), 21, "kinds and keys")
	}
	c := client(t, startFakeNodes(t, 1))
	for _, err := range c.Watch(background, FromCursor("c"), Snapshot()) {
		equal(t, errors.Is(err, ErrInvalid), true, fmt.Sprint(err))
	}
	events, stop := following(t, c)
	c.Close()
	equal(t, len(events), 0, "events")
	equal(t, errors.Is(stop(), ErrClosed), true, "the client was closed")
}

func TestALoopThatIsLeftLeavesNothing(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].store.by("other", "a", "1", 0)
	if _, err := c.Get(background, "a"); err != nil { // the connection is there
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	for range 20 {
		for range c.Watch(background, Snapshot()) {
			break
		}
	}
	func() {
		defer func() { recover() }()
		for range c.Watch(background, Snapshot()) {
			panic("in the loop")
		}
	}()
	equal(t, len(c.streams), 0, "streams")
	eventually(t, "no goroutines are left", func() bool { return runtime.NumGoroutine() <= before })
}

// newMap is a map that sees all keys.
func newMap(t *testing.T, c *Client) *Map {
	m, err := c.Map(background, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAMapShowsOwnWritesAtOnceAndOthersSoon(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	nodes[0].store.by("other", "a", "1", 0)
	m := newMap(t, c)
	value, ok := m.Get("a")
	equal(t, value == "1" && ok && m.Len() == 1 && m.Synced(), true, "the snapshot")
	events := m.Events(background)
	for i := range 20 {
		entry, err := m.Set(background, "own", fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		shown, _ := m.Entry("own")
		equal(t, shown.Value, fmt.Sprint(i), "read at once")
		equal(t, shown.Version, entry.Version, "version")
	}
	if _, err := m.Delete(background, "own"); err == nil {
		t.Fatal("the fake has no Delete")
	}
	nodes[0].store.drop("a")
	nodes[0].store.by("other", "b", "2", 0)
	var last Event
	for last = range events {
		if last.Entry.Key == "b" {
			break
		}
	}
	equal(t, last.Kind, KindSet, "told")
	_, ok = m.Get("a")
	equal(t, ok, false, "a is gone")
	var all []string
	for key, value := range m.All() {
		all = append(all, key+"="+value)
	}
	equal(t, strings.Join(all, " "), "b=2 own=19", "all, in order")
	equal(t, len(m.queues), 0, "a loop that is left takes no events any more")
}

func TestAMapShowsAWriteThatItsWatchHasNotBrought(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].after = func(ctx context.Context, method string, _ proto.Message) error {
		if method == "Watch" { // it brings the snapshot and nothing more
			<-ctx.Done()
		}
		return nil
	}
	m := newMap(t, c)
	if _, err := c.Set(background, "a", "1"); err != nil {
		t.Fatal(err)
	}
	value, _ := m.Get("a")
	equal(t, value, "1", "read at once")
	if _, err := c.BatchSet(background, map[string]string{"b": "2"}); err != nil {
		t.Fatal(err)
	}
	value, _ = m.Get("b")
	equal(t, value, "2", "of a batch, too")
}

func TestAMapMovesWithItsClient(t *testing.T) {
	nodes := startFakeNodes(t, 2)
	c := client(t, nodes)
	m := newMap(t, c)
	nodes[0].onFail(refusing("Set", failure(codes.Unavailable, "DRAINING", nil)))
	if _, err := m.Set(background, "k", "1"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the watch moves along", func() bool { return nodes[1].count("Watch") == 1 && m.Synced() })
	nodes[1].server.Stop()
	nodes[0].onFail(nil)
	nodes[0].store.by("other", "k2", "2", 0)
	eventually(t, "the watch moves back", func() bool { _, ok := m.Get("k2"); return ok })
	eventually(t, "and is synced", m.Synced)
}

func TestAMapTakesASnapshotWhereItsCursorIsNoGood(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	store := nodes[0].store
	store.by("other", "gone", "1", 0)
	m := newMap(t, c)
	events := m.Events(background)
	nodes[0].onFail(func(_ context.Context, method string, request proto.Message) error {
		if watch, ok := request.(*leasemappb.WatchRequest); ok && watch.GetCursor() != "" {
			return failure(codes.OutOfRange, "CURSOR_EXPIRED", nil)
		}
		return nil
	})
	c.mu.Lock()
	for stream := range c.streams {
		stream.cancel()
	}
	c.mu.Unlock()
	store.drop("gone")
	store.by("other", "new", "2", 0)
	seen := map[string]bool{}
	for event := range events {
		if seen[event.Kind.String()+" "+event.Entry.Key] = true; len(seen) == 2 {
			break
		}
	}
	equal(t, seen["deleted gone"] && seen["set new"], true, fmt.Sprint(seen))
}

func TestAMapSaysWhyItIsNotSynced(t *testing.T) {
	nodes := startFakeNodes(t, 1)
	c := client(t, nodes)
	nodes[0].onFail(refusing("Watch", failure(codes.Unavailable, "SYNCING", nil)))
	ctx, cancel := context.WithTimeout(background, 200*time.Millisecond)
	defer cancel()
	_, err := c.Map(ctx, "")
	equal(t, errors.Is(err, ErrUnavailable) && errors.Is(err, context.DeadlineExceeded), true, fmt.Sprint(err))
	equal(t, strings.Contains(err.Error(), "SYNCING"), true, err.Error())
	equal(t, len(c.maps), 0, "maps")
}

func TestAMapHasItsPrefixAlone(t *testing.T) {
	c := client(t, startFakeNodes(t, 1))
	m, err := c.Map(background, "app/")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"elsewhere", "app"} {
		if _, err := m.Set(background, key, "x"); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	equal(t, m.Prefix(), "app/", "prefix")
	m.Close()
	m.Close()
	equal(t, m.Synced(), false, "synced")
	equal(t, errors.Is(m.WaitSynced(background), ErrClosed), true, "closed")
}

// The cost of a read, with as many readers as there are cores while a watch brings changes.
func BenchmarkMapGet(b *testing.B) {
	n := newNearCache("me", "")
	n.request()
	keys := make([]string, 100_000)
	var events []*leasemappb.Event
	for i := range keys {
		keys[i] = fmt.Sprintf("config/%d", i)
		events = append(events, set(keys[i], "value", made{}))
	}
	n.take(message("c1", true, events...), 0)
	m := &Map{cache: n}
	for _, fed := range []bool{false, true} {
		b.Run(map[bool]string{false: "still", true: "fed"}[fed], func(b *testing.B) {
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for i := 0; fed; i++ { // 200 events every 10 ms
					select {
					case <-stop:
						return
					case <-time.After(10 * time.Millisecond):
					}
					var some []*leasemappb.Event
					for j := range 200 {
						some = append(some, set(keys[(i*200+j)%len(keys)], "new",
							made{version: fmt.Sprint(i), written: t0 + 1 + float64(i)}))
					}
					n.take(message(fmt.Sprint(i), false, some...), 0)
				}
			}()
			b.RunParallel(func(p *testing.PB) {
				for i := 0; p.Next(); i++ {
					if _, ok := m.Get(keys[i%len(keys)]); !ok {
						b.Fail()
					}
				}
			})
			close(stop)
			<-stopped
		})
	}
}

func TestAReadCostsLessThanAMicrosecond(t *testing.T) {
	result := testing.Benchmark(func(b *testing.B) {
		n := newNearCache("me", "")
		n.request()
		n.take(message("c1", true, set("key", "value", made{})), 0)
		m := &Map{cache: n}
		for range b.N {
			m.Get("key")
		}
	})
	if cost := time.Duration(result.NsPerOp()); cost >= time.Microsecond || result.AllocsPerOp() > 0 {
		t.Fatalf("a read costs %v and %d allocations", cost, result.AllocsPerOp())
	}
}
