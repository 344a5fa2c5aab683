package containerregistry

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	pb "github.com/yandex-cloud/go-genproto/yandex/cloud/containerregistry/v1"

	"github.com/regcast/regcast/emulator/internal/registry"
	"github.com/regcast/regcast/emulator/internal/yandex/resource"
)

// row is what lists are sorted by: of a repository, or of an image.
type row struct {
	repository repositoryName
	ref        registry.ImageRef // none of a repository
}

// comparison is one step of an order.
type comparison func(a, b row) int

func byName(a, b row) int {
	return cmp.Or(cmp.Compare(a.repository.registry, b.repository.registry), cmp.Compare(a.repository.name, b.repository.name))
}
func byDigest(a, b row) int  { return cmp.Compare(a.ref.Digest, b.ref.Digest) }
func byCreated(a, b row) int { return a.ref.Created.Compare(b.ref.Created) }
func byChanged(a, b row) int { return a.ref.Changed.Compare(b.ref.Changed) }

// parseOrder reads "name desc, digest". The error says what is wrong with it.
func parseOrder(text string, by map[string]comparison) ([]comparison, error) {
	var out []comparison
	for part := range strings.SplitSeq(text, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || by[words[0]] == nil || len(words) > 2 {
			return nil, fmt.Errorf("got %.100q, want fields of %s, separated by commas, each with desc or asc behind it or not",
				strings.TrimSpace(part), strings.Join(slices.Sorted(maps.Keys(by)), ", "))
		}
		compare := by[words[0]]
		if len(words) == 2 {
			switch strings.ToLower(words[1]) {
			case "asc":
			case "desc":
				compare = func(a, b row) int { return by[words[0]](b, a) }
			default:
				return nil, fmt.Errorf("got %.100q after %s, want asc or desc", words[1], words[0])
			}
		}
		out = append(out, compare)
	}
	return out, nil
}

const (
	defaultPage = 100
	maxPage     = 1000
	// maxCursors is how many pages are remembered that somebody may ask to go on from; the oldest are forgotten first.
	maxCursors = 1000
)

// cursors remember where pages ended. A token is to be short, a repository's name is not, and the next page is to begin at the right
// place even when the whole page before it has been deleted meanwhile, as whoever cleans up a registry does. A restart forgets them.
type cursors struct {
	mu    sync.Mutex
	at    map[string]cursor
	order []string // of tokens, oldest first
}

type cursor struct {
	scope string // of the list
	last  row
}

// listRequest is what the requests of both lists have.
type listRequest interface {
	resource.ListRequest
	GetFilter() string
}

// page sorts rows and returns those of the page that a request asks for, with the token of the next one. Scope tells lists apart. The
// order must leave no two rows at one place.
func (c *cursors) page(rows []row, r listRequest, scope string, order ...comparison) (page []row, next string, err error) {
	rows, err = filtered(rows, r.GetFilter())
	if err != nil {
		return nil, "", err
	}
	size := int(r.GetPageSize())
	switch {
	case size < 0 || size > maxPage:
		return nil, "", resource.Invalid("page_size", fmt.Sprintf("got %d, want 0 to %d", size, maxPage))
	case size == 0:
		size = defaultPage
	}
	compare := func(a, b row) int {
		for _, by := range order {
			if n := by(a, b); n != 0 {
				return n
			}
		}
		return 0
	}
	slices.SortFunc(rows, compare)
	scope += " " + r.GetFilter()
	if token := r.GetPageToken(); token != "" {
		last, err := c.resume(token, scope)
		if err != nil {
			return nil, "", err
		}
		i, there := slices.BinarySearchFunc(rows, last, compare)
		if there {
			i++
		}
		rows = rows[i:]
	}
	if len(rows) <= size {
		return rows, "", nil
	}
	return rows[:size], c.remember(cursor{scope, rows[size-1]}), nil
}

func (c *cursors) resume(token, scope string) (row, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.at[token]
	switch {
	case !ok:
		return row{}, resource.Invalid("page_token", "got what no list has returned of late, want the next_page_token of the page before")
	case at.scope != scope:
		return row{}, resource.Invalid("page_token", "got the token of another list, want the same request for all pages")
	}
	return at.last, nil
}

// remember returns the token of a cursor: always the same, so that whoever asks for a page again fills no room.
func (c *cursors) remember(at cursor) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %v", at.scope, at.last.repository, at.last.ref))
	token := hex.EncodeToString(sum[:16])
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.at[token]; ok {
		return token
	}
	if c.at == nil {
		c.at = make(map[string]cursor)
	}
	if len(c.order) == maxCursors {
		delete(c.at, c.order[0])
		c.order = c.order[1:]
	}
	c.at[token] = at
	c.order = append(c.order, token)
	return token
}

// filtered keeps the rows that pass a filter. It may ask for the name, as the proto says, so a message is taken for it that has nothing
// else.
func filtered(rows []row, filter string) ([]row, error) {
	if filter == "" {
		return rows, nil
	}
	m := &pb.UpsertRepositoryRequest{}
	keep, err := resource.Filter(m.ProtoReflect().Descriptor(), filter)
	if err != nil {
		return nil, err
	}
	passed := make(map[repositoryName]bool)
	return slices.DeleteFunc(rows, func(w row) bool {
		pass, asked := passed[w.repository]
		if !asked {
			m.Name = w.repository.String()
			pass = keep(m)
			passed[w.repository] = pass
		}
		return !pass
	}), nil
}
