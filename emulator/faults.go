package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/regcast/regcast/emulator/internal/fault"
)

// Fault is something that goes wrong on purpose: at a step of the walk, for what passes there and fits, so many times or for a share.
type Fault = fault.Fault

// FaultStep is a place where faults happen.
type FaultStep = fault.Step

// The steps, in the order of the walk.
const (
	FaultRegistry   = fault.Registry   // a request below /v2/ is answered
	FaultPublish    = fault.Publish    // a record is on its way from the journal to all triggers
	FaultMatch      = fault.Match      // a trigger gets an event that it wants
	FaultInvoke     = fault.Invoke     // a function is called
	FaultAPI        = fault.API        // @connections, ConnectionService, DynamoDB or SQS is asked
	FaultSend       = fault.Send       // a gateway takes a message for one connection, or for all of a path
	FaultConnection = fault.Connection // a socket is let in
)

// FaultAction is what goes wrong.
type FaultAction = fault.Action

// The actions. FaultSteps tells which of them a step allows.
const (
	FaultDrop           = fault.Drop
	FaultDelay          = fault.Delay
	FaultDuplicate      = fault.Duplicate
	FaultReorder        = fault.Reorder
	FaultError          = fault.Error
	FaultTorn           = fault.Torn
	FaultSlow           = fault.Slow
	FaultClose          = fault.Close
	FaultCrash          = fault.Crash
	FaultLateDisconnect = fault.LateDisconnect
)

// FaultCode says which error, or with which code a connection is closed.
type FaultCode = fault.Code

// FaultTimeout is the code of an error that is no answer, until the caller gives up.
const FaultTimeout = fault.Timeout

// ErrNoFault says that there is no fault with an id.
var ErrNoFault = fault.ErrUnknown

// FaultInfo is a fault and what it has done.
type FaultInfo struct {
	Fault
	Seen     int // how many passed that it is for
	Injected int // with how many of them it went wrong
}

// FaultSite is one passage of a step, counted from 1: the place for a fault with After N-1 and Next 1.
type FaultSite = fault.Site

// FaultRules is what a step allows: actions, codes of errors, filters.
type FaultRules = fault.Allowed

// FaultSteps returns the steps with what they allow, in the order of the walk.
func FaultSteps() []FaultRules { return fault.Steps() }

// ReadFaults reads faults from YAML or JSON: a list, or one. The error says for everything that is wrong where it stands.
func ReadFaults(name string, data []byte) ([]Fault, error) { return fault.Read(name, data) }

// AddFault adds a fault and returns it with its id. The error says everything that is wrong with it.
func (e *Emulator) AddFault(f Fault) (Fault, error) { return e.faults.Add(f) }

// RemoveFault takes a fault away; what it holds back goes on at once. It says ErrNoFault.
func (e *Emulator) RemoveFault(id string) error { return e.faults.Remove(id) }

// ClearFaults takes all faults away.
func (e *Emulator) ClearFaults() { e.faults.Clear() }

// Faults returns the faults in the order in which they were added.
func (e *Emulator) Faults() []FaultInfo {
	infos := []FaultInfo{}
	for _, s := range e.faults.List() {
		infos = append(infos, FaultInfo(s))
	}
	return infos
}

// ObserveFaults begins, or ends, to count everything that passes a step, whether there are faults or not.
func (e *Emulator) ObserveFaults(on bool) { e.faults.Observe(on) }

// FaultSites returns what has passed since ObserveFaults, in its order: the first 100,000. counts has all, by step.
func (e *Emulator) FaultSites() (sites []FaultSite, counts map[FaultStep]int) {
	return e.faults.Sites(), e.faults.Occurrences()
}

// MarshalJSON writes the fault's fields, and seen and injected.
func (i FaultInfo) MarshalJSON() ([]byte, error) {
	data, err := i.Fault.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(data[:len(data)-1], `,"seen":%d,"injected":%d}`, i.Seen, i.Injected), nil
}

// UnmarshalJSON reads what MarshalJSON has written.
func (i *FaultInfo) UnmarshalJSON(data []byte) error {
	var counts struct{ Seen, Injected int }
	if err := json.Unmarshal(data, &counts); err != nil {
		return err
	}
	i.Seen, i.Injected = counts.Seen, counts.Injected
	return i.Fault.UnmarshalJSON(data)
}

// faultLimit bounds the body of POST /_regcast/faults, in bytes.
const faultLimit = 1 << 20

// addFaults adds all of a list or none.
func (e *Emulator) addFaults(list []Fault) ([]Fault, error) {
	var added []Fault
	for i, f := range list {
		f, err := e.AddFault(f)
		if err != nil {
			for _, a := range added {
				_ = e.RemoveFault(a.ID) // it is there
			}
			return nil, fmt.Errorf("fault %d: %w", i+1, err)
		}
		added = append(added, f)
	}
	return added, nil
}

func (e *Emulator) postFaults(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, faultLimit))
	if err != nil {
		answerError(w, http.StatusRequestEntityTooLarge, fmt.Errorf("body: %w", err))
		return
	}
	list, err := ReadFaults("body", body)
	if err == nil {
		list, err = e.addFaults(list)
	}
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"faults": list})
}

func (e *Emulator) deleteFaults(w http.ResponseWriter, _ *http.Request) {
	e.ClearFaults()
	w.WriteHeader(http.StatusNoContent)
}

func (e *Emulator) deleteFault(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := e.RemoveFault(id); errors.Is(err, ErrNoFault) {
		answerError(w, http.StatusNotFound, fmt.Errorf("there is no fault %q; GET /_regcast/faults lists them", id))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// quietFaults returns when nothing that faults held back is due, and what they let go is on its way.
func (e *Emulator) quietFaults(ctx context.Context) error {
	if err := e.faults.Quiet(ctx); err != nil {
		return err
	}
	return e.passing.quiet(ctx)
}
