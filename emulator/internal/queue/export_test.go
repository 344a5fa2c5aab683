package queue

// Decode reads a record and writes it again, for the fuzz test. It returns nil for what is no record.
func Decode(data []byte) []byte {
	r, err := decode(data)
	if err != nil {
		return nil
	}
	switch r.kind {
	case kindNumber:
		return appendNumber(nil, r.number)
	case kindGone:
		return appendGone(nil, r.number)
	case kindRested:
		r.entry.number = r.number
		return appendRested(nil, r.entry)
	}
	return appendSent(nil, r.queue, r.entry)
}
