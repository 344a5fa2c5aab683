package resource

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// defaultPage is how many resources a page has when the request does not say; maxPage is the most it may say.
const (
	defaultPage = 100
	maxPage     = 1000
)

// ListRequest is what the requests of all lists have; those that have a filter too are filtered by it.
type ListRequest interface {
	GetPageSize() int64
	GetPageToken() string
}

// List picks the page of a list that the request asks for, and returns the token of the next one. The items are in the order of their
// creation, or, those that do not tell it, of their ids or names; a token stays good while others are made and deleted.
func List[M proto.Message](items []M, r ListRequest) (page []M, next string, err error) {
	keep, filter := func(proto.Message) bool { return true }, ""
	if f, ok := r.(interface{ GetFilter() string }); ok && f.GetFilter() != "" {
		var m M
		filter = f.GetFilter()
		if keep, err = Filter(m.ProtoReflect().Descriptor(), filter); err != nil {
			return nil, "", err
		}
	}
	size, err := pageSize(r)
	if err != nil {
		return nil, "", err
	}
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(filter)) // it does not fail
	// A page token is which filter the resources passed, and the place of the last of the page. Protos allow it 100 characters, which
	// is enough for an id of 50.
	sum := hash.Sum(nil)
	if r.GetPageToken() != "" {
		after, err := base64.RawURLEncoding.DecodeString(r.GetPageToken())
		if err != nil || len(after) < len(sum) {
			return nil, "", unknownToken()
		}
		last, same := bytes.CutPrefix(after, sum)
		if !same {
			return nil, "", Invalid("page_token", "got the token of a list with another filter, want the same filter for all pages")
		}
		items = items[follow(items, string(last)):]
	}
	for _, m := range items {
		if !keep(m) {
			continue
		}
		if len(page) == size {
			return page, base64.RawURLEncoding.EncodeToString(append(sum, place(page[size-1])...)), nil
		}
		page = append(page, m)
	}
	return page, "", nil
}

// pageSize is how many a page is to have.
func pageSize(r ListRequest) (int, error) {
	switch size := r.GetPageSize(); {
	case size < 0 || size > maxPage:
		return 0, Invalid("page_size", fmt.Sprintf("got %d, want 0 to %d", size, maxPage))
	case size > 0:
		return int(size), nil
	}
	return defaultPage, nil
}

func unknownToken() error {
	return Invalid("page_token", "got what no list has returned, want the next_page_token of the page before")
}

// follow is the index of the first item after the one that was at a place, which may be gone by now. Lists begin with the oldest
// resource, those of operations with the newest.
func follow[M proto.Message](items []M, last string) int {
	if i := slices.IndexFunc(items, func(m M) bool { return place(m) == last }); i >= 0 {
		return i + 1
	}
	newestFirst := len(items) > 1 && place(items[0]) > place(items[len(items)-1])
	i := slices.IndexFunc(items, func(m M) bool { return place(m) > last != newestFirst })
	if i < 0 {
		return len(items)
	}
	return i
}

// place orders resources as All does: strings of one width for the time compare as the times do.
func place(m proto.Message) string {
	id := field(m, "id")
	if id == "" {
		id = field(m, "name")
	}
	at := created(m)
	return fmt.Sprintf("%012x%08x%s", at.Unix()-time.Time{}.Unix(), at.Nanosecond(), id)
}

// Invalid is INVALID_ARGUMENT about one field of a request, named as in the proto.
func Invalid(field, description string) error {
	return InvalidFields(Violation{field, description})
}

// Violation is what is wrong with one field of a request.
type Violation struct{ Field, Description string }

// InvalidFields is INVALID_ARGUMENT that names every field at fault.
func InvalidFields(vs ...Violation) error {
	texts := make([]string, len(vs))
	bad := &errdetails.BadRequest{}
	for i, v := range vs {
		texts[i] = v.Field + ": " + v.Description
		bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
	}
	s := status.New(codes.InvalidArgument, strings.Join(texts, "; "))
	if with, err := s.WithDetails(bad); err == nil {
		s = with
	}
	return s.Err()
}
