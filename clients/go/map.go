package leasemap

// The copy of the cluster's map, as programs see it, around the near cache.

import (
	"context"
	"errors"
	"iter"
	"sort"
	"sync"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

// syncMost is how long Client.Map waits for a node's map where the context has no deadline.
const syncMost = 10 * time.Second

// Map is a copy of the cluster's map, or of the keys below a prefix, in this process. One watch keeps it fresh. Reads
// look into the copy and ask no node. The client sends the writes. All its maps show an answered write at once, to all
// goroutines, until the watch brings that write or a later one. If the watch does not bring it within 30 s, or within
// 3 s after it moved to another node, the write died with its node, and the maps show the entry of the watch again. Two
// clients, even of one process, see each other's writes by their watches only.
//
// All methods may be called from many goroutines at once.
type Map struct {
	client *Client
	prefix string
	ctx    context.Context // ends with the map
	cancel context.CancelFunc
	ended  chan struct{} // closed when the watch's goroutine is gone
	cache  *nearCache

	mu      sync.Mutex          // guards what follows, and the cache but for reads
	queues  map[*queue]struct{} // of those who go over Events
	moved   chan struct{}       // closed, and made again, when the map is synced
	last    error               // why the watch broke last
	refused error               // why the nodes refused the watch, which ended it
	expiry  *time.Timer         // lets go of own writes
}

// Map makes a copy of the keys below the prefix ("" for the whole map) and waits until it is complete: until the context
// ends, or for 10 s if it has no deadline; then ErrUnavailable, with the error of the last node. ErrPermission if the
// nodes do not allow it. The copy takes about 0.4 KB a key beside its value. End it with Close, or with the client.
func (c *Client) Map(ctx context.Context, prefix string) (*Map, error) {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, syncMost)
		defer cancel()
	}
	if _, err := c.Identify(ctx); err != nil {
		return nil, err
	}
	m, err := c.startMap(prefix)
	if err != nil {
		return nil, err
	}
	if err := m.WaitSynced(ctx); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (c *Client) startMap(prefix string) (*Map, error) {
	m := &Map{client: c, prefix: prefix, ended: make(chan struct{}), cache: newNearCache(c.Holder(), prefix),
		queues: map[*queue]struct{}{}, moved: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancel(c.ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.spawnLocked(func() {
		defer close(m.ended)
		c.follow(m.ctx, m)
		m.endWatch()
	}) {
		m.cancel()
		return nil, closedError()
	}
	c.maps[m] = struct{}{}
	return m, nil
}

// Close ends the map's watch and its events. The copy can still be read, and grows stale. It may be called again.
func (m *Map) Close() error {
	m.cancel()
	<-m.ended
	return nil
}

func (m *Map) endWatch() {
	m.client.mu.Lock()
	delete(m.client.maps, m)
	m.client.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache.broke()
	if m.expiry != nil {
		m.expiry.Stop()
	}
}

// Get is the key's value, as far as the copy knows; false if there is none.
func (m *Map) Get(key string) (string, bool) {
	if entry := m.cache.shown.Load().get(key); entry != nil {
		return entry.Value, true
	}
	return "", false
}

// Entry is the key's entry, as far as the copy knows: value, holder, lease, version, times. False if there is none.
func (m *Map) Entry(key string) (Entry, bool) {
	if entry := m.cache.shown.Load().get(key); entry != nil {
		return *entry, true
	}
	return Entry{}, false
}

// Len is the number of keys.
func (m *Map) Len() int {
	shown := m.cache.shown.Load()
	shown.mu.RLock()
	defer shown.mu.RUnlock()
	return len(shown.entries)
}

// All iterates over the keys and values of the moment at which it starts, in order of the keys. It makes a list of the
// keys for that.
func (m *Map) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		shown := m.cache.shown.Load()
		shown.mu.RLock()
		entries := make([]*Entry, 0, len(shown.entries))
		for _, entry := range shown.entries {
			entries = append(entries, entry)
		}
		shown.mu.RUnlock()
		sort.Slice(entries, func(i, j int) bool { return entries[i].Key < entries[j].Key })
		for _, entry := range entries {
			if !yield(entry.Key, entry.Value) {
				return
			}
		}
	}
}

// Prefix is what all keys of the map start with.
func (m *Map) Prefix() string { return m.prefix }

// Synced is true while the watch lives and has brought all entries of its node: reads then lag behind that node by one
// message. It is false while the map looks for a node; the copy may then be old.
func (m *Map) Synced() bool { return m.cache.synced.Load() }

// Err is why the map's watch ended by itself: ErrPermission, when the nodes do not allow it. The copy is not synced any
// more, and stays what it is; make another map to try again. Nil while the watch goes on, or was ended by Close.
func (m *Map) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.refused
}

// WaitSynced waits until Synced, or until the context ends: then ErrUnavailable, with the error of the last node. It
// returns Err if that is why the watch ended.
func (m *Map) WaitSynced(ctx context.Context) error {
	for {
		m.mu.Lock()
		moved := m.moved
		m.mu.Unlock()
		if m.Synced() {
			return nil
		}
		select {
		case <-moved:
		case <-m.ended:
			if err := m.Err(); err != nil {
				return err
			}
			return closedError()
		case <-ctx.Done():
			m.mu.Lock()
			defer m.mu.Unlock()
			return unavailable(ctx.Err(), "no node gave its map in time; the last error: %v", m.last)
		}
	}
}

// Set writes a key of the map, as Client.Set; ErrInvalid if it is not below the map's prefix, since it would not be
// seen.
func (m *Map) Set(ctx context.Context, key, value string, options ...SetOption) (Entry, error) {
	if err := m.below(key); err != nil {
		return Entry{}, err
	}
	return m.client.Set(ctx, key, value, options...)
}

// Delete deletes a key of the map, as Client.Delete.
func (m *Map) Delete(ctx context.Context, key string, options ...DeleteOption) (Entry, error) {
	if err := m.below(key); err != nil {
		return Entry{}, err
	}
	return m.client.Delete(ctx, key, options...)
}

func (m *Map) below(key string) error {
	if len(key) < len(m.prefix) || key[:len(m.prefix)] != m.prefix {
		return invalid("key %q is not below this map's prefix %q; use the client, or a map with a shorter prefix", key,
			m.prefix)
	}
	return nil
}

// Events iterates over the map's changes from the call of Events on, until the loop is left, or the context or the map
// ends (Close, Err).
//
//   - KindSet: a value was set, or the key changed hands. Renewals make no event, nor do the entries of the first
//     snapshot.
//   - KindDeleted, KindExpired: the key is gone.
//   - KindLost: a write of this client, or one that its node took, lost to another lease's write (Winner).
//
// A program that is slow sees the latest event of each key only, and of 100,000 keys at most: beyond that the oldest
// are skipped, and the log says so. The map's watch never waits for it. After a move to a node where the cursor has
// expired, the map compares a new snapshot with its copy, and makes events of the difference. Iterate once; each call
// has events of its own. End the context if the loop may never begin: until then, or until the map is closed, events
// are kept for it.
func (m *Map) Events(ctx context.Context) iter.Seq[Event] {
	q := newQueue(m.client.config.log)
	m.mu.Lock()
	m.queues[q] = struct{}{}
	m.mu.Unlock()
	forget := func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.queues, q)
	}
	stop := context.AfterFunc(ctx, forget) // also where nobody ever goes over it
	return func(yield func(Event) bool) {
		defer stop()
		defer forget()
		for {
			for event, ok := q.take(); ok; event, ok = q.take() {
				if !yield(event) {
					return
				}
			}
			select {
			case <-q.changed:
			case <-ctx.Done():
				return
			case <-m.ended:
				return
			}
		}
	}
}

func (m *Map) versions(key string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cache.versions(key)
}

func (m *Map) wrote(entry *Entry, before []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cache.wrote(entry, m.client.now(), before)
	m.planExpiry()
}

// planExpiry looks again after a second whether own writes are to be let go of, while there are any.
func (m *Map) planExpiry() {
	if len(m.cache.owns) == 0 || m.expiry != nil || m.ctx.Err() != nil {
		return
	}
	m.expiry = time.AfterFunc(time.Second, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.expiry = nil
		m.cache.expire(m.client.now())
		m.planExpiry()
	})
}

// The map follows its watch.

func (m *Map) request() *leasemappb.WatchRequest {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cache.request()
}

func (m *Map) took(message *leasemappb.WatchResponse) (more bool, err error) {
	m.mu.Lock()
	was := m.cache.synced.Load()
	changes := m.cache.take(message, m.client.now())
	if m.cache.synced.Load() && !was {
		m.last = nil
		close(m.moved)
		m.moved = make(chan struct{})
	}
	queues := make([]*queue, 0, len(m.queues))
	for q := range m.queues {
		queues = append(queues, q)
	}
	m.mu.Unlock()
	for _, q := range queues {
		q.publish(changes)
	}
	return true, nil
}

func (m *Map) broke(err error) bool {
	m.mu.Lock()
	m.cache.broke()
	m.last = err
	if errors.Is(err, ErrCursor) {
		m.cache.cursor = ""
	}
	refused := errors.Is(err, ErrPermission)
	if refused {
		m.refused = err
	}
	m.mu.Unlock()
	if refused {
		m.client.config.log.Error("leasemap: a map's watch is refused; the map is not synced any more", "prefix", m.prefix,
			"error", err)
	} else if errors.Is(err, ErrInvalid) {
		m.client.config.log.Warn("leasemap: a map's watch is refused, and tried again", "prefix", m.prefix, "error", err)
	}
	return !refused
}
