// Package aws is the façade of AWS: it words what happens as ECR and EventBridge do, serves WebSocket APIs, @connections and the other
// control planes that functions talk to, and makes of a template what the rooms do.
package aws

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/gateway"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/template"
	"github.com/regcast/regcast/events"
)

// Bounds.
const (
	// inFlight is how many messages of one connection are with functions at once. When so many are, its socket is not read.
	inFlight = 100
	// disconnects is how many $disconnect invocations run at once; more wait for their turn, until Close.
	disconnects = 100
	// lastWords is how long Close waits for the $disconnect invocations of the sockets that it closes.
	lastWords = 10 * time.Second
)

// Options are what the cloud is made of. Gateway and Invoke are needed, all else has a usable zero value.
type Options struct {
	Account string // empty: 000000000000
	Region  string // empty: us-east-1
	// Gateway holds the sockets of the WebSocket APIs; it is made with SocketOptions and belongs to the cloud: Close closes it.
	Gateway *gateway.Gateway
	// Invoke calls a function and returns when it has answered or ctx has ended.
	Invoke func(ctx context.Context, function string, q runner.Request) (runner.Response, error)
	Clock  clock.Clock // nil: clock.Real
	// Signers is the clock of those who sign requests. Nil: Clock.
	Signers clock.Clock
	Random  io.Reader         // where ids come from; nil: crypto/rand. Reads are one at a time.
	Note    func(events.Step) // hears of connections, messages and refused posts; nil: nobody does
	Warn    func(string)      // hears of what is accepted and not as in the cloud; nil: nobody does
	// Domain is what events say in requestContext.domainName; nil: the name that AWS gives, {api}.execute-api.{region}.amazonaws.com.
	Domain func(apiID string) string

	// StrictAuth refuses requests that are not signed, or not well, or whose sender may not do what they ask for. Without it signatures
	// are read and not judged.
	StrictAuth bool
	// Secret knows the credentials that may sign, and who has them: an ARN. Nil: there are none.
	Secret func(accessKeyID string) (secret, principal string, ok bool)
	// Allowed says whether a principal may do something. Nil: it may.
	Allowed func(principal, action, resource string) bool
}

// SocketOptions are the manners of AWS's sockets: limits, close codes and reasons.
func SocketOptions(c clock.Clock) gateway.Options {
	return gateway.Options{
		Clock:      c,
		Limits:     gateway.Limits{Message: MaxMessage, Frame: 32 << 10, Life: 2 * time.Hour, Idle: 10 * time.Minute},
		KeepSlow:   true,
		SentCounts: true,
		EchoReason: true,
		GoingAway:  "Going away",
	}
}

// MaxMessage is the most bytes of a message, either way.
const MaxMessage = 128 << 10

// Cloud is one emulated account in one region.
type Cloud struct {
	o     Options
	clock clock.Clock
	mint  *minter
	gone  graveyard
	slots chan struct{} // one for each $disconnect that runs

	running context.Context // of every invocation
	stop    context.CancelFunc
	work    sync.WaitGroup // goroutines that invoke
	busy    busy           // the same, for Quiet

	mu      sync.RWMutex
	apis    map[string]*api // by id
	pending map[string]bool // connections whose $connect has not returned
	warned  map[string]bool
	closing bool // takes no connections
	closed  bool // invokes no functions
}

// New makes a cloud without APIs.
func New(o Options) *Cloud {
	o.Account = cmp.Or(o.Account, "000000000000")
	o.Region = cmp.Or(o.Region, "us-east-1")
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Signers == nil {
		o.Signers = o.Clock
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Note == nil {
		o.Note = func(events.Step) {}
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	if o.Domain == nil {
		o.Domain = func(id string) string { return id + hostInfix + o.Region + hostSuffix }
	}
	if o.Secret == nil {
		o.Secret = func(string) (string, string, bool) { return "", "", false }
	}
	if o.Allowed == nil {
		o.Allowed = func(string, string, string) bool { return true }
	}
	c := &Cloud{
		o: o, clock: o.Clock, mint: newMinter(o.Random, o.Account+"/"+o.Region), slots: make(chan struct{}, disconnects),
		apis: make(map[string]*api), pending: make(map[string]bool), warned: make(map[string]bool),
	}
	c.running, c.stop = context.WithCancel(context.Background())
	return c
}

// APIInfo describes a WebSocket API.
type APIInfo struct {
	ID, Name string
	Stages   []string // as in the template
	Routes   []string // keys, as in the template
}

// APIs describes the APIs in the order of their ids.
func (c *Cloud) APIs() []APIInfo {
	c.mu.RLock()
	defer c.mu.RUnlock()
	infos := make([]APIInfo, 0, len(c.apis))
	for _, a := range c.apis {
		infos = append(infos, a.info)
	}
	slices.SortFunc(infos, func(a, b APIInfo) int { return strings.Compare(a.ID, b.ID) })
	return infos
}

// AddAPI adds a WebSocket API. function gives the name that Invoke takes for a logical id, and nothing for one that there is not.
func (c *Cloud) AddAPI(t template.API, function func(logicalID string) string) error {
	a, warnings, err := newAPI(c.arn("execute-api", t.ID), t, function)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.apis[t.ID] != nil {
		c.mu.Unlock()
		return fmt.Errorf("%s: the API %s has the id %s, which another API has", place(t.At), t.LogicalID, t.ID)
	}
	c.apis[t.ID] = a
	c.mu.Unlock()
	for _, w := range warnings {
		c.o.Warn(w)
	}
	return nil
}

// Close closes all sockets, invokes $disconnect for them, waits for that until ctx ends or lastWords have passed, and then for
// everything that runs. Requests that come later are refused.
func (c *Cloud) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closing = true
	c.mu.Unlock()
	over := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		timer := c.clock.NewTimer(lastWords)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C():
		case <-over:
		}
		c.stop()
	})
	err := c.o.Gateway.Close(ctx)
	close(over)
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	watch.Wait()
	c.work.Wait()
	if err != nil {
		return fmt.Errorf("aws: close: %w", err)
	}
	return nil
}

var errClosed = errors.New("aws: closed")

// start runs f in a goroutine that Close waits for.
func (c *Cloud) start(f func()) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return errClosed
	}
	c.busy.begin()
	c.work.Go(func() {
		defer c.busy.end()
		f()
	})
	return nil
}

// warnOnce is for what every request would say again.
func (c *Cloud) warnOnce(text string) {
	c.mu.Lock()
	known := c.warned[text]
	c.warned[text] = true
	c.mu.Unlock()
	if !known {
		c.o.Warn(text)
	}
}

func (c *Cloud) arn(service, resource string) string {
	return "arn:aws:" + service + ":" + c.o.Region + ":" + c.o.Account + ":" + resource
}

// place is where something stands in a template, to begin a message with.
func place(at template.Place) string {
	if at.File == "" {
		return "template"
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}
