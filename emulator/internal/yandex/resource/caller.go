package resource

import "context"

// Caller is who calls the API.
type Caller struct {
	ID   string // of a user or service account
	Type string // "serviceAccount", "userAccount", …: the subject types of access bindings
}

type callerKey struct{}

// WithCaller says who calls.
func WithCaller(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// CallerOf returns who calls; the zero Caller when nobody has asked.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// Authorize says whether the caller has a role on a resource or on one of those that contain it: its id comes first, then its
// folder's and so on. The error is PERMISSION_DENIED. Services take one as an option; nil: everybody may do everything.
type Authorize func(ctx context.Context, role string, on ...string) error

// Check is the call of a door that may be nil.
func (a Authorize) Check(ctx context.Context, role string, on ...string) error {
	if a == nil {
		return nil
	}
	return a(ctx, role, on...)
}
