package build

import (
	"context"
	"errors"
)

// entryTag is the build tag of Yandex Cloud Functions.
const entryTag = "ycf"

func wrap(_ context.Context, _ Options, _, _, _ string) (string, error) {
	return "", errors.New("not emulated yet: an entry point")
}
