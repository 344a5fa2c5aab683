package journal

import (
	"fmt"
	"strings"
)

func checkTopic(t Topic) error {
	if t == "" || strings.ContainsFunc(string(t), func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		return fmt.Errorf("%w: topic %q", ErrName, t)
	}
	return nil
}

func checkName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if checkTopic(Topic(part)) != nil {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	return nil
}

func checkSize(data []byte) error {
	if len(data) > MaxEntry {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, len(data), MaxEntry)
	}
	return nil
}
