package logging_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/regcast/regcast/emulator/internal/clock"
	"github.com/regcast/regcast/emulator/internal/journal"
	"github.com/regcast/regcast/emulator/internal/yandex"
	"github.com/regcast/regcast/emulator/internal/yandex/logging"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	"github.com/regcast/regcast/emulator/internal/yandex/wire"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
)

// house is the services behind a real listener.
type house struct {
	pb.LogGroupServiceClient
	reading pb.LogReadingServiceClient
	writing pb.LogIngestionServiceClient
	service *logging.Service
	log     *logging.Log
	clock   *clock.Manual
	group   string // the default folder's
}

func open(t testing.TB, values resource.Values, more ...func(*logging.Options, *logging.LogOptions)) *house {
	t.Helper()
	is := is.New(t)
	h := &house{clock: clock.NewManual(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC))}
	store := resource.New(resource.Options{Clock: h.clock, Values: values})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	o, lo := logging.Options{Store: store, Bindings: bindings}, logging.LogOptions{Clock: h.clock}
	for _, f := range more {
		f(&o, &lo)
	}
	h.log = logging.NewLog(lo)
	o.Log = h.log
	h.service, err = logging.New(t.Context(), o)
	is.NoErr(err)
	h.group = h.service.DefaultGroup(yandex.FolderID)
	api := wire.New(wire.Options{Clock: h.clock})
	h.service.Register(api)
	is.NoErr(api.Start())
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := httptest.NewUnstartedServer(api)
	server.Config.Protocols = &protocols
	server.Start()
	conn, err := grpc.NewClient("passthrough:///"+server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	is.NoErr(err)
	h.LogGroupServiceClient, h.reading, h.writing = pb.NewLogGroupServiceClient(conn), pb.NewLogReadingServiceClient(conn), pb.NewLogIngestionServiceClient(conn)
	t.Cleanup(func() {
		is.NoErr(conn.Close())
		is.NoErr(api.Close(context.Background()))
		server.Close()
		store.Close()
	})
	return h
}

// say writes entries of the default group whose messages are numbers, a second apart.
func (h *house) say(from, to int) {
	for i := from; i < to; i++ {
		h.log.Write(logging.Entry{GroupID: h.group, ResourceType: "serverless.apigateway", ResourceID: "d5d1", Level: "info", Message: fmt.Sprint(i)})
		h.clock.Advance(time.Second)
	}
}

func (h *house) read(t testing.TB, c *pb.Criteria) *pb.ReadResponse {
	t.Helper()
	if c.LogGroupId == "" {
		c.LogGroupId = h.group
	}
	got, err := h.reading.Read(t.Context(), &pb.ReadRequest{Selector: &pb.ReadRequest_Criteria{Criteria: c}})
	is.New(t).NoErr(err)
	return got
}

func (h *house) on(t testing.TB, token string) *pb.ReadResponse {
	t.Helper()
	got, err := h.reading.Read(t.Context(), &pb.ReadRequest{Selector: &pb.ReadRequest_PageToken{PageToken: token}})
	is.New(t).NoErr(err)
	return got
}

func messages(r *pb.ReadResponse) string {
	var out []string
	for _, e := range r.Entries {
		out = append(out, e.Message)
	}
	return strings.Join(out, " ")
}

func TestAnEntryAsItIsRead(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, func(_ *logging.Options, o *logging.LogOptions) { o.Random = strings.NewReader("abcd") })
	at := h.clock.Now()
	h.clock.Advance(time.Minute)
	h.log.Write(logging.Entry{GroupID: h.group, ResourceType: "serverless.function", ResourceID: "d4e1", StreamName: "s", Time: at, Level: "Warn", Message: "bad \xff",
		Payload: map[string]any{"n": 1, "list": []string{"a"}, "text": "\xfe"}})
	h.log.Write(logging.Entry{GroupID: h.group})
	h.log.Write(logging.Entry{GroupID: "e23other", Message: "not here"})
	got := h.read(t, &pb.Criteria{})
	payload, err := structpb.NewStruct(map[string]any{"n": 1, "list": []any{"a"}, "text": "\uFFFD"})
	is.NoErr(err)
	is.Equal(got.LogGroupId, h.group)
	is.Equal(len(got.Entries), 2)
	is.True(proto.Equal(got.Entries[0], &pb.LogEntry{Uid: "61626364:1", Resource: &pb.LogEntryResource{Type: "serverless.function", Id: "d4e1"}, StreamName: "s",
		Timestamp: timestamppb.New(at), IngestedAt: timestamppb.New(h.clock.Now()), SavedAt: timestamppb.New(h.clock.Now()), Level: pb.LogLevel_WARN,
		Message: "bad \uFFFD", JsonPayload: payload}))
	is.True(proto.Equal(got.Entries[1], &pb.LogEntry{Uid: "61626364:2", Resource: &pb.LogEntryResource{},
		Timestamp: timestamppb.New(h.clock.Now()), IngestedAt: timestamppb.New(h.clock.Now()), SavedAt: timestamppb.New(h.clock.Now())}))
}

func TestPages(t *testing.T) {
	is := is.New(t)
	h := open(t, nil)
	began := timestamppb.New(h.clock.Now())
	none := h.read(t, &pb.Criteria{PageSize: 2})
	is.Equal(messages(none), "")
	h.say(0, 7)
	// Without since the newest come first, and the tokens lead back and on.
	last := h.read(t, &pb.Criteria{PageSize: 3})
	is.Equal(messages(last), "4 5 6")
	back := h.on(t, last.PreviousPageToken)
	is.Equal(messages(back), "1 2 3")
	back = h.on(t, back.PreviousPageToken)
	is.Equal(messages(back), "0")
	end := h.on(t, back.PreviousPageToken)
	is.Equal(messages(end), "")
	is.Equal(messages(h.on(t, end.NextPageToken)), "0 1 2") // and round again
	is.Equal(messages(h.on(t, back.NextPageToken)), "1 2 3")
	// A reader that follows.
	more := h.on(t, last.NextPageToken)
	is.Equal(messages(more), "")
	h.say(7, 8)
	more = h.on(t, more.NextPageToken)
	is.Equal(messages(more), "7")
	is.Equal(messages(h.on(t, more.PreviousPageToken)), "4 5 6")
	is.Equal(messages(h.on(t, none.NextPageToken)), "0 1") // from when there was nothing
	// With since the oldest come first.
	first := h.read(t, &pb.Criteria{PageSize: 3, Since: timestamppb.New(began.AsTime().Add(time.Second)), Until: timestamppb.New(began.AsTime().Add(5 * time.Second))})
	is.Equal(messages(first), "1 2 3")
	next := h.on(t, first.NextPageToken)
	is.Equal(messages(next), "4 5")
	is.Equal(messages(h.on(t, next.NextPageToken)), "")
	is.Equal(messages(h.on(t, first.PreviousPageToken)), "")
	is.Equal(messages(h.read(t, &pb.Criteria{PageSize: 2, Until: timestamppb.New(began.AsTime().Add(5 * time.Second))})), "4 5")
	one := int64(proto.Size(h.read(t, &pb.Criteria{MaxResponseSize: 1}).Entries[0])) + 4
	is.Equal(messages(h.read(t, &pb.Criteria{MaxResponseSize: 2 * one})), "6 7")
	is.Equal(messages(h.read(t, &pb.Criteria{MaxResponseSize: 1})), "7") // at least one

	for name, r := range map[string]*pb.ReadRequest{
		"page_token": {Selector: &pb.ReadRequest_PageToken{PageToken: "garbage"}},
		"selector":   {},
		"criteria.since": {Selector: &pb.ReadRequest_Criteria{Criteria: &pb.Criteria{LogGroupId: h.group, Since: timestamppb.New(began.AsTime().Add(time.Second)),
			Until: began}}},
		"criteria.until":  {Selector: &pb.ReadRequest_Criteria{Criteria: &pb.Criteria{LogGroupId: h.group, Until: &timestamppb.Timestamp{Seconds: 1 << 60}}}},
		"criteria.filter": {Selector: &pb.ReadRequest_Criteria{Criteria: &pb.Criteria{LogGroupId: h.group, Filter: "level >"}}},
	} {
		_, err := h.reading.Read(t.Context(), r)
		is.Equal(status.Code(err), codes.InvalidArgument)
		is.True(strings.Contains(err.Error(), name+": "))
	}
	_, err := h.reading.Read(t.Context(), &pb.ReadRequest{Selector: &pb.ReadRequest_Criteria{Criteria: &pb.Criteria{LogGroupId: "e23none"}}})
	is.Equal(status.Code(err), codes.NotFound)
}

func TestCriteria(t *testing.T) {
	h := open(t, nil)
	for i, e := range []logging.Entry{
		{ResourceType: "serverless.apigateway", ResourceID: "d5d1", Level: "INFO"},
		{ResourceType: "serverless.apigateway", ResourceID: "d5d2", Level: "ERROR", Payload: map[string]any{"code": 502}},
		{ResourceType: "serverless.function", ResourceID: "d4e1", Level: "DEBUG", StreamName: "s"},
	} {
		e.GroupID, e.Message = h.group, fmt.Sprint(i)
		h.log.Write(e)
	}
	for want, c := range map[string]*pb.Criteria{
		"0 1 2": {},
		"0 1":   {ResourceTypes: []string{"serverless.apigateway"}},
		"1 2":   {ResourceIds: []string{"d5d2", "d4e1"}},
		"2":     {StreamNames: []string{"s"}},
		"0":     {Levels: []pb.LogLevel_Level{pb.LogLevel_INFO, pb.LogLevel_FATAL}},
		"1":     {Filter: "code = 502", ResourceTypes: []string{"serverless.apigateway"}},
		"":      {Filter: "code = 502", Levels: []pb.LogLevel_Level{pb.LogLevel_INFO}},
	} {
		is.New(t).Equal(messages(h.read(t, c)), want)
	}
}

func TestTheOldestGoesFirst(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, func(_ *logging.Options, o *logging.LogOptions) { o.Entries = 3 })
	h.say(0, 5)
	is.Equal(messages(h.read(t, &pb.Criteria{})), "2 3 4")
	h.log.Write(logging.Entry{GroupID: h.group, Time: h.clock.Now().Add(-1500 * time.Millisecond), Message: "between"})
	is.Equal(messages(h.read(t, &pb.Criteria{})), "3 between 4")
	h.log.Write(logging.Entry{GroupID: h.group, Time: h.clock.Now().Add(-time.Hour), Message: "too old"})
	is.Equal(messages(h.read(t, &pb.Criteria{})), "3 between 4")

	h = open(t, nil, func(_ *logging.Options, o *logging.LogOptions) { o.Bytes = 10_000 })
	h.say(0, 5)
	h.log.Write(logging.Entry{GroupID: h.group, Message: "x", Payload: map[string]any{"big": []any{strings.Repeat("x", 9_000)}}})
	is.Equal(messages(h.read(t, &pb.Criteria{})), "4 x")
	h.log.Write(logging.Entry{GroupID: h.group, Message: strings.Repeat("x", 10_000)}) // larger than all there may be
	is.Equal(messages(h.read(t, &pb.Criteria{})), "")
}

func TestManyWriteAndRead(t *testing.T) {
	h := open(t, nil, func(_ *logging.Options, o *logging.LogOptions) { o.Entries = 500 })
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 1000 {
				h.log.Write(logging.Entry{GroupID: h.group, Time: h.clock.Now().Add(time.Duration(i%7) * time.Second), Message: fmt.Sprint(w)})
			}
		})
		all.Go(func() {
			for range 20 {
				got := h.read(t, &pb.Criteria{PageSize: 1000})
				if !slices.IsSortedFunc(got.Entries, func(a, b *pb.LogEntry) int { return a.Timestamp.AsTime().Compare(b.Timestamp.AsTime()) }) {
					t.Error("the entries are not in order")
				}
			}
		})
	}
	all.Wait()
	is.New(t).Equal(len(h.read(t, &pb.Criteria{PageSize: 1000}).Entries), 500)
}

func TestWrite(t *testing.T) {
	is := is.New(t)
	h := open(t, nil, func(o *logging.Options, _ *logging.LogOptions) {
		o.Folder = func(_ context.Context, id string) error {
			if id == "nowhere" {
				return status.Error(codes.NotFound, "no folder")
			}
			return nil
		}
	})
	now := h.clock.Now()
	payload, err := structpb.NewStruct(map[string]any{"a": 1, "b": 1})
	is.NoErr(err)
	own, err := structpb.NewStruct(map[string]any{"b": 2})
	is.NoErr(err)
	write := func(d *pb.Destination) (*pb.WriteResponse, error) {
		return h.writing.Write(t.Context(), &pb.WriteRequest{
			Destination: d, Resource: &pb.LogEntryResource{Type: "mine", Id: "1"}, Defaults: &pb.LogEntryDefaults{Level: pb.LogLevel_INFO, JsonPayload: payload, StreamName: "s"},
			Entries: []*pb.IncomingLogEntry{
				{Timestamp: timestamppb.New(now), Message: "one"},
				{Timestamp: timestamppb.New(now.AddDate(0, 0, -30)), Message: "old"},
				{Timestamp: timestamppb.New(now.AddDate(0, 0, 1)), Message: "early"},
				{Timestamp: timestamppb.New(now), Message: "two", Level: pb.LogLevel_FATAL, JsonPayload: own, StreamName: "t"},
			},
		})
	}
	other := h.service.DefaultGroup("another")
	is.True(other != h.group && len(other) == 20)
	for group, d := range map[string]*pb.Destination{
		h.group: {Destination: &pb.Destination_LogGroupId{LogGroupId: h.group}},
		other:   {Destination: &pb.Destination_FolderId{FolderId: "another"}},
	} {
		told, err := write(d)
		is.NoErr(err)
		is.Equal(len(told.Errors), 2)
		is.Equal([]int32{told.Errors[1].GetCode(), told.Errors[2].GetCode()}, []int32{3, 3})
		got := h.read(t, &pb.Criteria{LogGroupId: group}).Entries
		is.Equal(len(got), 2)
		is.Equal([]any{got[0].Message, got[0].Level, got[0].StreamName}, []any{"one", pb.LogLevel_INFO, "s"})
		is.Equal([]any{got[1].Message, got[1].Level, got[1].StreamName, got[1].Resource.Type}, []any{"two", pb.LogLevel_FATAL, "t", "mine"})
		is.Equal([]any{got[1].JsonPayload.AsMap()["a"], got[1].JsonPayload.AsMap()["b"]}, []any{1.0, 2.0})
	}
	_, err = write(&pb.Destination{Destination: &pb.Destination_LogGroupId{LogGroupId: "e23none"}})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = write(&pb.Destination{Destination: &pb.Destination_FolderId{FolderId: "nowhere"}})
	is.Equal(status.Code(err), codes.NotFound)
}

func made(t *testing.T, op *operation.Operation, err error) *pb.LogGroup {
	t.Helper()
	is := is.New(t)
	is.NoErr(err)
	g := &pb.LogGroup{}
	is.NoErr(op.GetResponse().UnmarshalTo(g))
	return g
}

func TestGroups(t *testing.T) {
	is := is.New(t)
	values := journal.NewMemory(journal.MemoryOptions{})
	h := open(t, values)
	list, err := h.List(t.Context(), &pb.ListLogGroupsRequest{FolderId: yandex.FolderID, Filter: `name="default"`})
	is.NoErr(err)
	is.True(len(list.Groups) == 1 && list.Groups[0].Id == h.group && list.Groups[0].Status == pb.LogGroup_ACTIVE)
	op, err := h.Create(t.Context(), &pb.CreateLogGroupRequest{FolderId: yandex.FolderID, Name: "mine", RetentionPeriod: durationpb.New(time.Hour)})
	g := made(t, op, err)
	is.True(op.Metadata.MessageIs(&pb.CreateLogGroupMetadata{}) && g.Name == "mine" && g.RetentionPeriod.AsDuration() == time.Hour)
	op, err = h.Update(t.Context(), &pb.UpdateLogGroupRequest{LogGroupId: g.Id, Name: "new", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"name"}}})
	g = made(t, op, err)
	is.True(g.Name == "new" && g.RetentionPeriod.AsDuration() == time.Hour)
	h.log.Write(logging.Entry{GroupID: g.Id, ResourceType: "b", ResourceID: "2"})
	h.log.Write(logging.Entry{GroupID: g.Id, ResourceType: "a", ResourceID: "1"})
	h.log.Write(logging.Entry{GroupID: g.Id, ResourceType: "a", ResourceID: "1"})
	h.log.Write(logging.Entry{GroupID: g.Id})
	stats, err := h.Stats(t.Context(), &pb.GetLogGroupStatsRequest{LogGroupId: g.Id})
	is.NoErr(err)
	is.True(stats.Records == 4 && stats.Bytes > 0)
	who, err := h.ListResources(t.Context(), &pb.ListResourcesRequest{LogGroupId: g.Id})
	is.NoErr(err)
	is.True(proto.Equal(who, &pb.ListResourcesResponse{Resources: []*pb.LogGroupResource{{Type: "a", Ids: []string{"1"}}, {Type: "b", Ids: []string{"2"}}}}))
	ops, err := h.ListOperations(t.Context(), &pb.ListOperationsRequest{LogGroupId: g.Id})
	is.NoErr(err)
	is.Equal(len(ops.Operations), 2)
	_, err = h.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: g.Id, AccessBindings: []*access.AccessBinding{{RoleId: "logging.writer", Subject: &access.Subject{Id: "aje1", Type: "serviceAccount"}}}})
	is.NoErr(err)
	bound, err := h.ListAccessBindings(t.Context(), &access.ListAccessBindingsRequest{ResourceId: g.Id})
	is.NoErr(err)
	is.Equal(len(bound.AccessBindings), 1)

	for code, r := range map[codes.Code]*pb.CreateLogGroupRequest{
		codes.AlreadyExists:   {FolderId: yandex.FolderID, Name: "default"},
		codes.Unimplemented:   {FolderId: yandex.FolderID, DataStream: "s"},
		codes.InvalidArgument: {FolderId: yandex.FolderID, RetentionPeriod: durationpb.New(-time.Hour)},
	} {
		_, err := h.Create(t.Context(), r)
		is.Equal(status.Code(err), code)
	}

	h = open(t, values) // groups are kept, entries are not
	got, err := h.Get(t.Context(), &pb.GetLogGroupRequest{LogGroupId: g.Id})
	is.NoErr(err)
	is.True(proto.Equal(got, g))
	h.log.Write(logging.Entry{GroupID: g.Id})
	h.log.Write(logging.Entry{GroupID: h.group})
	_, err = h.Delete(t.Context(), &pb.DeleteLogGroupRequest{LogGroupId: g.Id})
	is.NoErr(err)
	_, err = h.Get(t.Context(), &pb.GetLogGroupRequest{LogGroupId: g.Id})
	is.Equal(status.Code(err), codes.NotFound)
	is.Equal(len(h.read(t, &pb.Criteria{}).Entries), 1)
	_, err = h.Delete(t.Context(), &pb.DeleteLogGroupRequest{LogGroupId: h.group})
	is.Equal(status.Code(err), codes.Unimplemented)
}

func TestWhoMayReadAndWrite(t *testing.T) {
	is := is.New(t)
	var asked []string
	h := open(t, nil, func(o *logging.Options, _ *logging.LogOptions) {
		o.Authorize = func(_ context.Context, role string, on ...string) error {
			asked = append(asked, role+" on "+strings.Join(on, ","))
			return status.Error(codes.PermissionDenied, "no")
		}
	})
	calls := []func() error{
		func() error {
			_, err := h.reading.Read(t.Context(), &pb.ReadRequest{Selector: &pb.ReadRequest_Criteria{Criteria: &pb.Criteria{LogGroupId: h.group}}})
			return err
		},
		func() error {
			_, err := h.writing.Write(t.Context(), &pb.WriteRequest{Destination: &pb.Destination{Destination: &pb.Destination_LogGroupId{LogGroupId: h.group}},
				Resource: &pb.LogEntryResource{Type: "a"}, Entries: []*pb.IncomingLogEntry{{Timestamp: timestamppb.New(h.clock.Now())}}})
			return err
		},
		func() error { _, err := h.Get(t.Context(), &pb.GetLogGroupRequest{LogGroupId: h.group}); return err },
		func() error {
			_, err := h.Delete(t.Context(), &pb.DeleteLogGroupRequest{LogGroupId: h.group})
			return err
		},
		func() error {
			_, err := h.SetAccessBindings(t.Context(), &access.SetAccessBindingsRequest{ResourceId: h.group})
			return err
		},
	}
	for _, call := range calls {
		is.Equal(status.Code(call()), codes.PermissionDenied)
	}
	on := " on " + h.group + "," + yandex.FolderID
	is.Equal(asked, []string{"logging.reader" + on, "logging.writer" + on, "logging.viewer" + on, "logging.editor" + on, "logging.admin" + on})
}

// BenchmarkRead reads a page from a full log, of which a filter has to look at every entry.
func BenchmarkRead(b *testing.B) {
	h := open(b, nil)
	for i := range 100_000 {
		h.log.Write(logging.Entry{GroupID: h.group, ResourceType: "serverless.apigateway", ResourceID: "d5d" + fmt.Sprint(i%10), Level: "INFO",
			Message: "GET /ws 200", Payload: map[string]any{"code": 200, "request_id": fmt.Sprint(i), "path": "/ws"}})
	}
	for name, c := range map[string]*pb.Criteria{
		"last":   {ResourceIds: []string{"d5d1"}},
		"absent": {ResourceIds: []string{"d5dnone"}},
		"filter": {Filter: `json_payload: "absent" OR code > 500 OR message: nothing`},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				h.read(b, c)
			}
		})
	}
}

// Whoever may do nothing is told of a folder that is not there as everybody is.
func TestAnUnknownFolder(t *testing.T) {
	is := is.New(t)
	store := resource.New(resource.Options{})
	bindings, err := resource.OpenBindings(t.Context(), store)
	is.NoErr(err)
	s, err := logging.New(t.Context(), logging.Options{
		Store: store, Bindings: bindings, Log: logging.NewLog(logging.LogOptions{}),
		Authorize: func(context.Context, string, ...string) error { return status.Error(codes.PermissionDenied, "no") },
		Folder: func(_ context.Context, id string) error {
			if id != "folder" {
				return status.Error(codes.NotFound, "no folder")
			}
			return nil
		},
	})
	is.NoErr(err)
	_, err = s.List(t.Context(), &pb.ListLogGroupsRequest{FolderId: "nope"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = s.Create(t.Context(), &pb.CreateLogGroupRequest{FolderId: "nope"})
	is.Equal(status.Code(err), codes.NotFound)
	_, err = s.List(t.Context(), &pb.ListLogGroupsRequest{FolderId: "folder"})
	is.Equal(status.Code(err), codes.PermissionDenied)
}
