package logging

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
)

const (
	defaultPage = 100
	maxPage     = 1000
	maxResponse = 3_670_016 // 3.5 MB
)

// reader is the LogReadingService.
type reader struct {
	pb.UnimplementedLogReadingServiceServer
	service *Service
}

// token is what a page token says: the criteria, and where to go on.
type token struct {
	Criteria []byte    `json:"c"`
	Back     bool      `json:"b,omitempty"` // towards the past
	Time     time.Time `json:"t"`
	Number   uint64    `json:"n"`
}

// Read returns entries in the order of their time. The first page is the one of the oldest entries when the criteria say since when,
// and of the newest when they do not. Each page has a token for either direction; a page without entries is the last one, and its
// tokens are good for asking again later.
func (r *reader) Read(ctx context.Context, req *pb.ReadRequest) (*pb.ReadResponse, error) {
	c, from, err := begin(req)
	if err != nil {
		return nil, err
	}
	group, err := r.service.group(ctx, "logging.reader", c.LogGroupId)
	if err != nil {
		return nil, err
	}
	match, err := matcher(c)
	if err != nil {
		return nil, err
	}
	low, high := bounds(c)
	if from.Back {
		high = earlier(high, position{from.Time, from.Number})
	} else if at := (position{from.Time, from.Number}); at.compare(low) > 0 {
		low = at
	}
	page, seen := r.service.o.Log.take(low, high, match, from.Back, c)
	first, last := low, low
	if from.Back {
		if first = high; high.compare(endless()) < 0 {
			last = high
		}
	}
	out := &pb.ReadResponse{LogGroupId: group.Id, Entries: page}
	if len(seen) > 0 {
		first, last = position{seen[0].Time, seen[0].number - 1}, seen[len(seen)-1].position() // right before the first
	}
	out.NextPageToken, out.PreviousPageToken = write(c, last, false), write(c, first, true)
	return out, nil
}

// begin finds what is asked for and where to begin.
func begin(req *pb.ReadRequest) (*pb.Criteria, token, error) {
	switch s := req.GetSelector().(type) {
	case *pb.ReadRequest_Criteria:
		if s.Criteria == nil {
			break
		}
		if s.Criteria.Since != nil {
			return s.Criteria, token{}, nil
		}
		return s.Criteria, token{Back: true, Time: endless().Time, Number: endless().Number}, nil
	case *pb.ReadRequest_PageToken:
		var t token
		c := &pb.Criteria{}
		data, err := base64.RawURLEncoding.DecodeString(s.PageToken)
		if err == nil {
			err = json.Unmarshal(data, &t)
		}
		if err == nil {
			err = proto.Unmarshal(t.Criteria, c)
		}
		if err != nil || t.Criteria == nil {
			return nil, t, resource.Invalid("page_token", "got what no read has returned, want the next_page_token or previous_page_token of a page")
		}
		return c, t, nil
	}
	return nil, token{}, resource.Invalid("selector", "got nothing, want criteria or page_token")
}

func write(c *pb.Criteria, at position, back bool) string {
	criteria, _ := proto.Marshal(c)                                    // it came by proto
	data, _ := json.Marshal(token{criteria, back, at.Time, at.Number}) // it does not fail: years have four digits
	return base64.RawURLEncoding.EncodeToString(data)
}

// bounds are those that the criteria set, both inclusive.
func bounds(c *pb.Criteria) (low, high position) {
	high = endless()
	if c.Since != nil {
		low = position{Time: c.Since.AsTime()}
	}
	if c.Until != nil {
		high = earlier(high, position{c.Until.AsTime(), math.MaxUint64})
	}
	return low, high
}

func earlier(a, b position) position {
	if a.compare(b) > 0 {
		return b
	}
	return a
}

// take picks the page of the entries that match: the first of them, or the last when it goes back, as many as the response may hold.
func (l *Log) take(low, high position, match matches, back bool, c *pb.Criteria) (page []*pb.LogEntry, seen []*entry) {
	most, bytes := int(c.PageSize), int(c.MaxResponseSize)
	if most <= 0 {
		most = defaultPage
	}
	if bytes <= 0 {
		bytes = maxResponse
	}
	all := l.between(low, high)
	if back {
		slices.Reverse(all)
	}
	for _, e := range all {
		if !match(e) {
			continue
		}
		if len(page) == min(most, maxPage) {
			break
		}
		v := l.view(e)
		if bytes -= proto.Size(v) + 4; bytes < 0 && len(page) > 0 { // 4: what is round it
			break
		}
		page, seen = append(page, v), append(seen, e)
	}
	if back {
		slices.Reverse(page)
		slices.Reverse(seen)
	}
	return page, seen
}

// matcher makes the criteria a question to an entry.
func matcher(c *pb.Criteria) (matches, error) {
	var wrong []resource.Violation
	valid := func(field string, at *timestamppb.Timestamp) {
		if at != nil && !at.IsValid() {
			wrong = append(wrong, resource.Violation{Field: "criteria." + field, Description: "got what is no time from the year 1 to 9999"})
		}
	}
	valid("since", c.Since)
	valid("until", c.Until)
	if len(wrong) > 0 {
		return nil, resource.InvalidFields(wrong...)
	}
	if c.Since != nil && c.Until != nil && c.Since.AsTime().After(c.Until.AsTime()) {
		return nil, resource.Invalid("criteria.since", fmt.Sprintf("got %s, which is after until, %s", c.Since.AsTime().Format(time.RFC3339Nano), c.Until.AsTime().Format(time.RFC3339Nano)))
	}
	passes := func(*entry) bool { return true }
	if c.Filter != "" {
		var err error
		if passes, err = parseFilter(c.Filter); err != nil {
			return nil, resource.Invalid("criteria.filter", err.Error())
		}
	}
	in := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	return func(e *entry) bool {
		return e.GroupID == c.LogGroupId && in(c.ResourceIds, e.ResourceID) && in(c.ResourceTypes, e.ResourceType) && in(c.StreamNames, e.StreamName) &&
			(len(c.Levels) == 0 || slices.Contains(c.Levels, e.level)) && passes(e)
	}, nil
}

// view is an entry as clients see it.
func (l *Log) view(e *entry) *pb.LogEntry {
	return &pb.LogEntry{
		Uid: fmt.Sprintf("%s:%d", l.begin, e.number), Resource: &pb.LogEntryResource{Type: e.ResourceType, Id: e.ResourceID},
		Timestamp: timestamppb.New(e.Time), IngestedAt: timestamppb.New(e.ingested), SavedAt: timestamppb.New(e.ingested),
		Level: e.level, Message: e.Message, JsonPayload: object(e.payload), StreamName: e.StreamName,
	}
}

// object is a payload as proto has it; nil for none.
func object(payload []byte) *structpb.Struct {
	if payload == nil {
		return nil
	}
	s := &structpb.Struct{}
	if err := s.UnmarshalJSON(payload); err != nil {
		return &structpb.Struct{Fields: map[string]*structpb.Value{"error": structpb.NewStringValue("the payload is no JSON of proto's: " + err.Error())}}
	}
	return s
}
