package fault_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/emulator/internal/fault"
	"github.com/regcast/regcast/events"
)

func (h *house) opens(connections ...string) {
	for _, c := range connections {
		hit, _ := h.At(fault.Point{Step: fault.Connection, Gateway: "g", Path: "/ws", Connection: c})
		h.Passed(hit)
	}
}

// post says whether a fault met a post.
func (h *house) post(connection string) bool {
	hit, ok := h.At(fault.Point{Step: fault.API, API: "connections.Send", Connection: connection})
	h.Passed(hit)
	return ok
}

// A fault for the second connection meets its posts in whatever order they come; what was open before the fault was there does not count.
func TestTheSecondConnection(t *testing.T) {
	is := is.New(t)
	h := newHouse(t)
	h.opens("before")
	second := fault.Fault{ID: "second", Step: fault.API, Action: fault.Error, Code: "500", Connection: "#2", Next: 1, After: 1}
	_, err := h.Add(second)
	is.NoErr(err)
	h.opens("zebra", "ant", "zebra") // the same again is not another
	for _, tc := range []struct {
		posts string
		want  int // of these posts
	}{{"ant zebra before ant ant", 3}, {"zebra zebra before ant ant zebra", 4}} {
		var met []int
		for i, connection := range strings.Fields(tc.posts) {
			if h.post(connection) {
				met = append(met, i)
			}
		}
		is.Equal(met, []int{tc.want}) // the ant's second
		is.NoErr(h.Remove("second"))
		_, err := h.Add(second)
		is.NoErr(err)
		h.opens("zebra", "ant")
	}
	_, err = h.Add(fault.Fault{Step: fault.API, Action: fault.Error, Code: "500", Connection: "#0"})
	is.Equal(err.Error(), `fault: connection: got "#0", want an id, or #1 for the first that is opened, #2 for the second, …`)
}

// Which share of the posts goes wrong does not depend on their order, nor on the ids of the connections.
func TestAShareOfWhatComesInAnyOrder(t *testing.T) {
	is := is.New(t)
	var first []string
	for run := range 5 {
		h := newHouse(t, fault.Fault{Step: fault.Send, Action: fault.Drop, Share: 0.3, Seed: 7})
		type post struct{ connection, event int }
		var posts []post
		for c := range 20 {
			h.opens(fmt.Sprint("run ", run, " ", c))
			for e := range 10 {
				posts = append(posts, post{c, e}, post{c, e}) // each twice
			}
		}
		rand.New(rand.NewPCG(uint64(run), 0)).Shuffle(len(posts), func(i, j int) { posts[i], posts[j] = posts[j], posts[i] })
		var met []string
		for _, p := range posts {
			hit, ok := h.At(fault.Point{
				Step: fault.Send, Gateway: "g", Path: "/ws", Connection: fmt.Sprint("run ", run, " ", p.connection),
				Events: []events.Event{{ID: fmt.Sprint("e", p.event)}},
			})
			if ok {
				met = append(met, fmt.Sprint(p))
			}
			h.Passed(hit)
		}
		slices.Sort(met)
		if run == 0 {
			first = met
			is.True(len(met) > 90 && len(met) < 150) // of 400
		}
		is.Equal(met, first)
	}
}
