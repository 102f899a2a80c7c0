// A service registry with ephemeral keys: registry HOST:PORT,HOST:PORT serve NAME ADDRESS | watch [COUNT]
//
// `serve` registers an instance until its standard input ends; an instance whose program died vanishes after four
// seconds. `watch` prints the instances each time they change, until COUNT are there.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"leasemap.dev/leasemap"
)

func watch(ctx context.Context, registry *leasemap.Registry, count int) {
	for instances := range registry.Changes(ctx) {
		lines := []string{}
		for _, name := range slices.Sorted(maps.Keys(instances)) {
			lines = append(lines, name+" at "+instances[name])
		}
		if len(lines) == 0 {
			lines = []string{"none"}
		}
		fmt.Println(strings.Join(lines, ", "))
		if len(instances) == count {
			return
		}
	}
}

func main() {
	ctx := context.Background()
	client, err := leasemap.New(os.Args[1], leasemap.FromEnvironment())
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close() // which takes the instance away
	registry, err := client.Registry(ctx, "example")
	if err != nil {
		log.Fatal(err)
	}
	if os.Args[2] == "watch" {
		count, _ := strconv.Atoi(append(os.Args, "-1")[3]) // -1: for ever
		watch(ctx, registry, count)
	} else if err := registry.Register(ctx, os.Args[3], os.Args[4], leasemap.Duration(4*time.Second)); err != nil {
		log.Fatal(err)
	} else {
		fmt.Printf("%s is at %s\n", os.Args[3], os.Args[4])
		io.Copy(io.Discard, os.Stdin)
	}
}
