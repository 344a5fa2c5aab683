package document

// Limits of the cloud.
const (
	MaxItem  = 400 << 10 // bytes of an item
	MaxDepth = 32        // levels of lists and maps
)

// Size is how many bytes DynamoDB counts for the item: names and values.
func (i Item) Size() int {
	n := 0
	for name, v := range i {
		n += len(name) + v.Size()
	}
	return n
}

// Size is how many bytes DynamoDB counts for the value: 3 for a list or a map and 1 for each of its elements, about half a byte a digit.
func (v Value) Size() int {
	n := 0
	switch v.Kind {
	case String, Binary:
		n = len(v.Text)
	case Number:
		n = v.Decimal.size()
	case Bool, Null:
		n = 1
	case StringSet, BinarySet:
		for _, s := range v.Set {
			n += len(s)
		}
	case NumberSet:
		for _, d := range v.Numbers {
			n += d.size()
		}
	case List:
		n = 3 + len(v.List)
		for _, e := range v.List {
			n += e.Size()
		}
	case Map:
		n = 3 + len(v.Map) + v.Map.Size()
	}
	return n
}
