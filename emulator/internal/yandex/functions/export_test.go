package functions

// Unpack is unpack for tests, which is nobody's door.
func Unpack(content []byte, dir string) error { return unpack(content, dir) }
