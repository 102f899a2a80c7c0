// Live configuration: config HOST:PORT,HOST:PORT [set NAME VALUE]
//
// Without `set` it prints the configuration and each change, until the key config/stop is set. Reads are a look into a
// map of this process, so ask for each setting where it is used, and never keep a copy.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"leasemap.dev/leasemap"
)

var defaults = map[string]string{"color": "blue", "workers": "4"}

func setting(m *leasemap.Map, name string) string {
	if value, ok := m.Get("config/" + name); ok {
		return value
	}
	return defaults[name]
}

func follow(ctx context.Context, m *leasemap.Map) {
	events := m.Events(ctx)
	fmt.Printf("color %s, workers %s\n", setting(m, "color"), setting(m, "workers"))
	if setting(m, "stop") != "" {
		return
	}
	for event := range events {
		fmt.Printf("%s is now %s; color %s\n", event.Entry.Key, event.Entry.Value, setting(m, "color"))
		if setting(m, "stop") != "" {
			return
		}
	}
}

func main() {
	ctx := context.Background()
	// No lease: anyone may change a setting at any time.
	client, err := leasemap.New(os.Args[1], leasemap.WithLease(0), leasemap.FromEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if len(os.Args) > 4 {
		_, err = client.Set(ctx, "config/"+os.Args[3], os.Args[4], leasemap.WithAck(leasemap.AckMajority))
	} else {
		var m *leasemap.Map
		if m, err = client.Map(ctx, "config/"); err == nil {
			follow(ctx, m)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}
