package logging

// Passes tells whether an entry passes a filter.
func Passes(filter string, e Entry) (bool, error) {
	m, err := parseFilter(filter)
	if err != nil {
		return false, err
	}
	return m(newEntry(e, e.Time.Add(1e9))), nil
}
