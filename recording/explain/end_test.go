package explain_test

import (
	"encoding/json"
	"testing"

	"github.com/matryer/is"

	"github.com/regcast/regcast/events"
	"github.com/regcast/regcast/recording"
	"github.com/regcast/regcast/recording/explain"
)

// The outcome is the worst end; of one trigger it is that trigger's.
func TestOutcomes(t *testing.T) {
	is := is.New(t)
	is.Equal(find(t).Outcome, explain.Unread)
	is.Equal(find(t, step(t, 0, events.StepUnmatched, "", "", nearOne)).Outcome, explain.Unfired)

	x := find(t,
		step(t, 0, events.StepMatched, "", "", `{"triggers":["a","b","c"],"near":[{"trigger":"d","field":"tag","got":"x"}]}`),
		step(t, 0, events.StepDelivered, "a", "to x", `{"action":0}`),
		step(t, 0, events.StepSkipped, "b", "no", `{"action":0}`),
		step(t, 0, events.StepLost, "c", "nobody is there", `{"action":0}`),
		recording.Line{Step: &events.Step{Events: []string{"crptagged"}, Room: "queue", What: events.StepDelivered, Who: "e", Text: "1 of 1"}},
	)
	is.Equal([]any{x.Outcome, len(x.Ends), x.Ends[0].Trigger}, []any{explain.Lost, 4, "c"})
	for trigger, want := range map[string]string{"a": explain.Delivered, "b": explain.Delivered, "c": explain.Lost, "d": explain.Unfired} {
		only, err := x.Only(trigger)
		is.NoErr(err)
		is.Equal(only.Outcome, want) // of b: what e got may have been its
	}
	data, err := json.Marshal(x.Ends[0])
	is.NoErr(err)
	is.Equal(string(data), `{"state":"lost","trigger":"c","text":"c fired, and its delivery is lost: nobody is there"}`)
}
