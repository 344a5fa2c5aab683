// Package dynamodb is a DynamoDB in memory: the item operations with their expressions, indexes, paging and TTL, over the wire protocol
// that AWS's SDKs and YDB's Document API speak.
//
// It looks neither at the path of a request nor at who signed it. Tables are not kept: they end with the process.
package dynamodb

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/regcast/regcast/emulator/internal/clock"
)

// ErrExists is what Create says of a name that is taken.
var ErrExists = errors.New("the table exists already")

// lazy is how long an expired item stays with LazyTTL. AWS promises to delete within a few days.
const lazy = 48 * time.Hour

// Options are what a DB needs of the world. The zero value works.
type Options struct {
	Clock   clock.Clock // nil: the machine's
	LazyTTL bool        // expired items stay readable for 48 hours, as they may at AWS; else they are gone when their time comes
	Region  string      // for ARNs; empty: us-east-1
	Account string      // for ARNs; empty: 000000000000
	// Changed hears of tables that clients make, change and delete, in Keep's form; was and now are nil when there was none or is none any
	// more. It must not ask the DB. Nil: nobody does.
	Changed func(name string, was, now []byte)
	Random  io.Reader // of request ids and table ids; nil: crypto/rand. Reads are one at a time.
}

// DB is a set of tables. It owns no goroutine, so there is nothing to close.
type DB struct {
	options    Options
	operations map[string]operation
	tokens     tokens

	changing sync.Mutex // round a change of a table that a client asks for, before mu

	mu     sync.RWMutex
	tables map[string]*table

	random sync.Mutex
}

// New makes a DB without tables.
func New(o Options) *DB {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Changed == nil {
		o.Changed = func(string, []byte, []byte) {}
	}
	d := &DB{options: o, tables: map[string]*table{}}
	d.operations = map[string]operation{
		"PutItem":            handle(d.putItem),
		"GetItem":            handle(d.getItem),
		"UpdateItem":         handle(d.updateItem),
		"DeleteItem":         handle(d.deleteItem),
		"Query":              handle(d.query),
		"Scan":               handle(d.scan),
		"BatchGetItem":       handle(d.batchGet),
		"BatchWriteItem":     handle(d.batchWrite),
		"TransactGetItems":   handle(d.transactGet),
		"TransactWriteItems": handle(d.transactWrite),
		"CreateTable":        handle(d.createTable),
		"DeleteTable":        handle(d.deleteTable),
		"DescribeTable":      handle(d.describeTable),
		"ListTables":         handle(d.listTables),
		"UpdateTimeToLive":   handle(d.updateTimeToLive),
		"DescribeTimeToLive": handle(d.describeTimeToLive),
		// Terraform asks for both when it makes a table.
		"DescribeContinuousBackups": handle(d.describeContinuousBackups),
		"ListTagsOfResource":        handle(d.listTags),
	}
	return d
}

// Create makes a table, for billing by request. What is wrong with it is said all at once; a name that is taken is ErrExists.
func (d *DB) Create(spec Table) error {
	if why := spec.check(); len(why) > 0 {
		return fmt.Errorf("table %q: %s", spec.Name, strings.Join(why, "; "))
	}
	if _, made := d.create(spec, nil); !made {
		return fmt.Errorf("table %q: %w", spec.Name, ErrExists)
	}
	return nil
}

func (d *DB) create(spec Table, throughput *throughput) (*table, bool) {
	t := newTable(spec, d.options.LazyTTL)
	t.arn = "arn:aws:dynamodb:" + d.options.Region + ":" + d.options.Account + ":table/" + spec.Name
	t.created = d.options.Clock.Now()
	t.throughput = throughput
	id := make([]byte, 16)
	d.fill(id)
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	x := hex.EncodeToString(id)
	t.id = x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.tables[spec.Name] != nil {
		return nil, false
	}
	d.tables[spec.Name] = t
	return t, true
}

// table finds a table by its name or its ARN.
func (d *DB) table(name string) (*table, error) {
	if i := strings.LastIndex(name, ":table/"); i >= 0 {
		name = name[i+len(":table/"):]
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if t := d.tables[name]; t != nil {
		return t, nil
	}
	return nil, &refusal{Type: "ResourceNotFoundException", Message: "Requested resource not found"}
}

func (d *DB) names() []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.Sorted(maps.Keys(d.tables))
}

func (d *DB) now() time.Time { return d.options.Clock.Now() }

// fill fills b with random bytes. A source that fails leaves zeros: ids are for people to read, nothing rests on them.
func (d *DB) fill(b []byte) {
	d.random.Lock()
	defer d.random.Unlock()
	_, _ = io.ReadFull(d.options.Random, b)
}

// requestID is 52 letters and digits, as AWS's are.
func (d *DB) requestID() string {
	b := make([]byte, 32)
	d.fill(b)
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)
}
