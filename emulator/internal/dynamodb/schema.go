package dynamodb

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"slices"

	"github.com/regcast/regcast/emulator/internal/dynamodb/document"
)

// Table says what a table is.
type Table struct {
	Name    string
	Keys    []Key // the partition key and, if there is one, the sort key
	Indexes []Index
	TTL     string // attribute that holds an item's end in seconds since 1970; empty: none
}

// Key is a part of a primary key.
type Key struct {
	Name string
	Type string // "S", "N" or "B"
	Sort bool
}

// Index is a secondary index.
type Index struct {
	Name       string
	Keys       []Key
	Projection string   // "ALL" (or empty), "KEYS_ONLY" or "INCLUDE"
	Attributes []string // for INCLUDE
	Local      bool
}

// Limits of the cloud.
const (
	maxPartitionKey = 2048 // bytes
	maxSortKey      = 1024
	maxLocal        = 5
	maxGlobal       = 20
)

func namePattern() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`) }

func (t Table) check() []string {
	var why []string
	if !namePattern().MatchString(t.Name) {
		why = append(why, "the name must have 3 to 255 of a-z, A-Z, 0-9, _, . and -")
	}
	why = append(why, checkKeys("", t.Keys)...)
	for _, index := range t.Indexes {
		what := fmt.Sprintf("index %q: ", index.Name)
		if !namePattern().MatchString(index.Name) {
			why = append(why, what+"the name must have 3 to 255 of a-z, A-Z, 0-9, _, . and -")
		}
		why = append(why, checkKeys(what, index.Keys)...)
		if !slices.Contains([]string{"", "ALL", "KEYS_ONLY", "INCLUDE"}, index.Projection) {
			why = append(why, what+"projection "+index.Projection+" is none of ALL, KEYS_ONLY, INCLUDE")
		}
		if index.Local && (len(index.Keys) != 2 || len(t.Keys) != 2 || index.Keys[0] != t.Keys[0]) {
			why = append(why, what+"a local index has the table's partition key and a sort key")
		}
	}
	return why
}

func checkKeys(what string, keys []Key) []string {
	var why []string
	if n := len(keys); n < 1 || n > 2 || keys[0].Sort || n == 2 && !keys[1].Sort {
		why = append(why, what+"a key is a partition key and at most one sort key")
	}
	for _, k := range keys {
		if k.Name == "" || kindOf(k.Type) == document.None {
			why = append(why, fmt.Sprintf("%skey %q: the type %q is none of S, N, B", what, k.Name, k.Type))
		}
	}
	return why
}

func kindOf(name string) document.Kind {
	for _, k := range []document.Kind{document.String, document.Number, document.Binary} {
		if k.String() == name {
			return k
		}
	}
	return document.None
}

// partition is how the keys of all items with this partition key begin. The hash spreads them, so that a scan's segments are alike.
func partition(v document.Value) string {
	key := v.Key()
	sum := sha256.Sum256([]byte(key))
	return string(sum[:8]) + key
}

// place is where an item stands in the order of these keys; false when it lacks one (then it is not in a secondary index).
func place(keys []Key, item document.Item) (string, bool) {
	at := ""
	for _, k := range keys {
		v := item[k.Name]
		if v.Kind == document.None || v.Kind != kindOf(k.Type) {
			return "", false
		}
		if k.Sort {
			at += v.Key()
		} else {
			at = partition(v)
		}
	}
	return at, true
}

// keyOf checks the Key of a request against the table's and says where the item stands.
func (t *table) keyOf(key document.Item) (string, error) {
	mismatch := invalid("The provided key element does not match the schema")
	if len(key) != len(t.spec.Keys) {
		return "", mismatch
	}
	for _, k := range t.spec.Keys {
		v := key[k.Name]
		if v.Kind != kindOf(k.Type) {
			return "", mismatch
		}
		if err := checkKeyValue(k, v, "One or more parameter values are not valid. ", "Key: "+k.Name); err != nil {
			return "", err
		}
	}
	at, _ := place(t.spec.Keys, key)
	return at, nil
}

// checkItem checks an item to be put: its key, its attributes that are keys of indexes, its size.
func (t *table) checkItem(item document.Item) error {
	for _, k := range t.spec.Keys {
		v := item[k.Name]
		switch {
		case v.Kind == document.None:
			return wrongKey("Missing the key " + k.Name + " in the item")
		case v.Kind != kindOf(k.Type):
			return wrongKey("Type mismatch for key " + k.Name + " expected: " + k.Type + " actual: " + v.Kind.String())
		}
		if err := checkKeyValue(k, v, "One or more parameter values are not valid. ", "Key: "+k.Name); err != nil {
			return err
		}
	}
	if err := t.checkIndexKeys(item, indexMismatch); err != nil {
		return err
	}
	if item.Size() > document.MaxItem {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	return nil
}

// checkIndexKeys checks the attributes that are keys of indexes; mismatch words a wrong type.
func (t *table) checkIndexKeys(item document.Item, mismatch func(k Key, actual document.Kind, index Index) *refusal) error {
	for _, index := range t.spec.Indexes {
		for _, k := range index.Keys {
			v := item[k.Name]
			switch {
			case v.Kind == document.None:
				continue
			case v.Kind != kindOf(k.Type):
				return mismatch(k, v.Kind, index)
			}
			err := checkKeyValue(k, v, "One or more parameter values are not valid. A value specified for a secondary index key is not supported. ",
				"IndexName: "+index.Name+", IndexKey: "+k.Name)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func wrongKey(why string) *refusal {
	e := invalid("One or more parameter values were invalid: " + why)
	e.key = true
	return e
}

func indexMismatch(k Key, actual document.Kind, index Index) *refusal {
	return invalid("One or more parameter values were invalid: Type mismatch for Index Key " + k.Name + " Expected: " + k.Type +
		" Actual: " + actual.String() + " IndexName: " + index.Name)
}

func checkKeyValue(k Key, v document.Value, before, after string) error {
	switch {
	case v.Kind == document.Number:
	case v.Text == "":
		what := map[document.Kind]string{document.String: "string", document.Binary: "binary"}[v.Kind]
		return invalid(before + "The AttributeValue for a key attribute cannot contain an empty " + what + " value. " + after)
	case !k.Sort && len(v.Text) > maxPartitionKey:
		return invalid("One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes")
	case k.Sort && len(v.Text) > maxSortKey:
		return invalid("One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes")
	}
	return nil
}

// nester is an expression that may go below attributes.
type nester interface{ Nested(name string) bool }

// checkNested refuses paths that go below a key: keys are scalars.
func (t *table) checkNested(e nester) error {
	for _, k := range t.spec.Keys {
		if e.Nested(k.Name) {
			return invalid("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: " + k.Name)
		}
	}
	for _, index := range t.spec.Indexes {
		for _, k := range index.Keys {
			if e.Nested(k.Name) {
				return invalid("Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: IndexKey: " + k.Name)
			}
		}
	}
	return nil
}
