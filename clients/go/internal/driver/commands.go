package main

// The commands on each thing.

import (
	"context"
	"fmt"

	"leasemap.dev/leasemap"
)

func onClient(ctx context.Context, c *command, client *leasemap.Client, has func(string) bool) (any, error) {
	switch c.Op {
	case "node":
		return client.Node(), nil
	case "set":
		options := []leasemap.SetOption{leasemap.WithAck(leasemap.Ack(c.Ack))}
		if c.Lease != nil {
			options = append(options, leasemap.LeaseFor(seconds(*c.Lease)))
		}
		if has("ephemeral") {
			options = append(options, leasemap.Ephemeral())
		}
		if has("absent") {
			options = append(options, leasemap.IfAbsent())
		}
		e, err := client.Set(ctx, c.Key, c.Value, options...)
		return entry(e), err
	case "get":
		e, err := client.Get(ctx, c.Key)
		return entry(e), err
	case "delete":
		options := []leasemap.DeleteOption{}
		if has("missing") {
			options = append(options, leasemap.MissingOK())
		}
		e, err := client.Delete(ctx, c.Key, options...)
		return entry(e), err
	case "renew":
		e, err := client.Renew(ctx, c.Key, 0)
		return entry(e), err
	case "release":
		e, err := client.Release(ctx, c.Key)
		return entry(e), err
	case "list":
		keys := []string{}
		for e, err := range client.List(ctx, c.Key, leasemap.PageSize(2)) {
			if err != nil {
				return nil, err
			}
			keys = append(keys, e.Key)
		}
		return keys, nil
	case "batch_set":
		done, err := client.BatchSet(ctx, c.Values)
		return len(done), err
	case "batch_get":
		found, err := client.BatchGet(ctx, c.Keys)
		values := map[string]string{}
		for key, e := range found {
			values[key] = e.Value
		}
		return values, err
	case "close":
		return nil, client.Close()
	}
	return makeOf(ctx, c, client, has)
}

// makeOf makes a map, watch, lease or registry, or starts work that goes on.
func makeOf(ctx context.Context, c *command, client *leasemap.Client, has func(string) bool) (any, error) {
	switch c.Op {
	case "map":
		m, err := client.Map(ctx, c.Key)
		if err != nil {
			return nil, err
		}
		put(c.ID, m)
		return nil, nil
	case "watch":
		follow(c, client, has)
		return nil, nil
	case "lease":
		return takeLease(ctx, c, client, has)
	case "churn":
		put(c.ID, startChurn(c.Key, client))
		return nil, nil
	case "count":
		return count(ctx, c.Key, client)
	case "registry":
		r, err := client.Registry(ctx, c.Key)
		if err == nil {
			put(c.ID, r)
		}
		return nil, err
	}
	return nil, fmt.Errorf("a client has no %s", c.Op)
}

func takeLease(ctx context.Context, c *command, client *leasemap.Client, has func(string) bool) (any, error) {
	options := []leasemap.LeaseOption{leasemap.WithAck(leasemap.Ack(c.Ack))}
	if c.Lease != nil {
		options = append(options, leasemap.Duration(seconds(*c.Lease)))
	}
	if has("wait") {
		options = append(options, leasemap.Wait())
	}
	if has("persistent") {
		options = append(options, leasemap.Persistent())
	}
	if c.Value != "" {
		options = append(options, leasemap.Value(c.Value))
	}
	lease, err := client.Lease(ctx, c.Key, options...)
	if err != nil {
		return nil, err
	}
	put(c.ID, lease)
	return state(lease), nil
}

// count counts a key's number up once, under a lease.
func count(ctx context.Context, key string, client *leasemap.Client) (any, error) {
	lease, err := client.Lease(ctx, key, leasemap.Persistent(), leasemap.Wait(), leasemap.Duration(seconds(6)),
		leasemap.WithAck(leasemap.AckAll))
	if err != nil {
		return nil, err
	}
	defer lease.Release()
	e, err := client.GetAtLeast(ctx, key, lease.Entry().Version)
	if err != nil {
		return nil, err
	}
	value := 0
	fmt.Sscan(e.Value, &value) // 0 where the key was made for the lease
	_, err = lease.Set(ctx, fmt.Sprint(value+1))
	return value + 1, err
}

func state(lease *leasemap.Lease) map[string]any {
	why := ""
	if err := lease.Err(); err != nil {
		why = err.Error()
	}
	found := entry(lease.Entry())
	found["held"], found["left"], found["why"] = lease.Held(), lease.Left().Seconds(), why
	return found
}

func onMap(c *command, m *leasemap.Map) (any, error) {
	switch c.Op {
	case "synced":
		return m.Synced(), nil
	case "read":
		values := map[string]string{}
		for key, value := range m.All() {
			values[key] = value
		}
		return values, nil
	case "events":
		ctx, cancel := context.WithCancel(context.Background())
		t := &told{stop: cancel}
		put(c.ID, t)
		events := m.Events(ctx)
		go func() {
			for event := range events {
				t.add(event)
			}
		}()
		return nil, nil
	case "close":
		return nil, m.Close()
	}
	return nil, fmt.Errorf("a map has no %s", c.Op)
}

func onLease(ctx context.Context, c *command, lease *leasemap.Lease) (any, error) {
	switch c.Op {
	case "state":
		return state(lease), nil
	case "wait":
		<-lease.Context(ctx).Done()
		return state(lease), nil
	case "set":
		e, err := lease.Set(ctx, c.Value)
		return entry(e), err
	case "release":
		return nil, lease.Release()
	}
	return nil, fmt.Errorf("a lease has no %s", c.Op)
}

func onRegistry(ctx context.Context, c *command, r *leasemap.Registry) (any, error) {
	switch c.Op {
	case "register":
		return nil, r.Register(ctx, c.Key, c.Value)
	case "unregister":
		return nil, r.Unregister(c.Key)
	case "instances":
		return r.Instances(), nil
	}
	return nil, fmt.Errorf("a registry has no %s", c.Op)
}
