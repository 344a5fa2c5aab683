package emulator

import (
	"bytes"
	"encoding/json"

	"github.com/regcast/regcast/events"
)

// keepWords puts the events as they came in the place of those that a cloud would make of the changes now. New ids and times, where they
// are asked for, are written over the old ones.
func keepWords(out *events.Record, rec events.Record, o ReplayOptions) {
	for _, came := range rec.Events {
		for i := range out.Events {
			worded := &out.Events[i]
			if worded.Source != came.Source || worded.Of != came.Of {
				continue
			}
			fresh := worded.Body
			worded.Type, worded.Body = came.Type, came.Body
			if o.Again {
				worded.Body = exchange(worded.Body, idOf(came.Body), worded.ID)
			} else {
				worded.ID = came.ID
			}
			if o.Now {
				worded.Body = exchange(worded.Body, timeOf(came.Body), timeOf(fresh))
			}
		}
	}
}

// told is where the clouds' events tell their id and time.
type told struct {
	ID       string `json:"id"`
	Time     string `json:"time"`
	Metadata struct {
		ID        string `json:"event_id"`
		CreatedAt string `json:"created_at"`
	} `json:"event_metadata"`
}

func idOf(body []byte) string {
	var t told
	_ = json.Unmarshal(body, &t) // it has neither then
	return t.ID + t.Metadata.ID
}

func timeOf(body []byte) string {
	var t told
	_ = json.Unmarshal(body, &t)
	return t.Time + t.Metadata.CreatedAt
}

// exchange replaces a string in JSON, byte for byte beside it.
func exchange(body []byte, from, to string) []byte {
	if from == "" || to == "" {
		return body
	}
	return bytes.Replace(body, []byte(`"`+from+`"`), []byte(`"`+to+`"`), 1)
}
