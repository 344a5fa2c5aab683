package emulator_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// configuration is deploy/yandex as Terraform reads it, for a plan with the variables' defaults. It knows the few forms that stand there
// and fails on others, so that what is replayed cannot drift away from the files.
type configuration struct {
	t          *testing.T
	text       string
	variables  map[string]string
	attributes map[string]string // of resources that are applied: "yandex_api_gateway.regcast.id"
}

func readConfiguration(t *testing.T) *configuration {
	t.Helper()
	c := &configuration{t: t, text: string(read(t, "../deploy/yandex/main.tf").Data), variables: map[string]string{}, attributes: map[string]string{}}
	declared := regexp.MustCompile(`(?ms)^variable "(\w+)" \{\n(.*?)^\}`)
	for _, m := range declared.FindAllStringSubmatch(string(read(t, "../deploy/yandex/variables.tf").Data), -1) {
		if v := regexp.MustCompile(`(?m)^  default +=\s+(.+)$`).FindStringSubmatch(m[2]); v != nil {
			c.variables[m[1]] = strings.Trim(v[1], `"`)
		}
	}
	return c
}

// block is the text between a resource's braces.
func (c *configuration) block(kind, name string) string {
	c.t.Helper()
	m := regexp.MustCompile(`(?ms)^resource "` + kind + `" "` + name + `" \{\n(.*?)^\}`).FindStringSubmatch(c.text)
	if m == nil {
		c.t.Fatalf("main.tf: no resource %s.%s", kind, name)
	}
	return m[1]
}

// get is the value of an argument of a resource or, when it has none of the name, of the blocks in it; "" for null.
func (c *configuration) get(kind, name, argument string) string {
	c.t.Helper()
	m := regexp.MustCompile(`(?m)^  `+argument+` += (.+)$`).FindAllStringSubmatch(c.block(kind, name), -1)
	if m == nil {
		m = regexp.MustCompile(`(?m)^ +`+argument+` += (.+)$`).FindAllStringSubmatch(c.block(kind, name), -1)
	}
	if len(m) != 1 {
		c.t.Fatalf("main.tf: %s.%s has %d lines with %s, want 1", kind, name, len(m), argument)
	}
	expression, _, _ := strings.Cut(m[0][1], " # ")
	return c.value(expression)
}

// environment is what a function gets.
func (c *configuration) environment(kind, name string) map[string]string {
	c.t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^    ([A-Z_]+) += `).FindAllStringSubmatch(c.block(kind, name), -1) {
		env[m[1]] = c.get(kind, name, m[1])
	}
	return env
}

// specification is the gateway's, with real ids in the place of the stand-ins.
func (c *configuration) specification() string {
	c.t.Helper()
	spec := string(read(c.t, "../deploy/yandex/openapi.yaml").Data)
	for _, m := range regexp.MustCompile(`"(\w{20})", (yandex_\S+)\)`).FindAllStringSubmatch(c.block("yandex_api_gateway", "regcast"), -1) {
		spec = strings.ReplaceAll(spec, m[1], c.value(m[2]))
	}
	return spec
}

func (c *configuration) number(kind, name, argument string) int64 {
	c.t.Helper()
	n, err := strconv.ParseInt(strings.TrimSuffix(c.get(kind, name, argument), "s"), 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

// value is what an expression comes to.
func (c *configuration) value(expression string) string {
	c.t.Helper()
	if m := regexp.MustCompile(`^var\.(\w+) != "" \? (.+) : (.+)$`).FindStringSubmatch(expression); m != nil {
		if c.value("var."+m[1]) != "" {
			return c.value(m[2])
		}
		return c.value(m[3])
	}
	if unquoted, err := strconv.Unquote(expression); err == nil {
		return regexp.MustCompile(`\$\{(.+?)\}`).ReplaceAllStringFunc(unquoted, func(inner string) string {
			return c.value(inner[2 : len(inner)-1])
		})
	}
	name, is := strings.CutPrefix(expression, "var.")
	known, ok := c.variables[name], is
	if is {
		_, ok = c.variables[name]
	} else {
		known, ok = c.attributes[expression]
	}
	switch {
	case ok:
		return known
	case expression == "null":
		return ""
	case expression == "true" || regexp.MustCompile(`^\d+$`).MatchString(expression):
		return expression
	}
	c.t.Fatalf("main.tf: %s is not known here", expression)
	return ""
}

// entry is one of the functions that main.tf makes of its local.functions.
type entry struct {
	key, entrypoint string
	seconds         int64
}

func (c *configuration) entries() []entry {
	c.t.Helper()
	var all []entry
	for _, m := range regexp.MustCompile(`(?m)^    (\w+) += \{ entrypoint = "(\S+)", seconds = (\d+) \}$`).FindAllStringSubmatch(c.text, -1) {
		seconds, _ := strconv.ParseInt(m[3], 10, 64) // it is digits
		all = append(all, entry{m[1], m[2], seconds})
	}
	if len(all) == 0 {
		c.t.Fatal("main.tf: no functions")
	}
	return all
}
