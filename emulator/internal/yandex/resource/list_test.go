package resource_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/matryer/is"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
	triggers "github.com/yandex-cloud/go-genproto/yandex/cloud/serverless/triggers/v2"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

func list(t *testing.T, c *resource.Collection[*triggers.Trigger], r *triggers.ListTriggersRequest) ([]string, string) {
	t.Helper()
	page, next, err := resource.List(c.Messages(nil), r)
	is.New(t).NoErr(err)
	return ids(page), next
}

func TestListGoesByPages(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	// The order is that of creation, then of ids.
	put(t, c, made("a1sz", "", "", 1), made("a1sb", "", "", 2), made("a1sa", "", "", 2), made("a1sy", "", "", 3))
	page, next := list(t, c, &triggers.ListTriggersRequest{PageSize: 3})
	is.Equal(page, []string{"a1sz", "a1sa", "a1sb"})
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 3, PageToken: next})
	is.Equal(page, []string{"a1sy"})
	is.Equal(next, "")
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 4})
	is.Equal(len(page), 4)
	is.Equal(next, "") // there is nothing behind
}

func TestPagesWhileOthersComeAndGo(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	for i := range 6 {
		put(t, c, made(fmt.Sprintf("a1s%d", i), "", "", 10*i))
	}
	page, next := list(t, c, &triggers.ListTriggersRequest{PageSize: 2})
	is.Equal(page, []string{"a1s0", "a1s1"})
	// The last of the page goes, as does the next one, and others come before and behind.
	is.NoErr(c.Delete(t.Context(), "a1s1"))
	is.NoErr(c.Delete(t.Context(), "a1s2"))
	put(t, c, made("a1sbefore", "", "", 5), made("a1sbehind", "", "", 35))
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 2, PageToken: next})
	is.Equal(page, []string{"a1s3", "a1sbehind"})
	for _, id := range []string{"a1sbehind", "a1s4", "a1s5"} {
		is.NoErr(c.Delete(t.Context(), id))
	}
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 2, PageToken: next})
	is.Equal(page, []string{})
	is.Equal(next, "")
}

// Some resources, such as those a file declares, do not say when they were made.
func TestPagesOfWhatHasNoDate(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	put(t, c, &triggers.Trigger{Id: "a1sa"}, &triggers.Trigger{Id: "a1sb"}, made("a1s0", "", "", 0))
	var all []string
	for token := ""; ; {
		page, next := list(t, c, &triggers.ListTriggersRequest{PageSize: 1, PageToken: token})
		all = append(all, page...)
		if token = next; token == "" {
			break
		}
	}
	is.Equal(all, []string{"a1sa", "a1sb", "a1s0"})
}

// Lists of operations begin with the newest.
func TestPagesOfTheNewestFirst(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	for i := range 5 {
		put(t, c, made(fmt.Sprintf("a1s%d", i), "", "", i))
	}
	all := c.Messages(nil)
	slices.Reverse(all)
	page, next, err := resource.List(all, &triggers.ListTriggersRequest{PageSize: 2})
	is.NoErr(err)
	is.Equal(ids(page), []string{"a1s4", "a1s3"})
	all = append([]*triggers.Trigger{made("a1snew", "", "", 9)}, slices.Delete(all, 1, 2)...) // one has come, the last of the page has gone
	page, next, err = resource.List(all, &triggers.ListTriggersRequest{PageSize: 2, PageToken: next})
	is.NoErr(err)
	is.Equal(ids(page), []string{"a1s2", "a1s1"})
	page, _, err = resource.List(all, &triggers.ListTriggersRequest{PageSize: 2, PageToken: next})
	is.NoErr(err)
	is.Equal(ids(page), []string{"a1s0"})
}

func TestThePageSize(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	for i := range 101 {
		put(t, c, made(fmt.Sprintf("a1s%03d", i), "", "", i))
	}
	page, next := list(t, c, &triggers.ListTriggersRequest{})
	is.Equal(len(page), 100)
	is.True(next != "")
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 1000})
	is.Equal(len(page), 101)
	is.Equal(next, "")
	for _, size := range []int64{-1, 1001} {
		_, _, err := resource.List(c.Messages(nil), &triggers.ListTriggersRequest{PageSize: size})
		wrong(t, err, "page_size")
	}
}

// Protos allow a page token 100 characters, and an id 50.
func TestAPageTokenFitsItsField(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	long := strings.Repeat("x", 49)
	put(t, c, made(long+"1", "", "", 1), made(long+"2", "", "", 2))
	page, next := list(t, c, &triggers.ListTriggersRequest{PageSize: 1, Filter: `name=""`})
	is.Equal(page, []string{long + "1"})
	is.True(len(next) <= 100)
	page, _ = list(t, c, &triggers.ListTriggersRequest{PageSize: 1, Filter: `name=""`, PageToken: next})
	is.Equal(page, []string{long + "2"})
}

func TestAPageTokenBelongsToItsList(t *testing.T) {
	is, c := is.New(t), openTriggers(t, nil)
	put(t, c, made("a1s1", "", "one", 1), made("a1s2", "", "one", 2), made("a1s3", "", "two", 3))
	page, next := list(t, c, &triggers.ListTriggersRequest{PageSize: 1, Filter: `name="one"`})
	is.Equal(page, []string{"a1s1"})
	for _, r := range []*triggers.ListTriggersRequest{
		{PageToken: next},
		{PageToken: next, Filter: `name="two"`},
		{PageToken: "mine"},
		{PageToken: "!"},
	} {
		_, _, err := resource.List(c.Messages(nil), r)
		wrong(t, err, "page_token")
	}
	page, next = list(t, c, &triggers.ListTriggersRequest{PageSize: 1, PageToken: next, Filter: `name="one"`})
	is.Equal(page, []string{"a1s2"})
	is.Equal(next, "") // what comes does not pass the filter
}

func TestAListSaysWhatIsWrongWithItsFilter(t *testing.T) {
	_, _, err := resource.List([]*triggers.Trigger{}, &triggers.ListTriggersRequest{Filter: "x"})
	wrong(t, err, "filter")
}

func TestBindings(t *testing.T) {
	is, j := is.New(t), keep(t)
	open := func() *resource.Bindings {
		b, err := resource.OpenBindings(t.Context(), newStore(j))
		is.NoErr(err)
		return b
	}
	bind := func(role, account string) *access.AccessBinding {
		return &access.AccessBinding{RoleId: role, Subject: &access.Subject{Id: account, Type: "serviceAccount"}}
	}
	add := func(b *access.AccessBinding) *access.AccessBindingDelta {
		return &access.AccessBindingDelta{Action: access.AccessBindingAction_ADD, AccessBinding: b}
	}
	remove := func(b *access.AccessBinding) *access.AccessBindingDelta {
		return &access.AccessBindingDelta{Action: access.AccessBindingAction_REMOVE, AccessBinding: b}
	}
	roles := func(b *resource.Bindings, id string) string {
		text := ""
		for _, a := range b.Of(id) {
			text += a.RoleId + ":" + a.Subject.Id + " "
		}
		return text
	}

	b := open()
	is.Equal(roles(b, "b1g1"), "")
	effective, err := b.Update(t.Context(), "b1g1", []*access.AccessBindingDelta{
		add(bind("viewer", "aje1")), add(bind("editor", "aje1")), add(bind("viewer", "aje1")), remove(bind("viewer", "aje2")),
	})
	is.NoErr(err)
	is.Equal(len(effective), 2) // the last two changed nothing
	is.Equal(roles(open(), "b1g1"), "viewer:aje1 editor:aje1 ")
	effective, err = b.Update(t.Context(), "b1g1", []*access.AccessBindingDelta{remove(bind("viewer", "aje1")), remove(bind("viewer", "aje1"))})
	is.NoErr(err)
	is.Equal(len(effective), 1)
	_, err = b.Update(t.Context(), "b1g1", []*access.AccessBindingDelta{add(bind("admin", "aje1")), {AccessBinding: bind("viewer", "aje3")}})
	wrong(t, err, "access_binding_deltas[1].action")
	is.Equal(roles(open(), "b1g1"), "editor:aje1 ") // and nothing of it was done

	is.NoErr(b.Set(t.Context(), "b1g1", []*access.AccessBinding{bind("admin", "aje1"), bind("admin", "aje1"), bind("admin", "aje2"), bind("viewer", "aje2")}))
	is.Equal(roles(open(), "b1g1"), "admin:aje1 admin:aje2 viewer:aje2 ")
	is.Equal(roles(b, "b1g2"), "")
	viewer := func(a *access.AccessBinding) bool { return a.RoleId == "viewer" }
	is.True(b.Any("b1g1", viewer))
	is.True(!b.Any("b1g2", viewer))

	is.NoErr(b.Forget(t.Context(), "b1g1"))
	is.NoErr(b.Forget(t.Context(), "b1g1"))
	is.Equal(roles(open(), "b1g1"), "")
}

func TestPagesOfBindings(t *testing.T) {
	is := is.New(t)
	b, err := resource.OpenBindings(t.Context(), newStore(nil))
	is.NoErr(err)
	bind := func(role, account string) *access.AccessBinding {
		return &access.AccessBinding{RoleId: role, Subject: &access.Subject{Id: account, Type: "serviceAccount"}}
	}
	list := func(size int64, token string) (text, next string) {
		t.Helper()
		r, err := b.List(&access.ListAccessBindingsRequest{ResourceId: "b1g1", PageSize: size, PageToken: token})
		is.NoErr(err)
		for _, a := range r.AccessBindings {
			text += a.RoleId + ":" + a.Subject.Id + " "
		}
		return text, r.NextPageToken
	}
	is.NoErr(b.Set(t.Context(), "b1g1", []*access.AccessBinding{
		bind("viewer", "aje1"), bind("admin", "aje2"), bind("editor", "aje1"), bind("admin", "aje1"),
	}))
	page, next := list(2, "")
	is.Equal(page, "admin:aje1 admin:aje2 ")
	// Both of the page go, and one comes behind: none of the others is passed over, none is told twice.
	is.NoErr(b.Set(t.Context(), "b1g1", []*access.AccessBinding{bind("viewer", "aje1"), bind("editor", "aje2"), bind("editor", "aje1")}))
	page, next = list(2, next)
	is.Equal(page, "editor:aje1 editor:aje2 ")
	page, next = list(1, next)
	is.Equal(page, "viewer:aje1 ")
	is.Equal(next, "")
	page, next = list(3, "")
	is.Equal(page, "editor:aje1 editor:aje2 viewer:aje1 ")
	is.Equal(next, "") // there is nothing behind
	for _, token := range []string{"x", "-1", "9", "YQ", "!"} {
		_, err := b.List(&access.ListAccessBindingsRequest{ResourceId: "b1g1", PageToken: token})
		wrong(t, err, "page_token")
	}
	for _, size := range []int64{-1, 1001} {
		_, err := b.List(&access.ListAccessBindingsRequest{ResourceId: "b1g1", PageSize: size})
		wrong(t, err, "page_size")
	}
}

// Bindings that exist without any set-up stay as a client has left them.
func TestDefaultBindings(t *testing.T) {
	is, j := is.New(t), keep(t)
	start := func() *resource.Bindings {
		b, err := resource.OpenBindings(t.Context(), newStore(j))
		is.NoErr(err)
		b.Bind("b1g1", &access.AccessBinding{RoleId: "admin", Subject: &access.Subject{Id: "aje1", Type: "serviceAccount"}})
		return b
	}
	b := start()
	is.Equal(len(b.Of("b1g1")), 1)
	_, err := b.Update(t.Context(), "b1g1", []*access.AccessBindingDelta{{Action: access.AccessBindingAction_REMOVE, AccessBinding: b.Of("b1g1")[0]}})
	is.NoErr(err)
	is.Equal(len(start().Of("b1g1")), 0)
	is.NoErr(b.Forget(t.Context(), "b1g1"))
	is.Equal(len(start().Of("b1g1")), 0)
}

// What an operation tells of a change is the service's choice.
func TestTheAnswersOfBindings(t *testing.T) {
	is, s := is.New(t), newStore(nil)
	b, err := resource.OpenBindings(t.Context(), s)
	is.NoErr(err)
	viewer := &access.AccessBinding{RoleId: "viewer", Subject: &access.Subject{Id: "aje1", Type: "serviceAccount"}}
	set := &access.SetAccessBindingsRequest{ResourceId: "b1g1", AccessBindings: []*access.AccessBinding{viewer}}
	op, err := b.ServeSet(t.Context(), set, resource.Effective)
	is.NoErr(err)
	told := &access.AccessBindingsOperationResult{}
	is.NoErr(op.GetResponse().UnmarshalTo(told))
	is.Equal(len(told.EffectiveDeltas), 1)
	is.Equal(told.EffectiveDeltas[0].Action, access.AccessBindingAction_ADD)
	op, err = b.ServeSet(t.Context(), set, resource.Nothing)
	is.NoErr(err)
	is.True(op.GetResponse().MessageIs(&emptypb.Empty{}))
	op, err = b.ServeUpdate(t.Context(), &access.UpdateAccessBindingsRequest{ResourceId: "b1g1", AccessBindingDeltas: []*access.AccessBindingDelta{
		{Action: access.AccessBindingAction_REMOVE, AccessBinding: viewer},
	}}, resource.Nothing)
	is.NoErr(err)
	is.True(op.GetResponse().MessageIs(&emptypb.Empty{}))
	is.Equal(len(b.Of("b1g1")), 0)
	is.Equal(len(s.OperationsOn("b1g1")), 3)
}
