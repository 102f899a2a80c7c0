package leasemap

// The near cache behind a Map. Pure: time comes in, messages come as the protos' objects.

import (
	"container/list"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// For how long an own write is shown without the watch: longer than a watch can be silent before it moves on.
	ownMost = 30 * time.Second
	// And for how long once the watch is at the head again after it broke. If a node died, all that it told anyone is on
	// the others within 3 s: they give a silent member up after that, and ask each other for what they lack after one.
	doubtMost = 3 * time.Second
	// The cache remembers the versions of this many lost writes, so that it tells none twice. Nodes keep as many
	// conflicts.
	lostKept = 1000
	// The cache remembers this many deletes. The answers to their writes are on their way for milliseconds.
	goneKept = 1000
)

// table is what readers look into. A snapshot puts a new one in place, so that nobody sees half of it.
type table struct {
	mu      sync.RWMutex // guards entries; held for one look or one change
	entries map[string]*Entry
}

func (t *table) get(key string) *Entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.entries[key]
}

func (t *table) set(key string, entry *Entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if entry == nil {
		delete(t.entries, key)
	} else {
		t.entries[key] = entry
	}
}

// change is what programs are told of one event. They are not told of renewals, nor of the first snapshot.
type change struct {
	kind          Kind
	key           string
	entry, winner *Entry
}

// own is an answered write that the watch did not bring yet.
type own struct {
	entry *Entry
	until time.Duration
	// Versions of the same millisecond that this write replaced: only who wrote them one after another knows the order.
	older []string
}

// recent is the latest event of a key since the last cursor.
type recent struct {
	kind   Kind
	entry  *Entry
	before *Entry // what the base had at the cursor; nil if nothing
	// The stream that is read now told it, too. An earlier stream's node may have died with the only copy of it.
	confirmed bool
	standing  *change // what this stream has instead, of lower rank; nil if it told nothing of the key
}

// nearCache is what the messages of one watch make of the map, and the writes of this program on top. Pure: time comes
// in. The map's lock guards all but `shown`.
//
// A program reads its own writes: an answered write is shown at once, although the watch may bring it later. It is
// shown until the watch brings it or something that replaced it, and for ownMost at most: a write that died with its
// node never comes, and the cache must not show it for ever.
type nearCache struct {
	shown  atomic.Pointer[table]
	synced atomic.Bool // the watch has reached the head, and its stream lives
	cursor string
	whole  bool // a snapshot was completed once
	holder string
	prefix string
	base   map[string]*Entry // what the watch brought
	owns   map[string]*own
	fresh  map[string]*Entry // a snapshot under way; nil if there is none
	// The events since the last cursor, deletes too: a stream that resumes brings them again. One a key that changed
	// between two cursors, which a node sends after 1,000 events and an eighth of the keys.
	recent map[string]*recent
	lost   *lately[struct{}]
	// The latest deletes, for answers of writes that come after the watch brought the write and its delete.
	gone *lately[*Entry]
}

func newNearCache(holder, prefix string) *nearCache {
	n := &nearCache{holder: holder, prefix: prefix, base: map[string]*Entry{}, owns: map[string]*own{},
		recent: map[string]*recent{}, lost: newLately[struct{}](lostKept), gone: newLately[*Entry](goneKept)}
	n.shown.Store(&table{entries: map[string]*Entry{}})
	return n
}

// request is what the next stream asks for: to resume, or a snapshot.
func (n *nearCache) request() *leasemappb.WatchRequest {
	request := &leasemappb.WatchRequest{Cursor: n.cursor, IncludeSnapshot: n.cursor == "",
		Kinds: []leasemappb.Event_Kind{leasemappb.Event_KIND_SET, leasemappb.Event_KIND_DELETED,
			leasemappb.Event_KIND_EXPIRED, leasemappb.Event_KIND_LOST}}
	if n.prefix != "" {
		request.PrefixesBytes = [][]byte{[]byte(n.prefix)}
	}
	n.fresh = nil
	if n.cursor == "" {
		n.fresh = map[string]*Entry{}
		clear(n.recent)
	}
	for _, each := range n.recent {
		each.confirmed, each.standing = false, nil
	}
	return request
}

// broke: the stream ended. The copy stays, and grows stale.
func (n *nearCache) broke() { n.synced.Store(false) }

// take is one message of the stream; it returns what programs are told, in order.
func (n *nearCache) take(message *leasemappb.WatchResponse, now time.Duration) []change {
	var changes []change
	for _, event := range message.GetEvents() {
		entry := fromProto(event.GetEntry())
		switch kind := kindsOfProto[event.GetKind()]; kind {
		case KindLost:
			winner := fromProto(event.GetWinner())
			changes = append(changes, n.tellLost(&entry, &winner)...)
		case KindSet, KindDeleted, KindExpired:
			changes = append(changes, n.event(kind, &entry)...)
		}
	}
	if message.GetSnapshotEnd() && n.fresh != nil {
		changes = append(changes, n.putInPlace()...)
	}
	if message.GetCursor() != "" && n.fresh == nil {
		if !n.synced.Load() {
			for _, own := range n.owns {
				own.until = min(own.until, now+doubtMost)
			}
		}
		changes = append(changes, n.takeBack()...)
		n.cursor = message.GetCursor()
		n.synced.Store(true)
		clear(n.recent)
	}
	return changes
}

// wrote: a write of this program was answered with this entry, whose value the caller filled in; a renewal or release
// (which has none) keeps the value that is shown. `before` is what versions gave when the write was sent: those that it
// replaced. Of two writes of one millisecond that were under way together only the watch knows the order; until it has
// told, the answer that came last is shown.
func (n *nearCache) wrote(entry *Entry, now time.Duration, before []string) {
	if !strings.HasPrefix(entry.Key, n.prefix) {
		return
	}
	mine, known := n.owns[entry.Key], n.entry(entry.Key)
	if known == nil {
		known, _ = n.gone.get(entry.Key)
	}
	later := known == nil || slices.Contains(before, known.Version) || older(known, entry)
	together := mine != nil && mine.entry.Version != entry.Version && !older(entry, mine.entry)
	if !later && !together {
		return
	}
	if !entry.HasValue && !entry.Deleted {
		if known == nil || n.shown.Load().get(entry.Key) == nil {
			return
		}
		with := withValue(*entry, known.Value, known.Binary)
		entry = &with
	}
	made := &own{entry: entry, until: now + ownMost}
	if known != nil && !older(known, entry) {
		made.older = before
	}
	n.owns[entry.Key] = made
	n.show(entry.Key)
}

// expire lets go of own writes that the watch did not bring in time.
func (n *nearCache) expire(now time.Duration) {
	for key, own := range n.owns {
		if own.until <= now {
			delete(n.owns, key)
			n.show(key)
		}
	}
}

// entry is what is shown; a deleted one only while the watch has not brought the delete.
func (n *nearCache) entry(key string) *Entry {
	if own := n.owns[key]; own != nil {
		return own.entry
	}
	return n.base[key]
}

// versions are the version that is shown, and those of its millisecond that it replaced.
func (n *nearCache) versions(key string) []string {
	var found []string
	if own := n.owns[key]; own != nil {
		found = slices.Clone(own.older)
	}
	if entry := n.entry(key); entry != nil {
		found = append(found, entry.Version)
	}
	return found
}

func (n *nearCache) show(key string) {
	entry := n.entry(key)
	if entry != nil && (entry.Deleted || !entry.HasValue) {
		entry = nil
	}
	n.shown.Load().set(key, entry)
}

// event: what one stream tells is in the order in which the node's copy changed. Only what an earlier stream told is
// compared with it.
func (n *nearCache) event(kind Kind, entry *Entry) []change {
	key, target := entry.Key, n.base
	if n.fresh != nil {
		target = n.fresh
	}
	old, last := target[key], n.recent[key]
	if last == nil {
		if old != nil && old.Version == entry.Version && kind != KindExpired {
			return nil
		}
		last = &recent{before: old}
		n.recent[key] = last
	} else if !last.confirmed && ranksBelow(kind, entry, last.kind, last.entry) {
		last.standing = &change{kind: kind, key: key, entry: entry}
		return nil
	} else if last.entry.Version == entry.Version {
		last.confirmed = true
		// The lapse of an ephemeral key is an event of the version that was set; all else came before.
		if kind != KindExpired || last.kind == KindExpired {
			return nil
		}
	}
	last.kind, last.entry, last.confirmed = kind, entry, true
	before := n.entry(key)
	if kind == KindSet {
		target[key] = entry
	} else {
		delete(target, key)
	}
	if n.fresh != nil {
		return nil
	}
	return n.settle(change{kind: kind, key: key, entry: entry}, old, before, true, true)
}

// takeBack: the stream has reached a cursor without confirming all that an earlier stream told: such writes died with
// their node, or are still on their way and will be told again. What this node has is what stands.
func (n *nearCache) takeBack() []change {
	var changes []change
	for key, each := range n.recent {
		if each.confirmed {
			continue
		}
		stands := change{kind: KindSet, key: key, entry: each.before}
		if each.standing != nil {
			stands = *each.standing
		} else if each.before == nil {
			gone := *each.entry
			gone.Value, gone.HasValue, gone.Deleted = "", false, true
			stands.kind, stands.entry = KindDeleted, &gone
		}
		old, before := n.base[key], n.entry(key)
		if stands.kind == KindSet {
			n.base[key] = stands.entry
		} else {
			delete(n.base, key)
		}
		changes = append(changes, n.settle(stands, old, before, true, false)...)
		if each.standing == nil {
			n.gone.drop(key) // nobody deleted it: an own write that is answered late may be of lower rank
		}
	}
	return changes
}

// putInPlace: the snapshot is whole: it is the truth, whatever was here before.
func (n *nearCache) putInPlace() []change {
	fresh, oldBase, first := n.fresh, n.base, !n.whole
	n.base, n.fresh, n.whole = fresh, nil, true
	entries := make(map[string]*Entry, len(fresh))
	for key, entry := range fresh {
		if entry.HasValue {
			entries[key] = entry
		}
	}
	shownBefore := map[string]*Entry{}
	for key, own := range n.owns {
		shownBefore[key] = own.entry
		if own.entry.Deleted {
			delete(entries, key)
		} else if own.entry.HasValue {
			entries[key] = own.entry
		}
	}
	n.shown.Store(&table{entries: entries})
	before := func(key string) *Entry {
		if mine := shownBefore[key]; mine != nil {
			return mine
		}
		return oldBase[key]
	}
	var changes []change
	for key, old := range oldBase {
		if fresh[key] == nil {
			gone := *old
			gone.Value, gone.HasValue, gone.Deleted = "", false, true
			changes = append(changes, n.settle(change{kind: KindDeleted, key: key, entry: &gone}, old,
				before(key), true, false)...)
		}
	}
	for key, entry := range fresh {
		old := oldBase[key]
		if old == nil || old.Version != entry.Version {
			changes = append(changes, n.settle(change{kind: KindSet, key: key, entry: entry}, old,
				before(key), !first, true)...)
		}
	}
	return changes
}

// settle: the base has this change; it returns what programs are told. `old` is what the base had, `before` what was
// shown. If the change `replaces` what was before, own writes that it covers go, and a lease that it ended is lost.
func (n *nearCache) settle(made change, old, before *Entry, told, replaces bool) []change {
	key, entry := made.key, made.entry
	mine := n.owns[key]
	if mine != nil && replaces && !slices.Contains(mine.older, entry.Version) && !older(entry, mine.entry) {
		delete(n.owns, key)
	}
	n.show(key)
	n.gone.drop(key)
	if made.kind != KindSet {
		n.gone.put(key, entry)
	}
	var changes []change
	if replaces && before != nil && before.Holder == n.holder && !older(entry, before) && conflict(before, entry) {
		changes = n.tellLost(before, entry)
	}
	if made.kind == KindSet {
		// A write that leaves value and lease as they were is a renewal.
		renewal := old != nil && old.Value == entry.Value && old.Binary == entry.Binary && sameLease(old, entry)
		told = told && !renewal
	} else {
		told = told && old != nil
	}
	if told {
		changes = append(changes, made)
	}
	return changes
}

func (n *nearCache) tellLost(loser, winner *Entry) []change {
	if _, told := n.lost.get(loser.Version); told {
		return nil
	}
	n.lost.put(loser.Version, struct{}{})
	return []change{{kind: KindLost, key: loser.Key, entry: loser, winner: winner}}
}

// lately remembers the latest things by name, up to a bound.
type lately[T any] struct {
	most  int
	named map[string]*list.Element
	order *list.List // of pairs, oldest first
}

type pair[T any] struct {
	name  string
	thing T
}

func newLately[T any](most int) *lately[T] {
	return &lately[T]{most: most, named: map[string]*list.Element{}, order: list.New()}
}

func (l *lately[T]) get(name string) (T, bool) {
	if at := l.named[name]; at != nil {
		return at.Value.(pair[T]).thing, true
	}
	var none T
	return none, false
}

func (l *lately[T]) put(name string, thing T) (full bool) {
	l.drop(name)
	l.named[name] = l.order.PushBack(pair[T]{name, thing})
	if l.order.Len() > l.most {
		l.takeFirst()
		return true
	}
	return false
}

func (l *lately[T]) drop(name string) {
	if at := l.named[name]; at != nil {
		l.order.Remove(at)
		delete(l.named, name)
	}
}

// takeFirst takes the oldest thing out.
func (l *lately[T]) takeFirst() (T, bool) {
	first := l.order.Front()
	if first == nil {
		var none T
		return none, false
	}
	found := first.Value.(pair[T])
	l.drop(found.name)
	return found.thing, true
}
