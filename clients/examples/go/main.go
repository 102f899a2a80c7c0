// Leasemap from Go with nothing but the generated protos: set, get, watch, and a write that is refused.
//
//	example HOST:PORT [HOST:PORT]     the first node takes the write, the second shows it and refuses another
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	pb "example/leasemapv1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

func connect(target string) pb.KeyValueClient {
	// The first pause after a failed attempt is 1 s by default, the longest 2 minutes.
	quick := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond}
	return pb.NewKeyValueClient(must(grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}),
		grpc.WithNoProxy()))) // nodes are next door: http_proxy is for the web
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if len(os.Args) < 2 {
		log.Fatal("usage: example HOST:PORT [HOST:PORT]")
	}
	first, second := connect(os.Args[1]), connect(os.Args[len(os.Args)-1])
	watch := must(second.Watch(ctx, &pb.WatchRequest{Keys: []string{"color"}}))
	seen := must(watch.Recv()) // the first message comes at once: now it listens

	color := &pb.SetRequest_Key{Key: "color"}
	must(first.Set(ctx, &pb.SetRequest{KeyForm: color, ValueForm: &pb.SetRequest_Value{Value: "blue"}}))
	got := must(first.Get(ctx, &pb.GetRequest{KeyForm: &pb.GetRequest_Key{Key: "color"}}))
	fmt.Printf("set color=blue\nget color=%s, leased by %s\n", got.Entry.GetValue(), got.Entry.Lease.Holder)
	for ; len(seen.Events) == 0; seen = must(watch.Recv()) {
	}
	fmt.Printf("watch saw color=%s\n", seen.Events[0].Entry.GetValue())
	red := &pb.SetRequest{KeyForm: color, ValueForm: &pb.SetRequest_Value{Value: "red"}, Holder: "someone-else"}
	_, err := second.Set(ctx, red)
	refused := status.Convert(err)
	info := refused.Details()[0].(*errdetails.ErrorInfo) // the first detail of every error of Leasemap's own
	fmt.Printf("refused: %s: %s\n", info.Reason, refused.Message())
}
