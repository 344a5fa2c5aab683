package main

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
)

func TestSelectionSets(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	const body = `{"z": 1,"a":"<&>", "big": 9007199254740993}`
	line := recording.Line{At: at, Record: &events.Record{
		Origin:  events.OriginForeign,
		Changes: []events.Change{{Kind: events.TagAttached, Registry: "crpold", Repository: "team/app", Tag: "v1", At: at}},
		Events:  []events.Event{{ID: "one", Source: "yandex", Type: "create-image-tag", Body: json.RawMessage(body)}},
	}}
	for name, test := range map[string]struct {
		set      string
		registry string
		body     string // of the event; empty: there is none
		touched  bool
	}{
		"a change is worded anew":     {".record.changes[].registry_id=crpnew", "crpnew", "", true},
		"the leading dot can go":      {"record.changes[0].registry_id=crpnew", "crpnew", "", true},
		"what is equal stays":         {".record.changes[].registry_id=crpold", "crpold", body, false},
		"an event beside keeps bytes": {".record.events[].type=create-image", "crpold", body, true},
		"an event is changed":         {".record.events[].body.z=2", "crpold", `{"a":"<&>","big":9007199254740993,"z":2}`, true},
		"a wrong path":                {".recrod.changes=1", "crpold", body, false},
		"a wrong member":              {".record.changes[].registry=crpnew", "crpold", body, false},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			a, err := newAssignment(test.set)
			is.NoErr(err)
			s := selection{change: []*assignment{a}}
			got, ok, err := s.apply(line, nil)
			is.NoErr(err)
			is.True(ok)
			is.Equal(got.Record.Changes[0].Registry, test.registry)
			if test.body == "" {
				is.Equal(len(got.Record.Events), 0)
				is.Equal(got.Record.Origin, "")
			} else {
				is.Equal(string(got.Record.Events[0].Body), test.body)
			}
			is.Equal(a.touched, test.touched)
		})
	}
}

func TestSelectionOfWhatIsNotInOrder(t *testing.T) {
	is := is.New(t)
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	failed := errors.New("torn")
	run := &recordedRun{foreign: true, first: at, all: func(yield func(recording.Line, error) bool) {
		for _, s := range []int{0, 9, 2, 5} {
			if !yield(recording.Line{At: at.Add(time.Duration(s) * time.Second), Record: &events.Record{}}, nil) {
				return
			}
		}
		yield(recording.Line{}, failed)
	}}
	s := selection{from: "1s", to: "5s"}
	chosen, err := s.of(run, false)
	is.NoErr(err)
	var got []time.Duration
	for line, err := range chosen {
		if err != nil {
			is.Equal(err, failed) // it is the reader's
			break
		}
		got = append(got, line.At.Sub(at))
	}
	is.Equal(got, []time.Duration{2 * time.Second, 5 * time.Second})
}

func TestAnotherID(t *testing.T) {
	is := is.New(t)
	salt := []byte("salt")
	uuid := another("c94cad9c-1482-83b0-ac84-279e3e0c7b82", salt)
	is.True(uuid != "c94cad9c-1482-83b0-ac84-279e3e0c7b82")
	is.Equal(len(uuid), 36)
	is.Equal([]byte{uuid[8], uuid[14], uuid[19]}, []byte("-8a")) // version and variant stay
	is.Equal(another("c94cad9c-1482-83b0-ac84-279e3e0c7b82", salt), uuid)
	is.True(another("c94cad9c-1482-83b0-ac84-279e3e0c7b82", []byte("other")) != uuid)
	is.Equal(another("crpa6yvt1he4l1wmsp52", salt)[:3], "crp")
	is.True(another("e1", salt) != another("e2", salt)) // as different as they are short
}

func TestWaitingEventsAreBounded(t *testing.T) {
	is := is.New(t)
	w := pending{events: map[string]packed{}}
	dropped := 0
	for i := range mostPending + 10 {
		dropped += w.add(packed{id: string(rune('a'+i%26)) + time.Duration(i).String()})
	}
	is.Equal(dropped, 10)
	is.Equal(len(w.events), mostPending)
	is.Equal(len(w.take([]string{"a0s"})), 0) // the oldest have gone
	is.Equal(len(w.order) <= 2*mostPending, true)
}
