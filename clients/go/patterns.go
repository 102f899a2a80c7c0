package leasemap

// Lock, election and registry: leases with a use.

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Lock takes a lease for use as a lock: it waits for its turn until the context ends, and for a majority of the nodes
// (WithAck). The key is the lock's own: it is ephemeral, and its value is the holder. Give it back by Lease.Release,
// and work under Lease.Context. Client.Lease says what it promises, and what not.
func (c *Client) Lock(ctx context.Context, key string, options ...LeaseOption) (*Lease, error) {
	return c.Lease(ctx, key, append([]LeaseOption{WithAck(AckMajority), holderValue, Wait()}, options...)...)
}

// TryLock is Lock without waiting: ErrLeaseHeld if another has it.
func (c *Client) TryLock(ctx context.Context, key string, options ...LeaseOption) (*Lease, error) {
	return c.Lease(ctx, key, append([]LeaseOption{WithAck(AckMajority), holderValue}, options...)...)
}

// Elect makes this program a candidate for the lead, and calls lead while it leads. Its context ends when the lead is
// lost, and with ctx; return then. After a lost lead this program is a candidate again. When lead returns otherwise the
// lead is given up, and Elect returns the error of lead. Elect also returns when ctx ends, and with errors that do not
// end by waiting. The key is ephemeral; others read its value, as the address of the leader. Options as for
// Client.Lock; a dead leader is replaced after the Duration.
func (c *Client) Elect(ctx context.Context, key, value string, lead func(context.Context, *Lease) error,
	options ...LeaseOption) error {
	for {
		lease, err := c.Lock(ctx, key, append([]LeaseOption{Value(value)}, options...)...)
		if err != nil {
			return err
		}
		err = func() error {
			defer lease.Release() // also when lead panics
			return lead(lease.Context(ctx), lease)
		}()
		if lost := lease.Release(); lost == nil || ctx.Err() != nil {
			return err
		}
	}
}

// Leader iterates over the leaders of an election: the value of the leader, "" while there is none; first the present
// one, then each change. It ends as Watch does.
func (c *Client) Leader(ctx context.Context, key string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		leader, told := "", false
		for event, err := range c.Watch(ctx, Keys(key), Snapshot(), Bookmarks()) {
			now := leader
			switch {
			case err != nil:
				yield("", err)
				return
			case event.Kind == KindSet:
				now = event.Entry.Value
			case event.Kind == KindDeleted || event.Kind == KindExpired:
				now = ""
			case !event.SnapshotEnd:
				continue
			}
			if told && now == leader {
				continue
			}
			leader, told = now, true
			if !yield(leader, nil) {
				return
			}
		}
	}
}

// registryPrefix is below which services are registered, as by the Python client.
const registryPrefix = "services/"

// Registry knows the instances of one service: ephemeral keys services/SERVICE/INSTANCE, so that an instance whose
// program died vanishes. All its methods may be called from many goroutines at once.
type Registry struct {
	client *Client
	below  string
	copy   *Map

	mu         sync.Mutex // guards what follows
	registered map[string]*registration
}

// registration is an instance that is kept alive.
type registration struct {
	stop context.CancelFunc
	done chan struct{} // closed when its goroutine has ended, and given the key up
}

// Registry makes the registry of a service, and waits until its copy of the instances is whole, as Client.Map does. End
// it with Close, or with the client.
func (c *Client) Registry(ctx context.Context, service string) (*Registry, error) {
	below := registryPrefix + service + "/"
	m, err := c.Map(ctx, below)
	if err != nil {
		return nil, err
	}
	return &Registry{client: c, below: below, copy: m, registered: map[string]*registration{}}, nil
}

// Register adds an instance (its value is what others need, as host:port) and keeps it until Unregister or Close; it is
// set again if its lease was lost. ErrLeaseHeld if another holder has that name; with Wait it waits for it. Duration is
// after how long an instance whose program died vanishes (10 s).
func (r *Registry) Register(ctx context.Context, instance, value string, options ...LeaseOption) error {
	r.mu.Lock()
	if r.registered[instance] != nil {
		r.mu.Unlock()
		return invalid("instance %q is registered by this registry already; unregister it first", instance)
	}
	keeping, stop := context.WithCancel(r.copy.ctx)
	mine := &registration{stop: stop, done: make(chan struct{})}
	r.registered[instance] = mine
	r.mu.Unlock()
	options = append(slices.Clone(options), Value(value))
	lease, err := r.client.Lease(ctx, r.below+instance, options...)
	if err == nil && !r.client.spawn(func() {
		defer close(mine.done)
		r.keep(keeping, lease, options)
	}) {
		err = closedError()
	}
	if err != nil {
		stop()
		close(mine.done)
		r.forget(instance, mine)
	}
	return err
}

// keep sets the instance again whenever its lease was lost, until the context ends.
func (r *Registry) keep(ctx context.Context, lease *Lease, options []LeaseOption) {
	options = append(slices.Clone(options), Wait())
	for {
		select {
		case <-lease.Done():
		case <-ctx.Done():
			lease.Release() // what it returns tells of a loss, which matters no more
			return
		}
		again, err := r.client.Lease(ctx, lease.key, options...)
		for ; err != nil; again, err = r.client.Lease(ctx, lease.key, options...) {
			if ctx.Err() != nil || errors.Is(err, ErrClosed) {
				return
			}
			r.client.config.log.Warn("leasemap: an instance could not be registered again, and is tried on", "key",
				lease.key, "error", err)
			sleep(ctx, part(lookMost, 0.5+0.5*r.client.chance()), nil)
		}
		lease = again
	}
}

func (r *Registry) forget(instance string, mine *registration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.registered[instance] == mine {
		delete(r.registered, instance)
	}
}

// Unregister takes the instance away; ErrKeyNotFound if this registry did not register it. It waits until that is done,
// 3 s at most.
func (r *Registry) Unregister(instance string) error {
	r.mu.Lock()
	mine := r.registered[instance]
	r.mu.Unlock()
	if mine == nil {
		return &CallError{Message: "instance \"" + instance + "\" was not registered by this registry", kind: ErrKeyNotFound}
	}
	mine.stop()
	<-mine.done
	r.forget(instance, mine)
	return nil
}

// Instances are the instances and their values, as far as the copy knows.
func (r *Registry) Instances() map[string]string {
	found := map[string]string{}
	for key, value := range r.copy.All() {
		found[key[len(r.below):]] = value
	}
	return found
}

// Changes iterates over the instances: first the present ones, then after each change, until the loop is left, or the
// context or the registry ends. Iterate once.
func (r *Registry) Changes(ctx context.Context) iter.Seq[map[string]string] {
	events := r.copy.Events(ctx)
	return func(yield func(map[string]string) bool) {
		last := r.Instances()
		if !yield(maps.Clone(last)) {
			return
		}
		for range events {
			now := r.Instances()
			if maps.Equal(now, last) {
				continue
			}
			if last = now; !yield(maps.Clone(now)) {
				return
			}
		}
	}
}

// Close takes the instances away that this registry registered, and ends its copy and its changes.
func (r *Registry) Close() error {
	r.mu.Lock()
	names := make([]string, 0, len(r.registered))
	for name := range r.registered {
		names = append(names, name)
	}
	r.mu.Unlock()
	var errs []error
	for _, name := range names {
		if err := r.Unregister(name); err != nil && !errors.Is(err, ErrKeyNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, r.copy.Close())...)
}
