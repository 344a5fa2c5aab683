// Package wish says which registry events a connection wants.
//
// A client states its wish in the query string when it connects, or in a message on the open socket:
//
//	?image=team/app&image=infra/*&tag=v*&events=create-image-tag,delete-image
//
// Every key may be repeated or hold a list separated by commas, and may be left out, which means all. An event is wanted when one
// image, one tag and one event type match. In patterns * stands for any run of characters, slashes included, and ? for one character.
// An event without a tag matches no tag pattern.
package wish

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/regcast/regcast/events/yandex"
)

// MaxPatterns is how many images, and how many tags, one wish may name: what a connection writes fits one request of the store.
const MaxPatterns = 20

const maxLength = 300 // of one pattern: registry id, slash and the longest name of a repository

// Wish is what one connection wants. An empty list means all. The zero Wish wants everything.
type Wish struct {
	Images []string
	Tags   []string
	Events []string // create-image, delete-image, create-image-tag, delete-image-tag
}

// Event is what a wish is held against.
type Event struct {
	Repository string // without a registry id
	Registry   string // the registry's id; may be empty
	Tag        string
	Type       string // in the short spelling: "create-image-tag"
}

// FromQuery reads a wish from a query string. Keys that are none of a wish's are left to others (an authorizer's token), but for
// those that look like a slip of the pen. The error is one for the client to read, and names every problem.
func FromQuery(query url.Values) (Wish, error) {
	var problems []error
	for slip, key := range map[string]string{"images": "image", "tags": "tag", "event": "events"} {
		if query.Has(slip) {
			problems = append(problems, fmt.Errorf("%s: no such key; say %s", slip, key))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	w, err := New(query["image"], query["tag"], query["events"])
	return w, errors.Join(append(problems, err)...)
}

// New makes a wish of lists whose elements may themselves be lists separated by commas. The result is in one form whatever order and
// repetition it was stated in, so that equal wishes are equal strings.
func New(images, tags, types []string) (Wish, error) {
	var w Wish
	var problems [3]error
	w.Images, problems[0] = read("image", images, pattern("abcdefghijklmnopqrstuvwxyz0123456789._-/*?", "a-z 0-9 . _ - / and * ?"))
	w.Tags, problems[1] = read("tag", tags, pattern("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-*?", "A-Z a-z 0-9 . _ - and * ?"))
	w.Events, problems[2] = read("events", types, func(t string) error {
		if slices.Contains(yandex.Types(), t) {
			return nil
		}
		return fmt.Errorf("no event type %q; allowed: %s", clip(t), strings.Join(yandex.Types(), ", "))
	})
	if err := errors.Join(problems[:]...); err != nil {
		return Wish{}, err
	}
	return w, nil
}

// read splits one key's lists and checks each item, unless there are so many that nobody would read what is wrong with each.
func read(key string, stated []string, check func(string) error) ([]string, error) {
	items := split(stated)
	if len(stated) > 0 && len(items) == 0 {
		return nil, fmt.Errorf("%s: empty; leave it out to mean all", key)
	}
	if len(items) > MaxPatterns {
		return nil, fmt.Errorf("%s: %d of them; at most %d", key, len(items), MaxPatterns)
	}
	var problems []error
	for _, item := range items {
		if err := check(item); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", key, err))
		}
	}
	return items, errors.Join(problems...)
}

// pattern checks the length and the characters of a pattern; allowed says for people what characters has.
func pattern(characters, allowed string) func(string) error {
	return func(p string) error {
		if len(p) > maxLength {
			return fmt.Errorf("%q: %d bytes; at most %d", clip(p), len(p), maxLength)
		}
		for _, r := range p {
			if !strings.ContainsRune(characters, r) {
				return fmt.Errorf("%q: %q cannot stand in a pattern; allowed: %s", clip(p), string(r), allowed)
			}
		}
		return nil
	}
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

func split(lists []string) []string {
	var all []string
	for _, list := range lists {
		for _, item := range strings.Split(list, ",") {
			if item = strings.TrimSpace(item); item != "" {
				all = append(all, item)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// String is the wish as a query string; Parse reads it back.
func (w Wish) String() string {
	query := url.Values{}
	for key, list := range map[string][]string{"image": w.Images, "tag": w.Tags, "events": w.Events} {
		if len(list) > 0 {
			query.Set(key, strings.Join(list, ","))
		}
	}
	return query.Encode()
}

// Parse reads what String wrote.
func Parse(s string) (Wish, error) {
	query, err := url.ParseQuery(s)
	if err != nil {
		return Wish{}, fmt.Errorf("wish: %q: %w", s, err)
	}
	return FromQuery(query)
}

// Match tells whether the wish's owner wants e. An image may be stated with the registry's id before it or without.
func (w Wish) Match(e Event) bool {
	return (len(w.Events) == 0 || slices.Contains(w.Events, e.Type)) &&
		(len(w.Tags) == 0 || e.Tag != "" && slices.ContainsFunc(w.Tags, func(p string) bool { return glob(p, e.Tag) })) &&
		(len(w.Images) == 0 || slices.ContainsFunc(w.Images, func(p string) bool {
			return glob(p, e.Repository) || e.Registry != "" && glob(p, e.Registry+"/"+e.Repository)
		}))
}

// IsPattern tells whether an image of a wish stands for more than the one repository that it spells.
func IsPattern(image string) bool { return strings.ContainsAny(image, "*?") }

// glob matches in time len(pattern) × len(name) at worst: after a mismatch only the last star moves on.
func glob(pattern, name string) bool {
	p, n, star, resume := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			resume++
			p, n = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
