package template

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"go.yaml.in/yaml/v4"
)

// Config is what samconfig says about a deployment.
type Config struct {
	Parameters    map[string]string // parameter_overrides
	Stack, Region string            // empty: not said
}

// SAMConfig reads samconfig.toml, or samconfig.yaml if the file's name ends so: the deploy command's parameters of an environment over
// its global ones. An empty env is "default", which need not be there.
func SAMConfig(file string, data []byte, env string) (Config, error) {
	fail := func(line int, format string, args ...any) (Config, error) {
		at := file
		if line > 0 {
			at = fmt.Sprintf("%s:%d", file, line)
		}
		return Config{}, &FileError{Problems: []string{at + ": " + fmt.Sprintf(format, args...)}}
	}
	if len(data) > largest {
		return fail(0, "got %d bytes, want at most %d", len(data), largest)
	}
	root := make(map[string]any)
	if ext := strings.ToLower(filepath.Ext(file)); ext == ".yaml" || ext == ".yml" {
		if err := yaml.Load(data, &root); err != nil {
			var le *yaml.LoadError
			if errors.As(err, &le) {
				return fail(max(1, le.Mark.Line), "%s", le.Message)
			}
			return fail(0, "%v", err)
		}
	} else if _, err := toml.Decode(string(data), &root); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			return fail(pe.Position.Line, "%s", pe.Message)
		}
		return fail(0, "%v", err)
	}
	named := env != ""
	if !named {
		env = "default"
	}
	table, ok := root[env].(map[string]any)
	if !ok {
		if named {
			envs := slices.DeleteFunc(slices.Sorted(maps.Keys(root)), func(k string) bool { return k == "version" })
			return fail(0, "there is no environment %s, %s", quote(env), suggest(env, envs))
		}
		return Config{}, nil
	}
	c := Config{Parameters: make(map[string]string)}
	for _, command := range []string{"global", "deploy"} { // the later wins
		path := env + "." + command + ".parameters."
		section, _ := table[command].(map[string]any)
		values, _ := section["parameters"].(map[string]any)
		for key, to := range map[string]*string{"stack_name": &c.Stack, "region": &c.Region} {
			if v, given := values[key]; given {
				s, ok := v.(string)
				if !ok {
					return fail(0, "%s: got %v, want a text", path+key, v)
				}
				*to = s
			}
		}
		overrides, err := overridesOf(values["parameter_overrides"])
		if err != nil {
			return fail(0, "%s: %v", path+"parameter_overrides", err)
		}
		if overrides != nil {
			c.Parameters = overrides
		}
	}
	return c, nil
}

// overridesOf reads the forms that SAM takes: a text, a list of texts, a mapping.
func overridesOf(v any) (map[string]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return Overrides([]string{v})
	case []any:
		var args []string
		for _, item := range v {
			s, ok := item.(string)
			if !ok {
				return nil, fmt.Errorf("got %v, want texts such as Name=value", item)
			}
			args = append(args, s)
		}
		return Overrides(args)
	case map[string]any:
		out := make(map[string]string)
		for name, value := range v {
			switch value.(type) {
			case string, bool, int, int64, float64:
				out[name] = fmt.Sprint(value)
			default:
				return nil, fmt.Errorf("%s: got %v, want a text", name, value)
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("got %v, want a text, a list or a mapping", v)
}
