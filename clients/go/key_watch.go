package leasemap

// How a client hears at once that a lease is lost, or that a key which it waits for is free.

import (
	"context"
	"time"

	"leasemap.dev/leasemap/leasemappb"
)

const (
	// Of one watch; the server takes no more.
	watchedKeys = 1000
	// Of one client: so 16,000 keys are watched, and take 16 of the 1,000 watches that a connection may have. The rest are
	// looked at when their leases are renewed.
	watchesMost = 16
	// A watch is opened again, for other keys, after this time at the earliest.
	reopenLeast = 100 * time.Millisecond
	// A watch for keys that nobody wants any more ends after this time: programs take the same leases again and again.
	watchIdle = 10 * time.Second
)

// keyWatches watch the keys of leases that are held, and of those that are waited for, so that a loss or a release is
// known at once. They bring no values. The client's lock guards all of it.
type keyWatches struct {
	client  *Client
	wanted  map[string]*wantedKey
	watches []*keyWatch
}

// wantedKey is one key, and why.
type wantedKey struct {
	leases  int
	waiting map[chan struct{}]struct{} // of those who wait for it, each with room for one token
	watch   *keyWatch                  // nil if there was no room
}

// keyWatch is one watch. Its goroutine ends when nobody has wanted its keys for a while.
type keyWatch struct {
	all    *keyWatches
	keys   map[string]struct{} // wanted now
	asked  map[string]bool     // of the stream that is open; true once its snapshot told of it
	whole  bool                // the snapshot was told
	reopen context.CancelFunc  // ends the stream, so that the next one asks for all keys
	opened time.Duration
	idle   *time.Timer
}

func newKeyWatches(c *Client) *keyWatches {
	return &keyWatches{client: c, wanted: map[string]*wantedKey{}}
}

// addLocked watches the key of a lease that is held.
func (k *keyWatches) addLocked(key string) { k.want(key).leases++ }

// remove ends an addLocked.
func (k *keyWatches) remove(key string) {
	k.client.mu.Lock()
	defer k.client.mu.Unlock()
	if wanted := k.wanted[key]; wanted != nil && wanted.leases > 0 {
		wanted.leases--
		k.dropUnwanted(key, wanted)
	}
}

// listen gives a channel that has a token whenever the key may be free, and a function that ends that.
func (k *keyWatches) listen(key string) (woken <-chan struct{}, forget func()) {
	mine := make(chan struct{}, 1)
	k.client.mu.Lock()
	defer k.client.mu.Unlock()
	wanted := k.want(key)
	wanted.waiting[mine] = struct{}{}
	return mine, func() {
		k.client.mu.Lock()
		defer k.client.mu.Unlock()
		delete(wanted.waiting, mine)
		k.dropUnwanted(key, wanted)
	}
}

// wake tells those who wait for the key that it may be free.
func (k *keyWatches) wake(key string) {
	k.client.mu.Lock()
	defer k.client.mu.Unlock()
	k.wakeLocked(key)
}

func (k *keyWatches) wakeLocked(key string) {
	if wanted := k.wanted[key]; wanted != nil {
		for waiting := range wanted.waiting {
			select {
			case waiting <- struct{}{}:
			default:
			}
		}
	}
}

func (k *keyWatches) want(key string) *wantedKey {
	wanted := k.wanted[key]
	if wanted == nil {
		wanted = &wantedKey{waiting: map[chan struct{}]struct{}{}, watch: k.room()}
		k.wanted[key] = wanted
		if watch := wanted.watch; watch != nil {
			watch.keys[key] = struct{}{}
			if _, asked := watch.asked[key]; !asked && watch.reopen != nil {
				watch.reopen()
			}
		}
	}
	return wanted
}

// room is a watch that may take one more key; nil if there is none.
func (k *keyWatches) room() *keyWatch {
	for _, watch := range k.watches {
		if len(watch.keys) < watchedKeys {
			return watch
		}
	}
	if len(k.watches) == watchesMost {
		return nil
	}
	watch := &keyWatch{all: k, keys: map[string]struct{}{}}
	if !k.client.spawnLocked(watch.run) {
		return nil
	}
	k.watches = append(k.watches, watch)
	return watch
}

func (k *keyWatches) dropUnwanted(key string, wanted *wantedKey) {
	if wanted.leases > 0 || len(wanted.waiting) > 0 || k.wanted[key] != wanted {
		return
	}
	delete(k.wanted, key)
	watch := wanted.watch
	if watch == nil {
		return
	}
	delete(watch.keys, key)
	if len(watch.keys) == 0 {
		watch.idleLocked()
	}
}

// idleLocked ends the stream after a while, if nobody wants a key then.
func (w *keyWatch) idleLocked() {
	if w.idle != nil {
		w.idle.Reset(watchIdle)
		return
	}
	w.idle = time.AfterFunc(watchIdle, func() {
		w.all.client.mu.Lock()
		defer w.all.client.mu.Unlock()
		if len(w.keys) == 0 && w.reopen != nil {
			w.reopen()
		}
	})
}

func (w *keyWatch) run() {
	c := w.all.client
	for {
		c.mu.Lock()
		if len(w.keys) == 0 || c.closed {
			if w.idle != nil {
				w.idle.Stop()
			}
			w.leaveLocked()
			c.mu.Unlock()
			return
		}
		ctx, cancel := context.WithCancel(c.ctx)
		w.reopen = cancel
		w.opened = c.now()
		c.mu.Unlock()
		c.follow(ctx, w)
		cancel()
		if pause := w.opened + reopenLeast - c.now(); pause > 0 {
			sleep(c.ctx, pause, nil)
		}
	}
}

func (w *keyWatch) leaveLocked() {
	for i, each := range w.all.watches {
		if each == w {
			w.all.watches = append(w.all.watches[:i], w.all.watches[i+1:]...)
			return
		}
	}
}

// request asks for a snapshot of the keys: it is small, and tells what happened in between.
func (w *keyWatch) request() *leasemappb.WatchRequest {
	c := w.all.client
	c.mu.Lock()
	defer c.mu.Unlock()
	w.asked, w.whole = make(map[string]bool, len(w.keys)), false
	request := &leasemappb.WatchRequest{IncludeSnapshot: true, KeysOnly: true}
	for key := range w.keys {
		w.asked[key] = false
		request.KeysBytes = append(request.KeysBytes, []byte(key))
	}
	if len(w.keys) == 0 { // all were given up just now; without keys it would be the whole map
		request.KeysBytes = [][]byte{{0}}
	}
	return request
}

func (w *keyWatch) took(message *leasemappb.WatchResponse) (more bool, err error) {
	c := w.all.client
	for _, event := range message.GetEvents() {
		entry := fromProto(event.GetEntry())
		if !w.whole {
			c.mu.Lock()
			w.asked[entry.Key] = true
			c.mu.Unlock()
		}
		c.leaseSaw(kindsOfProto[event.GetKind()], &entry)
	}
	if message.GetSnapshotEnd() && !w.whole {
		w.whole = true
		c.mu.Lock()
		defer c.mu.Unlock()
		for key, told := range w.asked {
			if told {
				continue
			}
			w.all.wakeLocked(key) // there is no such key here
			if lease := c.leases[key]; lease != nil && lease.state.state == stateHeld {
				lease.state.renewAt = c.now() // by which the client finds out whether the node lags, or the key is gone
				c.wakeKeeper()
			}
		}
	}
	return true, nil
}

func (w *keyWatch) broke(error) bool {
	w.all.client.mu.Lock()
	defer w.all.client.mu.Unlock()
	return len(w.keys) > 0
}

// leaseSaw: a node shows this of a key.
func (c *Client) leaseSaw(kind Kind, entry *Entry) {
	c.mu.Lock()
	lease := c.leases[entry.Key]
	state, why := stateHeld, ""
	if lease != nil && lease.state.state == stateHeld {
		state, why = lease.state.seen(kind, entry)
	}
	if kind != KindSet || !entry.Leased() || !entry.Expires.After(time.Now()) {
		c.keys.wakeLocked(entry.Key)
	}
	c.mu.Unlock()
	if state != stateHeld {
		c.endLease(lease, state, why, true)
	}
}
