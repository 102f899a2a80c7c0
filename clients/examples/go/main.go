// Leasemap from Go with nothing but the generated protos: set, get, watch, and a write that is refused.
//
//	example HOST:PORT [HOST:PORT]     the first node takes the write, the second shows it and refuses another
//
// LEASEMAP_TLS_CA (TLS), LEASEMAP_TLS_CERT and LEASEMAP_TLS_KEY (a certificate of one's own) name PEM files;
// LEASEMAP_TOKEN is a token.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	pb "example/leasemapv1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// token goes with each call; gRPC sends it in plain text only where `secure` is false.
type token struct {
	text   string
	secure bool
}

func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + t.text}, nil
}

func (t token) RequireTransportSecurity() bool { return t.secure }

func proofs(target string) []grpc.DialOption {
	var options []grpc.DialOption
	if text := os.Getenv("LEASEMAP_TOKEN"); text != "" { // in plain text it stays on this machine
		options = append(options, grpc.WithPerRPCCredentials(token{text, !strings.HasPrefix(target, "127.")}))
	}
	ca, cert := os.Getenv("LEASEMAP_TLS_CA"), os.Getenv("LEASEMAP_TLS_CERT")
	if ca == "" {
		return append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(ca)))
	if cert != "" {
		config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(cert, os.Getenv("LEASEMAP_TLS_KEY")))}
	}
	return append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))
}

func connect(target string) pb.KeyValueClient {
	// The first pause after a failed attempt is 1 s by default, the longest 2 minutes.
	quick := backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 500 * time.Millisecond}
	return pb.NewKeyValueClient(must(grpc.NewClient(target, append(proofs(target),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: quick, MinConnectTimeout: time.Second}),
		grpc.WithNoProxy())...))) // nodes are next door: http_proxy is for the web
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
