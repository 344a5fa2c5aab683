package yandex

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

var variable = regexp.MustCompile(`\$\{var\.([A-Za-z_][A-Za-z0-9_.-]*)\}`)

// fillVariables replaces ${var.NAME} everywhere in a specification, in keys too, by the value that was given for the variable, else
// by its default. The variables are those of x-yc-apigateway.
func fillVariables(root field, given map[string]string) {
	declared := root.open().get("x-yc-apigateway").open().get("variables")
	values := make(map[string]*yaml.Node)
	known := make(map[string]bool) // those with errors too
	for _, m := range declared.members() {
		known[m.key] = true
		o := m.object("default", "enum", "description")
		value := o.get("default")
		text, set := given[m.key]
		if !set {
			value.required("a default, or a value from the gateway's variables")
			text = value.text()
		}
		var allowed []string
		for _, item := range o.get("enum").items() {
			allowed = append(allowed, item.text())
		}
		if len(allowed) > 0 && !slices.Contains(allowed, text) {
			m.refuse("got the value %s, want %s", quote(text), oneOf(allowed))
		}
		node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
		if value.given() && value.value().Tag != node.Tag {
			node.Tag = "" // what it looks like
		}
		values[m.key] = node
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			declared.warn("there is no variable %s, so its value has no effect", quote(name))
		}
	}
	fillNodes(root, root.node, declared.node, values, known)
}

// fillNodes replaces variables in a node and all below it, but for the one where they are declared.
func fillNodes(root field, n, declared *yaml.Node, values map[string]*yaml.Node, known map[string]bool) {
	if n == declared {
		return
	}
	for _, child := range n.Content {
		fillNodes(root, child, declared, values, known)
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(n.Value, "${var.") {
		return
	}
	whole := variable.FindString(n.Value) == n.Value
	n.Value = variable.ReplaceAllStringFunc(n.Value, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		v := values[name]
		if v == nil {
			if !known[name] {
				at := field{doc: root.doc, at: place{root.at.file, n.Line, ""}}
				at.warn("the variable %s is not declared under x-yc-apigateway.variables: %s stays as it is written", name, found)
			}
			return found
		}
		if whole { // then it is of the variable's type
			n.Tag, n.Style = v.Tag, 0
		}
		return v.Value
	})
}
