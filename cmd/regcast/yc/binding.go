package yc

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/yandex-cloud/go-genproto/yandex/cloud/access"
)

// bindings makes the commands about who may do what with a resource.
func (s *session) bindings(r resource) []*cobra.Command {
	return []*cobra.Command{
		s.listOf(r, "list-access-bindings", "ListAccessBindings", "List who may do what with a "+r.noun, []column{
			{title: "ROLE ID", path: "role_id"}, {title: "SUBJECT TYPE", path: "subject.type"}, {title: "SUBJECT ID", path: "subject.id"},
		}),
		s.changeBinding(r, "add-access-binding", "Give somebody a role on a "+r.noun, access.AccessBindingAction_ADD),
		s.changeBinding(r, "remove-access-binding", "Take a role on a "+r.noun+" from somebody", access.AccessBindingAction_REMOVE),
		s.setBindings(r),
	}
}

// subject is who has a role, in one of the flags' spellings.
type subject struct {
	role, subject, accountID, accountName, userID, group string
	authenticated, all                                   bool
}

func (s *session) changeBinding(r resource, use, short string, what access.AccessBindingAction) *cobra.Command {
	c := &cobra.Command{Use: use + " " + r.argumentUse(), Short: short, Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	var who subject
	f := c.Flags()
	f.StringVar(&who.role, "role", "", "role id")
	f.StringVar(&who.subject, "subject", "", "who, as `type:id`, such as serviceAccount:<id>")
	f.StringVar(&who.accountID, "service-account-id", "", "service account")
	f.StringVar(&who.accountName, "service-account-name", "", "service account, by name")
	f.StringVar(&who.userID, "user-account-id", "", "user account")
	f.StringVar(&who.group, "group-members", "", "members of a group")
	f.BoolVar(&who.authenticated, "all-authenticated-users", false, "everybody who is logged in")
	async := asyncFlag(c, describe(r.method("UpdateAccessBindings")))
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		binding, err := s.binding(ctx, who)
		if err != nil {
			return err
		}
		ids, err := s.pick(ctx, r, t, args)
		if err != nil {
			return err
		}
		return s.changeOne(ctx, r, ids[0], what, binding, *async)
	}
	return c
}

func (s *session) changeOne(ctx context.Context, r resource, id string, what access.AccessBindingAction, binding *access.AccessBinding, async bool) error {
	return s.do(ctx, r.method("UpdateAccessBindings"), &access.UpdateAccessBindingsRequest{
		ResourceId: id, AccessBindingDeltas: []*access.AccessBindingDelta{{Action: what, AccessBinding: binding}},
	}, async)
}

func (s *session) setBindings(r resource) *cobra.Command {
	c := &cobra.Command{Use: "set-access-bindings " + r.argumentUse(), Short: "Replace all roles on a " + r.noun, Args: cobra.MaximumNArgs(1)}
	var t target
	targetFlags(c, r, &t)
	texts := c.Flags().StringArray("access-binding", nil, "`role=ROLE,subject=TYPE:ID` or …,service-account-id=ID (repeatable)")
	c.Flags().BoolP("yes", "y", false, "accepted: nothing is asked")
	async := asyncFlag(c, describe(r.method("SetAccessBindings")))
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx := c.Context()
		req := &access.SetAccessBindingsRequest{}
		for _, text := range *texts {
			who, err := parseSubject(text)
			if err != nil {
				return fmt.Errorf("--access-binding: %w", err)
			}
			binding, err := s.binding(ctx, who)
			if err != nil {
				return fmt.Errorf("--access-binding %s: %w", text, err)
			}
			req.AccessBindings = append(req.AccessBindings, binding)
		}
		ids, err := s.pick(ctx, r, t, args)
		if err != nil {
			return err
		}
		req.ResourceId = ids[0]
		return s.do(ctx, r.method("SetAccessBindings"), req, *async)
	}
	return c
}

func parseSubject(text string) (subject, error) {
	var who subject
	texts := map[string]*string{
		"role": &who.role, "subject": &who.subject, "service-account-id": &who.accountID, "service-account-name": &who.accountName,
		"user-account-id": &who.userID, "group-members": &who.group,
	}
	for _, property := range strings.Split(text, ",") {
		key, value, _ := strings.Cut(property, "=")
		switch p := texts[key]; {
		case p != nil:
			*p = value
		case key == "all-authenticated-users":
			who.authenticated = value != "false"
		default:
			return who, fmt.Errorf("%q: want role=ROLE,subject=TYPE:ID", text)
		}
	}
	return who, nil
}

func (s *session) binding(ctx context.Context, who subject) (*access.AccessBinding, error) {
	var found []*access.Subject
	add := func(kind, id string) {
		if id != "" {
			found = append(found, &access.Subject{Type: kind, Id: id})
		}
	}
	if who.subject != "" {
		kind, id, pair := strings.Cut(who.subject, ":")
		if !pair || kind == "" || id == "" {
			return nil, fmt.Errorf("--subject %q: want TYPE:ID, such as serviceAccount:<id>", who.subject)
		}
		add(kind, id)
	}
	if who.accountName != "" {
		id, err := s.named(ctx, serviceAccounts(), who.accountName)
		if err != nil {
			return nil, fmt.Errorf("--service-account-name: %w", err)
		}
		add("serviceAccount", id)
	}
	add("serviceAccount", who.accountID)
	add("userAccount", who.userID)
	add("group", who.group)
	if who.authenticated {
		add("system", "allAuthenticatedUsers")
	}
	if who.all {
		add("system", "allUsers")
	}
	switch {
	case who.role == "":
		return nil, errors.New("--role is missing")
	case len(found) == 0:
		return nil, errors.New("who gets the role? give --subject TYPE:ID, --service-account-id or --service-account-name")
	case len(found) > 1:
		return nil, errors.New("more than one subject is given; a role is given to one")
	}
	return &access.AccessBinding{RoleId: who.role, Subject: found[0]}, nil
}

// unauthenticated makes allow-unauthenticated-invoke and its opposite.
func (s *session) unauthenticated(r resource, role string) []*cobra.Command {
	change := func(use, short string, what access.AccessBindingAction) *cobra.Command {
		c := &cobra.Command{Use: use + " " + r.argumentUse(), Short: short, Args: cobra.MaximumNArgs(1)}
		var t target
		targetFlags(c, r, &t)
		async := asyncFlag(c, describe(r.method("UpdateAccessBindings")))
		c.RunE = func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			binding, err := s.binding(ctx, subject{role: role, all: true})
			if err != nil {
				return err
			}
			ids, err := s.pick(ctx, r, t, args)
			if err != nil {
				return err
			}
			return s.changeOne(ctx, r, ids[0], what, binding, *async)
		}
		return c
	}
	return []*cobra.Command{
		change("allow-unauthenticated-invoke", "Let everybody call a "+r.noun, access.AccessBindingAction_ADD),
		change("deny-unauthenticated-invoke", "Let only those with the role call a "+r.noun, access.AccessBindingAction_REMOVE),
	}
}
