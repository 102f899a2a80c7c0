package leasemap

// The errors, one kind for each thing that a program does about them, and how they are read off a call. Pure.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The kinds of errors, one for each thing that a program does about them. Compare by errors.Is:
//
//	if errors.Is(err, leasemap.ErrKeyNotFound) { … }
var (
	// ErrKeyNotFound: there is no such key.
	ErrKeyNotFound = errors.New("leasemap: key not found")
	// ErrLeaseHeld: another holder's lease on the key is live. *LeaseHeldError has its holder and its end.
	ErrLeaseHeld = errors.New("leasemap: lease held")
	// ErrLeaseLost: a lease of this program is gone; stop the work that it guards. *LeaseLostError has the reason.
	ErrLeaseLost = errors.New("leasemap: lease lost")
	// ErrVersionMismatch: the key changed meanwhile (IfVersion), or exists (IfAbsent). Read it again, then decide.
	ErrVersionMismatch = errors.New("leasemap: version mismatch")
	// ErrSuperseded: another write replaced this one before it was acked. *SupersededError names it.
	ErrSuperseded = errors.New("leasemap: superseded")
	// ErrAckIncomplete: the write remains and spreads, but not all wanted nodes had it in time. *AckIncompleteError lists
	// the nodes.
	ErrAckIncomplete = errors.New("leasemap: ack incomplete")
	// ErrCursor: a watch cannot resume from its cursor; take a snapshot. A Map does so by itself.
	ErrCursor = errors.New("leasemap: cursor expired or invalid")
	// ErrInvalid: the request breaks a limit or a rule of the API (docs/limits.md); nothing was changed.
	ErrInvalid = errors.New("leasemap: invalid")
	// ErrLimit: a node has no room for more. The message says of what, and what to raise.
	ErrLimit = errors.New("leasemap: limit")
	// ErrUnavailable: no node answered in time, or each answered that it does not serve now. A write that
	// failed so may have been done.
	ErrUnavailable = errors.New("leasemap: unavailable")
	// ErrUnsupported: the server does not support the call, as leases on a cluster with leasing off.
	ErrUnsupported = errors.New("leasemap: unsupported")
	// ErrPermission: the nodes do not allow the call: the key, the prefix or the holder is beyond the caller's rights, or
	// they do not know the caller (ErrUnauthenticated). It is not tried again.
	ErrPermission = errors.New("leasemap: permission denied")
	// ErrUnauthenticated: the nodes do not know the caller: the token or certificate is missing, or none that they know.
	// Such an error is ErrPermission, too.
	ErrUnauthenticated = errors.New("leasemap: unauthenticated")
	// ErrClosed: the client or map was closed.
	ErrClosed = errors.New("leasemap: closed")
)

// CallError is any error of a call of this library; the more special types contain one. errors.Is finds its kind
// (ErrKeyNotFound …), and, if the caller's context ended the call, context.Canceled or context.DeadlineExceeded and the
// context's cause, as ErrLeaseLost.
type CallError struct {
	// Code is the gRPC code.
	Code codes.Code
	// Reason is the server's constant, as "KEY_NOT_FOUND"; empty if the error is not Leasemap's own, as of a broken
	// connection.
	Reason string
	// Message says what to do.
	Message string
	// Metadata are the server's further facts.
	Metadata map[string]string
	// RetryAfter is the time after which a retry makes sense; 0 if the server gave none.
	RetryAfter time.Duration
	// Node is host:port of the node that was asked; empty for an item of a batch, and where none was.
	Node string

	kind  error
	cause error
}

// Error is the reason, or else the node and the code, and the message.
func (e *CallError) Error() string {
	if e.Reason != "" {
		return "leasemap: " + e.Reason + ": " + e.Message
	}
	if e.Node != "" {
		return "leasemap: " + e.Node + ": " + e.Code.String() + ": " + e.Message
	}
	return "leasemap: " + e.Code.String() + ": " + e.Message
}

// Is reports to errors.Is whether target is the kind of this error.
func (e *CallError) Is(target error) bool {
	return e.kind != nil && (target == e.kind || (e.kind == ErrUnauthenticated && target == ErrPermission))
}

// Unwrap gives the error of the caller's context, if that ended the call.
func (e *CallError) Unwrap() error { return e.cause }

// GRPCStatus is the error as gRPC has it, for status.FromError.
func (e *CallError) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// LeaseHeldError names the holder of the lease that is in the way. errors.Is finds ErrLeaseHeld.
type LeaseHeldError struct {
	*CallError
	// Holder has the lease. It may be this client's own name: another goroutine holds it, or another client of that name.
	Holder string
	// Expires is the end of the lease (UTC); zero if the server gave none, as for an item of a batch. Other nodes wait
	// for the bound on clock skew after that; RetryAfter contains it.
	Expires time.Time
}

// Unwrap gives the *CallError within.
func (e *LeaseHeldError) Unwrap() error { return e.CallError }

// LeaseLostError reports that this program no longer has a lease: another holder may already have it. errors.Is finds
// ErrLeaseLost. It is the cause of contexts that end with the lease (context.Cause).
type LeaseLostError struct {
	// Key is the key of the lease.
	Key string
	// Why is the reason.
	Why string
}

// Error says which lease was lost, and why.
func (e *LeaseLostError) Error() string {
	return fmt.Sprintf("leasemap: the lease on %q was lost: %s", e.Key, e.Why)
}

// Is reports to errors.Is that this is ErrLeaseLost.
func (e *LeaseLostError) Is(target error) bool { return target == ErrLeaseLost }

// SupersededError says which write replaced this one before it was acked. errors.Is finds ErrSuperseded.
type SupersededError struct {
	*CallError
	// Version is this write's.
	Version string
	// WinnerVersion and WinnerHolder are those of the write that replaced it.
	WinnerVersion, WinnerHolder string
}

// Unwrap gives the *CallError within.
func (e *SupersededError) Unwrap() error { return e.CallError }

// AckIncompleteError lists the nodes that have the write, which remains. errors.Is finds ErrAckIncomplete.
type AckIncompleteError struct {
	*CallError
	// Version is the write's.
	Version string
	// Acked and NotAcked are the nodes that have it and that do not, as the server lists them.
	Acked, NotAcked string
}

// Unwrap gives the *CallError within.
func (e *AckIncompleteError) Unwrap() error { return e.CallError }

// BatchError says which keys of a batch were refused; the others are done. errors.Is and errors.As look into each.
type BatchError struct {
	// Failed has the error of each key that was refused.
	Failed map[string]error
}

// Error names up to three of the keys.
func (e *BatchError) Error() string {
	var some []string
	for key, err := range e.Failed {
		if len(some) == 3 {
			some = append(some, "…")
			break
		}
		some = append(some, fmt.Sprintf("%q: %v", key, err))
	}
	return fmt.Sprintf("leasemap: %d keys of the batch were refused: %s", len(e.Failed), strings.Join(some, "; "))
}

// Unwrap gives the errors of all keys.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		errs = append(errs, err)
	}
	return errs
}

// By reason first, then by code.
var (
	kindsByReason = map[string]error{
		"KEY_NOT_FOUND": ErrKeyNotFound, "LEASE_HELD": ErrLeaseHeld, "VERSION_MISMATCH": ErrVersionMismatch,
		"SUPERSEDED": ErrSuperseded, "ACK_INCOMPLETE": ErrAckIncomplete, "CURSOR_EXPIRED": ErrCursor,
		"CURSOR_INVALID": ErrCursor,
	}
	kindsByCode = map[codes.Code]error{
		codes.InvalidArgument: ErrInvalid, codes.ResourceExhausted: ErrLimit, codes.Unavailable: ErrUnavailable,
		codes.DeadlineExceeded: ErrUnavailable, codes.Unknown: ErrUnavailable, codes.Internal: ErrUnavailable,
		codes.Canceled: ErrUnavailable, codes.Unimplemented: ErrUnsupported, codes.PermissionDenied: ErrPermission,
		codes.Unauthenticated: ErrUnauthenticated,
	}
)

// fromStatus is the error of a call that ended with this status.
func fromStatus(s *status.Status) error {
	base := &CallError{Code: s.Code(), Message: s.Message()}
	for _, detail := range s.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			if detail.GetDomain() == "leasemap" {
				base.Reason, base.Metadata = detail.GetReason(), detail.GetMetadata()
			}
		case *errdetails.RetryInfo:
			base.RetryAfter = detail.GetRetryDelay().AsDuration()
		}
	}
	return typed(base)
}

// typed finds the kind of an error, and the type that says more.
func typed(base *CallError) error {
	base.kind = kindsByReason[base.Reason]
	if base.kind == nil {
		base.kind = kindsByCode[base.Code]
	}
	facts := base.Metadata
	switch base.kind {
	case ErrLeaseHeld:
		expires, _ := time.Parse(time.RFC3339Nano, facts["expire_time"]) // zero where the server did not say
		return &LeaseHeldError{CallError: base, Holder: facts["holder"], Expires: expires}
	case ErrSuperseded:
		return &SupersededError{CallError: base, Version: facts["version"], WinnerVersion: facts["winner_version"],
			WinnerHolder: facts["winner_holder"]}
	case ErrAckIncomplete:
		return &AckIncompleteError{CallError: base, Version: facts["version"], Acked: facts["acked"],
			NotAcked: facts["not_acked"]}
	}
	return base
}

// fromCall is the error of a call, given what gRPC returned and the caller's context.
func fromCall(ctx context.Context, err error) error {
	found := fromStatus(status.Convert(err))
	// The context's own error counts only where it, and not the node, ended the call.
	if base := baseOf(found); base != nil && base.Reason == "" && ctx.Err() != nil {
		base.cause = ended(ctx)
	}
	return found
}

// ended is why the context ended: its error, and with it its cause, as the loss of a lease.
func ended(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return errors.Join(ctx.Err(), cause)
	}
	return ctx.Err()
}

// baseOf is the *CallError in an error of this library; nil if there is none.
func baseOf(err error) *CallError {
	var base *CallError
	if errors.As(err, &base) {
		return base
	}
	return nil
}

func invalid(format string, args ...any) error {
	return &CallError{Code: codes.InvalidArgument, Message: fmt.Sprintf(format, args...), kind: ErrInvalid}
}

func held(holder, format string, args ...any) error {
	base := &CallError{Code: codes.FailedPrecondition, Reason: "LEASE_HELD", Message: fmt.Sprintf(format, args...),
		kind: ErrLeaseHeld}
	return &LeaseHeldError{CallError: base, Holder: holder}
}

func closedError() error {
	return &CallError{Code: codes.Canceled, Message: "the client or map was closed; make a new one", kind: ErrClosed}
}

// unavailable is the error of a wait that found no node.
func unavailable(cause error, format string, args ...any) error {
	return &CallError{Code: codes.Unavailable, Message: fmt.Sprintf(format, args...), kind: ErrUnavailable, cause: cause}
}
