package journal

import (
	"errors"
	"fmt"
	"strings"
)

func checkTopic(t Topic) error {
	if t == "" || strings.ContainsFunc(string(t), func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
		return fmt.Errorf("%w: topic %q", ErrName, t)
	}
	return nil
}

// checkNote refuses Changes, which are appended: one writer at a time keeps them in order.
func checkNote(t Topic) error {
	if t == Changes {
		return fmt.Errorf("%w: topic %q is not for notes", ErrName, t)
	}
	return checkTopic(t)
}

func checkName(name string) error {
	for part := range strings.SplitSeq(name, ".") {
		if checkTopic(Topic(part)) != nil {
			return fmt.Errorf("%w: %q", ErrName, name)
		}
	}
	return nil
}

// checkAppend judges what Append is given.
func checkAppend(topic Topic, data [][]byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if len(data) == 0 {
		return errors.New("journal: append: nothing to write")
	}
	for _, d := range data {
		if err := checkSize(d); err != nil {
			return err
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
