package yc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	logging "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	functionsv1 "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/functions/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const readLogs = "yandex.cloud.logging.v1.LogReadingService.Read"

// How far back is read when --since is missing, and the name of the group when none is given; as in the cloud.
const (
	sinceDefault = time.Hour
	groupDefault = "default"
)

func logGroups() resource {
	return resource{
		noun: "log group", service: "yandex.cloud.logging.v1.LogGroupService", id: "log_group_id",
		columns: append(folderColumns(), column{title: "STATUS", path: "status"}),
	}
}

func (s *session) logging() *cobra.Command {
	r := logGroups()
	return group("logging", "Read logs", s.read(r), group("group", "Look at log groups", s.list(r), s.get(r)))
}

// reading is what a command that reads logs can be told.
type reading struct {
	since, until, filter string
	levels               []string
	limit                int
	size                 string
	follow               bool
}

func readingFlags(c *cobra.Command) *reading {
	r := &reading{}
	f := c.Flags()
	f.StringVar(&r.since, "since", "", "from this `time` on: 15:04:05, 2006-01-02T15:04:05Z, or 2h ago (default 1h)")
	f.StringVar(&r.until, "until", "", "up to this `time`")
	f.StringVar(&r.filter, "filter", "", "only what fits this filter expression")
	f.StringSliceVar(&r.levels, "levels", nil, "only these levels: trace, debug, info, warn, error, fatal")
	f.IntVar(&r.limit, "limit", limitDefault, "at most so many")
	f.StringVar(&r.size, "max-response-size", "", "largest answer, such as 3MB")
	f.BoolVarP(&r.follow, "follow", "f", false, "go on as entries arrive")
	return r
}

func (s *session) read(group resource) *cobra.Command {
	c := &cobra.Command{Use: "read [<LOG-GROUP-NAME>|<LOG-GROUP-ID>] [SINCE] [FILTER]", Short: "Read logs", Args: cobra.MaximumNArgs(3)}
	var t target
	f := c.Flags()
	f.StringVar(&t.id, "group-id", "", "log group by id")
	f.StringVar(&t.name, "group-name", "", "log group by name (default: the folder's default group)")
	types := f.StringSlice("resource-types", nil, "only what these types of resources logged")
	ids := f.StringSlice("resource-ids", nil, "only what these resources logged")
	streams := f.StringSlice("stream-names", nil, "only these streams")
	r := readingFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		criteria, err := s.criteria(r, args[min(1, len(args)):])
		if err != nil {
			return err
		}
		if len(args) == 0 && t.id == "" && t.name == "" {
			t.name = groupDefault
		}
		found, err := s.pick(c.Context(), group, t, args[:min(1, len(args))])
		if err != nil {
			return err
		}
		criteria.LogGroupId, criteria.ResourceTypes, criteria.ResourceIds, criteria.StreamNames = found[0], *types, *ids, *streams
		return s.readEntries(c.Context(), criteria, r)
	}
	return c
}

// logs makes `function logs`: what a function's versions logged, wherever they log to.
func (s *session) logs(fn resource) *cobra.Command {
	c := &cobra.Command{Use: "logs " + fn.argumentUse() + " [SINCE] [FILTER]", Short: "Read a function's log", Args: cobra.MaximumNArgs(3)}
	var t target
	targetFlags(c, fn, &t)
	tag := c.Flags().String("tag", "$latest", "tag of the version")
	r := readingFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		whose := args[:min(1, len(args))]
		if t.id != "" || t.name != "" {
			whose = nil
		}
		ids, err := s.pick(ctx, fn, t, whose)
		if err != nil {
			return err
		}
		criteria, err := s.criteria(r, args[len(whose):])
		if err != nil {
			return err
		}
		version, err := s.call(ctx, functionService+".GetVersionByTag", &functionsv1.GetFunctionVersionByTagRequest{FunctionId: ids[0], Tag: *tag})
		if err != nil {
			return err
		}
		criteria.LogGroupId = version.(*functionsv1.Version).GetLogOptions().GetLogGroupId()
		if criteria.LogGroupId == "" {
			if criteria.LogGroupId, err = s.named(ctx, logGroups(), groupDefault); err != nil {
				return err
			}
		}
		criteria.ResourceIds = ids
		return s.readEntries(ctx, criteria, r)
	}
	return c
}

// criteria words what was told; rest are the arguments for since and filter.
func (s *session) criteria(r *reading, rest []string) (*logging.Criteria, error) {
	if len(rest) > 0 && r.since == "" {
		r.since = rest[0]
	}
	if len(rest) > 1 && r.filter == "" {
		r.filter = rest[1]
	}
	if r.limit < 1 {
		return nil, fmt.Errorf("--limit %d: want 1 or more", r.limit)
	}
	if r.follow && (r.since != "" || r.until != "") {
		return nil, errors.New("--follow goes with neither --since nor --until")
	}
	c := &logging.Criteria{Filter: r.filter, Since: timestamppb.New(s.Now().Add(-sinceDefault))}
	for _, word := range r.levels {
		n, err := parseEnum(logging.LogLevel_LEVEL_UNSPECIFIED.Descriptor(), word)
		if err != nil {
			return nil, fmt.Errorf("--levels: %w", err)
		}
		c.Levels = append(c.Levels, logging.LogLevel_Level(n))
	}
	for _, at := range []struct {
		flag, text string
		field      **timestamppb.Timestamp
	}{{"since", r.since, &c.Since}, {"until", r.until, &c.Until}} {
		if at.text == "" {
			continue
		}
		when, err := parseTime(at.text, s.Now())
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", at.flag, err)
		}
		*at.field = timestamppb.New(when)
	}
	if r.size != "" {
		n, err := parseSize(r.size)
		if err != nil {
			return nil, fmt.Errorf("--max-response-size: %w", err)
		}
		c.MaxResponseSize = n
	}
	return c, nil
}

// parseTime reads a time of today, a date and time, or how long ago.
func parseTime(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.TimeOnly, text, now.Location()); err == nil {
		return time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location()), nil
	}
	if d, err := time.ParseDuration(strings.TrimSuffix(text, " ago")); err == nil {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q: want a time such as 15:04:05, 2006-01-02T15:04:05Z, or 2h", text)
}

// readEntries prints entries page by page, and goes on when it is told to follow.
func (s *session) readEntries(ctx context.Context, criteria *logging.Criteria, r *reading) error {
	criteria.PageSize = int64(min(r.limit, pageMaximum))
	req := &logging.ReadRequest{Selector: &logging.ReadRequest_Criteria{Criteria: criteria}}
	var all []proto.Message
	for read := 0; ; {
		res, err := s.call(ctx, readLogs, req)
		if err != nil {
			return err
		}
		page := res.(*logging.ReadResponse)
		for _, entry := range page.GetEntries() {
			if read++; read > r.limit && !r.follow {
				break
			}
			if s.plainText() {
				if err := s.printEntry(entry); err != nil {
					return err
				}
			} else if r.follow {
				if err := s.print(entry); err != nil {
					return err
				}
			} else {
				all = append(all, entry)
			}
		}
		next := page.GetNextPageToken()
		idle := len(page.GetEntries()) == 0
		if !r.follow && (next == "" || idle || read >= r.limit) {
			break
		}
		if next != "" {
			req = &logging.ReadRequest{Selector: &logging.ReadRequest_PageToken{PageToken: next}}
		} else if !idle { // a server without tokens for what is yet to come
			last := page.GetEntries()[len(page.GetEntries())-1]
			criteria.Since = timestamppb.New(last.GetTimestamp().AsTime().Add(1))
		}
		if !idle && next != "" {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.After(pollEvery):
		}
	}
	if s.plainText() {
		return nil
	}
	return s.printList(all, nil)
}

func (s *session) plainText() bool { return s.global.format == "text" && s.global.jq == "" }

// printEntry prints an entry as yc does: time, level, message, and what else it carries as JSON.
func (s *session) printEntry(e *logging.LogEntry) error {
	level := ""
	if e.GetLevel() != 0 {
		level = e.GetLevel().String()
	}
	line := fmt.Sprintf("%s %5s %s", e.GetTimestamp().AsTime().UTC().Format(time.DateTime), level, strings.TrimSuffix(e.GetMessage(), "\n"))
	if fields := e.GetJsonPayload(); len(fields.GetFields()) > 0 {
		b, err := protojson.Marshal(fields)
		if err != nil {
			return fmt.Errorf("entry: %w", err)
		}
		line += " " + string(b)
	}
	_, err := fmt.Fprintln(s.Stdout, line)
	return err
}
