package leasemap_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"leasemap.dev/leasemap"
)

// Examples for the package's page. They are compiled, and not run: that takes a node.

func ExampleClient_Watch() {
	client, err := leasemap.New("127.0.0.1:7400,127.0.0.1:7410")
	if err != nil {
		return
	}
	defer client.Close()
	for event, err := range client.Watch(context.Background(), leasemap.Prefixes("config/"), leasemap.Snapshot()) {
		if err != nil {
			fmt.Println("the watch ended:", err)
			return
		}
		fmt.Println(event.Kind, event.Entry.Key, event.Entry.Value)
	}
}

func ExampleClient_Set() {
	ctx := context.Background()
	client, err := leasemap.New("127.0.0.1:7400")
	if err != nil {
		return
	}
	defer client.Close()
	_, err = client.Set(ctx, "color", "blue", leasemap.LeaseFor(30*time.Second), leasemap.WithAck(leasemap.AckMajority))
	var held *leasemap.LeaseHeldError
	switch {
	case errors.As(err, &held):
		fmt.Println(held.Holder, "has the key until", held.Expires)
	case errors.Is(err, leasemap.ErrAckIncomplete):
		fmt.Println("the write remains, and spreads")
	}
}

func ExampleClient_Elect() {
	client, err := leasemap.New("127.0.0.1:7400,127.0.0.1:7410")
	if err != nil {
		return
	}
	defer client.Close()
	lead := func(ctx context.Context, lease *leasemap.Lease) error {
		fmt.Println("leading with token", lease.FencingToken())
		<-ctx.Done()
		return nil
	}
	err = client.Elect(context.Background(), "leader", "host:1", lead)
	fmt.Println("no candidate any more:", err)
}

func ExampleMap_Events() {
	ctx := context.Background()
	client, err := leasemap.New("127.0.0.1:7400")
	if err != nil {
		return
	}
	defer client.Close()
	settings, err := client.Map(ctx, "config/")
	if err != nil {
		return
	}
	events := settings.Events(ctx)
	color, _ := settings.Get("config/color")
	fmt.Println("color", color)
	for event := range events {
		fmt.Println(event.Entry.Key, "is now", event.Entry.Value)
	}
}
