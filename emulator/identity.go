package emulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/guard"
	"github.com/regcast/regcast/emulator/internal/runner"
	"github.com/regcast/regcast/emulator/internal/yandex"
)

// identities is the metadata service of Yandex Cloud's functions: an address for each service account that functions run as. The
// address is all that every SDK lets one choose, and some of them heed no proxy. An address stays when its functions have gone, since the
// last calls of them may be at work.
type identities struct {
	identify func(account string) yandex.Identity
	server   *http.Server
	served   sync.WaitGroup

	mu       sync.Mutex
	byID     map[string]string // addresses by account; "" is nobody's
	accounts map[string]string // the other way round
	closed   bool
}

func newIdentities(identify func(account string) yandex.Identity) *identities {
	s := &identities{identify: identify, byID: make(map[string]string), accounts: make(map[string]string)}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 30 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	return s
}

// address is where functions that run as an account find it out.
func (s *identities) address(account string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if address, ok := s.byID[account]; ok {
		return address, nil
	}
	if s.closed {
		return "", net.ErrClosed
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		var six error
		if l, six = net.Listen("tcp", "[::1]:0"); six != nil {
			return "", fmt.Errorf("metadata service: %w", err)
		}
	}
	address := l.Addr().String()
	s.byID[account], s.accounts[address] = address, account
	s.served.Go(func() { _ = s.server.Serve(l) }) // it ends when the server is closed
	return address, nil
}

func (s *identities) serve(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	s.mu.Lock()
	account := s.accounts[local.String()]
	s.mu.Unlock()
	s.identify(account).ServeHTTP(w, r)
}

func (s *identities) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	err := errors.Join(s.server.Shutdown(ctx), s.server.Close())
	s.served.Wait()
	return err
}

// identity is what an account may have of the metadata service.
func (e *Emulator) identity(account string) yandex.Identity {
	return yandex.Identity{ServiceAccountID: account, Token: func() (string, error) { return e.control.IAMToken(account) }}
}

// runsAs is the account that a function of Yandex Cloud runs as; false: it is none of its functions. Without StrictAuth those to
// which nobody has given an account have the default one.
func (e *Emulator) runsAs(function string) (account string, ok bool) {
	account, ok = e.control.RunsAs(function)
	if ok && account == "" && !e.strictAuth {
		account = yandex.ServiceAccountID
	}
	return account, ok
}

// metadataAddress is where a function finds out who it is.
func (e *Emulator) metadataAddress(f runner.Function) string {
	account, ok := e.runsAs(f.Name)
	if !ok {
		return e.local()
	}
	address, err := e.identities.address(account)
	if err != nil {
		e.warn(fmt.Sprintf("function %s: it gets no tokens: %v", e.functionID(f.Name), err))
	}
	return address
}

// serveMetadata answers at the port itself: functions that ask the cloud's own address through the guard, and the developer.
func (e *Emulator) serveMetadata(w http.ResponseWriter, r *http.Request) {
	who := yandex.Developer()
	if account, ok := e.runsAs(guard.Function(r.Context())); ok {
		who = e.identity(account)
	}
	who.ServeHTTP(w, r)
}
