package yc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/operation"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// action is a command that fills a request from its flags and calls.
type action struct {
	use, short string
	fields     []field
	// ready, if set, is told of the filled request before it is sent, and of the fields that were given. What it adds to an update
	// it returns the paths of.
	ready func(ctx context.Context, c *cobra.Command, req protoreflect.Message, given []string) ([]string, error)
}

const asyncUse = "do not wait for the operation to end, print it"

// describedFields are those that nearly every resource has.
func describedFields() []field {
	return []field{
		{flag: "description", path: "description", use: "description"},
		{flag: "labels", path: "labels", use: "labels"},
	}
}

func targetFlags(c *cobra.Command, r resource, t *target) {
	c.Flags().StringVar(&t.id, "id", "", r.noun+" by id")
	if !r.unnamed {
		c.Flags().StringVar(&t.name, "name", "", r.noun+" by name")
	}
}

// argumentUse is the place of the resource in a command's usage line.
func (r resource) argumentUse() string {
	noun := strings.ToUpper(strings.ReplaceAll(r.noun, " ", "-"))
	if r.unnamed {
		return "<" + noun + "-ID>"
	}
	return "<" + noun + "-NAME>|<" + noun + "-ID>"
}

// create makes the command that calls Create, or another method that makes something.
func (s *session) create(method string, a action) *cobra.Command {
	d := describe(method)
	named := has(d.Input(), "name")
	c := &cobra.Command{Use: a.use, Short: a.short, Args: cobra.NoArgs}
	if named {
		c.Use += " [NAME]"
		c.Args = cobra.MaximumNArgs(1)
		a.fields = append([]field{{flag: "name", path: "name", use: "name"}}, a.fields...)
	}
	flags := settings(c, d.Input(), a.fields)
	async := asyncFlag(c, d)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		req := fresh(d.Input())
		given, err := s.fill(ctx, req, flags)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			if slices.Contains(given, "name") {
				return fmt.Errorf("the name is given twice: %s and --name", args[0])
			}
			setString(req, "name", args[0])
		}
		if has(d.Input(), "folder_id") {
			folder, err := s.folderID(ctx)
			if err != nil {
				return err
			}
			setString(req, "folder_id", folder)
		}
		if a.ready != nil {
			if _, err := a.ready(ctx, c, req, given); err != nil {
				return err
			}
		}
		return s.do(ctx, method, req.Interface(), *async)
	}
	return c
}

// asyncFlag adds --async to a command whose method begins an operation.
func asyncFlag(c *cobra.Command, d protoreflect.MethodDescriptor) *bool {
	async := new(bool)
	if begins(d) {
		c.Flags().BoolVar(async, "async", false, asyncUse)
	}
	return async
}

// update makes the command that calls Update with a mask of what was given. Of a field that is a message in itself, the part that
// was not given stays as it is.
func (s *session) update(r resource, a action) *cobra.Command {
	method := r.method("Update")
	d := describe(method)
	c := &cobra.Command{Use: a.use + " " + r.argumentUse(), Short: a.short, Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	flags := settings(c, d.Input(), a.fields)
	async := asyncFlag(c, d)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		ids, err := s.pick(ctx, r, t, args)
		if err != nil {
			return err
		}
		req := r.request("Update", ids[0])
		if err := s.keep(ctx, r, req, flags); err != nil {
			return err
		}
		given, err := s.fill(ctx, req, flags)
		if err != nil {
			return err
		}
		if a.ready != nil {
			more, err := a.ready(ctx, c, req, given)
			if err != nil {
				return err
			}
			given = append(given, more...)
		}
		if len(given) == 0 {
			return fmt.Errorf("nothing to change is given; see `%s --help`", c.CommandPath())
		}
		setMask(req, given)
		return s.do(ctx, method, req.Interface(), *async)
	}
	return c
}

// setMask names what an update changes: whole fields of the resource, since that is what the request has.
func setMask(req protoreflect.Message, given []string) {
	var mask fieldmaskpb.FieldMask
	for _, path := range given {
		top, _, _ := strings.Cut(path, ".")
		if !slices.Contains(mask.Paths, top) {
			mask.Paths = append(mask.Paths, top)
		}
	}
	req.Set(req.Descriptor().Fields().ByName("update_mask"), protoreflect.ValueOfMessage(mask.ProtoReflect()))
}

// keep copies the present value of fields of which only a part is given.
func (s *session) keep(ctx context.Context, r resource, req protoreflect.Message, flags []*setting) error {
	var current protoreflect.Message
	for _, set := range flags {
		top, _, deep := strings.Cut(set.path, ".")
		if !deep || len(set.texts) == 0 {
			continue
		}
		if current == nil {
			got, err := s.call(ctx, r.method("Get"), r.request("Get", getString(req, r.id)).Interface())
			if err != nil {
				return err
			}
			current = got.ProtoReflect()
		}
		copyField(req, current, top)
	}
	return nil
}

// copyField copies a field into one of the same name and type.
func copyField(to, from protoreflect.Message, name string) {
	source := from.Descriptor().Fields().ByName(protoreflect.Name(name))
	if source != nil && from.Has(source) {
		to.Set(to.Descriptor().Fields().ByName(protoreflect.Name(name)), from.Get(source))
	}
}

// act makes a command about resources named by its arguments: get, delete, pause…
func (s *session) act(r resource, use, method, short string, a action) *cobra.Command {
	method = r.method(method)
	d := describe(method)
	name := string(d.Name())
	c := &cobra.Command{Use: use + " " + r.argumentUse() + "…", Short: short, Args: cobra.ArbitraryArgs}
	var t target
	targetFlags(c, r, &t)
	flags := settings(c, d.Input(), a.fields)
	async := asyncFlag(c, d)
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		ids, err := s.pick(ctx, r, t, args)
		if err != nil {
			return err
		}
		for _, id := range ids {
			req := fresh(d.Input())
			setString(req, r.id, id)
			given, err := s.fill(ctx, req, flags)
			if err != nil {
				return err
			}
			if a.ready != nil {
				if _, err := a.ready(ctx, c, req, given); err != nil {
					return err
				}
			}
			res, err := s.call(ctx, method, req.Interface())
			if err != nil {
				return err
			}
			if op, ok := res.(*operation.Operation); ok && strings.HasPrefix(name, "Delete") && !*async {
				_, err = s.wait(ctx, op) // what is gone is not printed, whatever the response
			} else {
				err = s.finish(ctx, res, *async)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

func (s *session) get(r resource) *cobra.Command {
	return s.act(r, "get", "Get", "Show a "+r.noun, action{})
}

func (s *session) remove(r resource) *cobra.Command {
	return s.act(r, "delete", "Delete", "Delete a "+r.noun, action{})
}

const limitDefault = 1000

// list makes the command that lists a resource.
func (s *session) list(r resource, fields ...field) *cobra.Command {
	method := r.method("List")
	c := &cobra.Command{Use: "list", Short: "List " + plural(r.noun), Args: cobra.NoArgs}
	flags := settings(c, describe(method).Input(), fields)
	limit := c.Flags().Int("limit", limitDefault, "at most so many")
	c.RunE = func(c *cobra.Command, _ []string) error {
		ctx := c.Context()
		m := fresh(describe(method).Input())
		given, err := s.fill(ctx, m, flags)
		if err != nil {
			return err
		}
		if len(given) == 0 || r.parent != "" {
			base, err := s.listRequest(ctx, r)
			if err != nil {
				return err
			}
			proto.Merge(m.Interface(), base.Interface())
		}
		return s.showPages(ctx, method, m, *limit, r.columns)
	}
	return c
}

func plural(noun string) string {
	if stem, y := strings.CutSuffix(noun, "y"); y && !strings.HasSuffix(noun, "ay") && !strings.HasSuffix(noun, "ey") {
		return stem + "ies"
	}
	return noun + "s"
}

func (s *session) showPages(ctx context.Context, method string, m protoreflect.Message, limit int, columns []column) error {
	if limit < 1 {
		return fmt.Errorf("--limit %d: want 1 or more", limit)
	}
	found, err := s.pages(ctx, method, m, limit)
	if err != nil {
		return err
	}
	return s.printList(found, columns)
}

// listOf makes a command that lists what belongs to one resource: its operations, its access bindings.
func (s *session) listOf(r resource, use, name, short string, columns []column) *cobra.Command {
	method := r.method(name)
	c := &cobra.Command{Use: use + " " + r.argumentUse(), Short: short, Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	limit := c.Flags().Int("limit", limitDefault, "at most so many")
	c.RunE = func(c *cobra.Command, args []string) error {
		ids, err := s.pick(c.Context(), r, t, args)
		if err != nil {
			return err
		}
		return s.showPages(c.Context(), method, r.request(name, ids[0]), *limit, columns)
	}
	return c
}

func (s *session) listOperations(r resource) *cobra.Command {
	return s.listOf(r, "list-operations", "ListOperations", "List what was done to a "+r.noun, operationColumns())
}

func operationColumns() []column {
	return []column{
		{title: "ID", path: "id"}, {title: "CREATED AT", path: "created_at"}, {title: "CREATED BY", path: "created_by"},
		{title: "MODIFIED AT", path: "modified_at"}, {title: "STATUS", text: operationStatus}, {title: "DESCRIPTION", path: "description"},
	}
}

func operationStatus(m protoreflect.Message) string {
	switch op := m.Interface().(*operation.Operation); {
	case !op.GetDone():
		return "RUNNING"
	case op.GetError() != nil:
		return "ERROR"
	}
	return "DONE"
}
