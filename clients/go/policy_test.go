package leasemap

// Nodes, pauses and errors, without a server.

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

const second = time.Second

func always(chance float64) func() float64 { return func() float64 { return chance } }

func TestPausesDoubleUpToABound(t *testing.T) {
	b := backoff{}
	for _, want := range []time.Duration{50, 100, 200, 400, 800, 1600, 2000, 2000} {
		equal(t, b.next(1), want*time.Millisecond, "pause")
	}
	equal(t, b.next(0), time.Second, "chance cuts off up to a half")
}

func TestAClientStaysWithOneNode(t *testing.T) {
	e := newEndpoints([]string{"a", "b", "c", "b"}, always(0.5))
	equal(t, len(e.targets), 3, "each counts once")
	equal(t, e.pick(0), "b", "chance chooses the first")
	e.worked("b")
	equal(t, e.pick(100*second), "b", "it stays")
	e.failed("b", 100*second)
	equal(t, e.pick(100*second), "c", "the next one")
	equal(t, e.pause(100*second), 0, "at once")
	equal(t, e.pick(200*second), "c", "it does not come back by itself")
	e.failed("c", 200*second)
	e.failed("a", 200*second)
	equal(t, e.pick(200*second), "b", "all round")
	e.failed("b", 200*second)
	e.failed("b", 200*second)
	equal(t, e.pick(200*second), "c", "of those that failed, whose pause ends first")
	if pause := e.pause(200 * second); pause <= 0 || pause > firstPause {
		t.Fatalf("pause %v", pause)
	}
	e.failed("unknown", 0)
	e.replace([]string{"b", "d"})
	equal(t, e.home, "d", "what names stand for changes")
}

func TestTheFirstNodeLeavesTimeForAnother(t *testing.T) {
	for _, each := range []struct{ left, most, want time.Duration }{
		{5 * second, attemptMost, 2 * second},
		{3 * second, attemptMost, 1500 * time.Millisecond},
		{400 * time.Millisecond, attemptMost, attemptLeast},
		{100 * time.Millisecond, attemptMost, 100 * time.Millisecond},
		{5 * second, attemptAcks, 5 * second},
		{60 * second, attemptAcks, attemptAcks},
	} {
		equal(t, attemptTime(each.left, each.most), each.want, each.left.String())
	}
}

func TestEndpointsAreChecked(t *testing.T) {
	for _, bad := range []string{"", " , ", "host", "host:", ":7400", "host:port", "host:70000", "a:1,b"} {
		if _, err := splitEndpoints(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	found, err := splitEndpoints(" 127.0.0.1:1, [::1]:2,name:3")
	if err != nil || strings.Join(found, " ") != "127.0.0.1:1 [::1]:2 name:3" {
		t.Fatal(found, err)
	}
}

func failure(code codes.Code, reason string, metadata map[string]string, more ...protoadapt.MessageV1) error {
	info := &errdetails.ErrorInfo{Domain: "leasemap", Reason: reason, Metadata: metadata}
	details := append([]protoadapt.MessageV1{info}, more...)
	s, err := status.New(code, "says what to do").WithDetails(details...)
	if err != nil {
		panic(err)
	}
	return s.Err()
}

func TestWhatIsTriedElsewhere(t *testing.T) {
	ctx := context.Background()
	for reason := range reasonsElsewhere {
		if err := fromCall(ctx, failure(codes.Unavailable, reason, nil)); !elsewhere(err) {
			t.Errorf("%s is not tried elsewhere", reason)
		}
	}
	for _, code := range []codes.Code{codes.Unavailable, codes.DeadlineExceeded, codes.Unknown, codes.Internal,
		codes.ResourceExhausted} {
		if err := fromCall(ctx, status.Error(code, "gRPC's own")); !elsewhere(err) {
			t.Errorf("%v is not tried elsewhere", code)
		}
	}
	for reason, code := range map[string]codes.Code{
		"LEASE_HELD": codes.FailedPrecondition, "KEY_LIMIT": codes.ResourceExhausted,
		"ACK_INCOMPLETE": codes.DeadlineExceeded, "SUPERSEDED": codes.Aborted, "KEY_NOT_FOUND": codes.NotFound,
		"BYTES_LIMIT": codes.ResourceExhausted, "UNSUPPORTED": codes.Unimplemented} {
		if err := fromCall(ctx, failure(code, reason, nil)); elsewhere(err) {
			t.Errorf("%s is tried elsewhere", reason)
		}
	}
	if elsewhere(closedError()) || elsewhere(invalid("x")) ||
		elsewhere(fromCall(ctx, status.Error(codes.Unimplemented, ""))) {
		t.Error("what no node mends is tried elsewhere")
	}
}

func TestErrorsAreTyped(t *testing.T) {
	ctx := context.Background()
	for reason, each := range map[string]struct {
		code codes.Code
		kind error
	}{
		"KEY_NOT_FOUND": {codes.NotFound, ErrKeyNotFound}, "LEASE_HELD": {codes.FailedPrecondition, ErrLeaseHeld},
		"VERSION_MISMATCH": {codes.Aborted, ErrVersionMismatch}, "SUPERSEDED": {codes.Aborted, ErrSuperseded},
		"ACK_INCOMPLETE": {codes.DeadlineExceeded, ErrAckIncomplete}, "CURSOR_EXPIRED": {codes.OutOfRange, ErrCursor},
		"CURSOR_INVALID": {codes.InvalidArgument, ErrCursor}, "KEY_INVALID": {codes.InvalidArgument, ErrInvalid},
		"BYTES_LIMIT": {codes.ResourceExhausted, ErrLimit}, "SYNCING": {codes.Unavailable, ErrUnavailable},
		"UNSUPPORTED": {codes.Unimplemented, ErrUnsupported}, "PERMISSION_DENIED": {codes.PermissionDenied, ErrPermission},
	} {
		err := fromCall(ctx, failure(each.code, reason, nil))
		if !errors.Is(err, each.kind) || errors.Is(err, ErrClosed) {
			t.Errorf("%s is %v", reason, err)
		}
		if text := err.Error(); !strings.Contains(text, reason) || !strings.Contains(text, "says what to do") {
			t.Errorf("%s reads %q", reason, text)
		}
		if s, ok := status.FromError(err); !ok || s.Code() != each.code {
			t.Errorf("%s has the gRPC status %v", reason, s)
		}
	}
}

func TestErrorsTellTheirFacts(t *testing.T) {
	ctx := context.Background()
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)}
	err := fromCall(ctx, failure(codes.FailedPrecondition, "LEASE_HELD",
		map[string]string{"holder": "other", "expire_time": "2030-01-02T03:04:05.678Z"}, retry))
	var held *LeaseHeldError
	if !errors.As(err, &held) {
		t.Fatal(err)
	}
	equal(t, held.Holder, "other", "holder")
	equal(t, held.Expires, time.Date(2030, 1, 2, 3, 4, 5, 678e6, time.UTC), "expires")
	equal(t, held.RetryAfter, 1500*time.Millisecond, "retry after")
	var base *CallError
	equal(t, errors.As(err, &base) && base.Reason == "LEASE_HELD", true, "the error within")

	var superseded *SupersededError
	facts := map[string]string{"version": "v1", "winner_version": "v2", "winner_holder": "w", "acked": "n1",
		"not_acked": "n2"}
	equal(t, errors.As(fromCall(ctx, failure(codes.Aborted, "SUPERSEDED", facts)), &superseded), true, "superseded")
	equal(t, superseded.Version+superseded.WinnerVersion+superseded.WinnerHolder, "v1v2w", "superseded")
	var incomplete *AckIncompleteError
	equal(t, errors.As(fromCall(ctx, failure(codes.DeadlineExceeded, "ACK_INCOMPLETE", facts)), &incomplete), true, "acks")
	equal(t, incomplete.Version+incomplete.Acked+incomplete.NotAcked, "v1n1n2", "acks")

	batch := &BatchError{map[string]error{"a": err, "b": invalid("too long")}}
	if !errors.Is(batch, ErrLeaseHeld) || !errors.Is(batch, ErrInvalid) || !errors.As(error(batch), &held) {
		t.Fatal(batch)
	}
	var lost *LeaseLostError
	equal(t, errors.As(error(&LeaseLostError{"k", "x"}), &lost) && errors.Is(lost, ErrLeaseLost), true, "lost")
}

func TestTheCallersContextIsInTheError(t *testing.T) {
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	equal(t, errors.Is(fromCall(gone, status.Error(codes.Canceled, "")), context.Canceled), true, "cancelled")
	equal(t, errors.Is(fromCall(gone, notFound()), context.Canceled), false, "an answer")
	theirs := fromCall(context.Background(), status.Error(codes.Canceled, ""))
	equal(t, errors.Is(theirs, context.Canceled), false, "theirs")
}

func TestDefaultHoldersDiffer(t *testing.T) {
	a, b := defaultHolder(), defaultHolder()
	if a == b || len(a) > 255 || !isText(a) {
		t.Fatal(a, b)
	}
}
