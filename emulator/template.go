package emulator

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/regcast/regcast/emulator/internal/template"
)

// ReadTemplate reads a template's file, and samconfig.toml or samconfig.yaml beside it as `sam deploy` does: the parameters, the stack's
// name and the region of one of its environments ("" is "default"). overrides are values for the template's parameters as
// --parameter-overrides takes them; they go over what samconfig has.
func ReadTemplate(path, configEnv string, overrides ...string) (*Template, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &Template{File: File{Name: path, Data: data}, Dir: filepath.Dir(path), Parameters: map[string]string{}}
	for _, name := range [...]string{"samconfig.toml", "samconfig.yaml", "samconfig.yml"} {
		name = filepath.Join(t.Dir, name)
		data, err := os.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		config, err := template.SAMConfig(name, data, configEnv)
		if err != nil {
			return nil, err
		}
		t.Stack, t.Region = config.Stack, config.Region
		maps.Copy(t.Parameters, config.Parameters)
		break
	}
	given, err := template.Overrides(overrides)
	if err != nil {
		return nil, fmt.Errorf("parameter overrides: %w", err)
	}
	maps.Copy(t.Parameters, given)
	return t, nil
}
