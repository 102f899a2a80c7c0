// A leader in fifteen lines: fifteen HOST:PORT,HOST:PORT NAME. It survives kill -9 of leader and node.
package main

import "context"
import "os"
import "leasemap.dev/leasemap"

func main() {
	client, err := leasemap.New(os.Args[1])
	if err == nil {
		err = client.Elect(context.Background(), "leader", os.Args[2], func(ctx context.Context, lease *leasemap.Lease) error {
			println(os.Args[2], "leads with token", lease.FencingToken())
			<-ctx.Done()
			return nil
		})
	}
	panic(err)
}
