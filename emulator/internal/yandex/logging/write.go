package logging

import (
	"cmp"
	"context"
	"maps"
	"time"

	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/logging/v1"
)

const (
	writer = "logging.writer"

	oldest   = 30 * 24 * time.Hour
	earliest = 24 * time.Hour // before its time
)

// ingester is the LogIngestionService.
type ingester struct {
	pb.UnimplementedLogIngestionServiceServer
	service *Service
}

// Write adds entries to a log group; those whose time is too far away are named and left out.
func (i *ingester) Write(ctx context.Context, r *pb.WriteRequest) (*pb.WriteResponse, error) {
	group, err := i.destination(ctx, r.Destination)
	if err != nil {
		return nil, err
	}
	out := &pb.WriteResponse{}
	now := i.service.o.Store.Now().AsTime()
	for n, e := range r.Entries {
		at := e.Timestamp.AsTime()
		if age := now.Sub(at); !e.Timestamp.IsValid() || age >= oldest || age <= -earliest {
			if out.Errors == nil {
				out.Errors = make(map[int64]*status.Status)
			}
			out.Errors[int64(n)] = &status.Status{Code: int32(codes.InvalidArgument),
				Message: "timestamp: got " + at.Format(time.RFC3339) + ", want less than 30 days ago and less than 1 day ahead"}
			continue
		}
		payload := r.Defaults.GetJsonPayload().AsMap()
		maps.Copy(payload, e.JsonPayload.AsMap())
		i.service.o.Log.Write(Entry{
			GroupID: group, ResourceType: r.Resource.GetType(), ResourceID: r.Resource.GetId(), StreamName: cmp.Or(e.StreamName, r.Defaults.GetStreamName()),
			Time: at, Level: cmp.Or(e.Level, r.Defaults.GetLevel()).String(), Message: e.Message, Payload: payload,
		})
	}
	return out, nil
}

// destination finds the group to which the caller may write.
func (i *ingester) destination(ctx context.Context, d *pb.Destination) (string, error) {
	s := i.service
	switch to := d.GetDestination().(type) {
	case *pb.Destination_LogGroupId:
		_, err := s.group(ctx, writer, to.LogGroupId)
		return to.LogGroupId, err
	case *pb.Destination_FolderId:
		if err := s.inFolder(ctx, writer, to.FolderId); err != nil {
			return "", err
		}
		return s.DefaultGroup(to.FolderId), nil
	}
	return "", resource.Invalid("destination", "got nothing, want one of log_group_id, folder_id")
}
