package template

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// globalProperties are what Globals may set for a kind of SAM's; ok tells whether it may be there at all.
func globalProperties(section string) (known []string, ok bool) {
	switch section {
	case "Function":
		return strings.Fields(`Handler Runtime CodeUri DeadLetterQueue Description MemorySize Timeout VpcConfig Environment Tags
			PropagateTags Tracing KmsKeyArn AutoPublishAlias AutoPublishAliasAllProperties Layers DeploymentPreference RolePath
			PermissionsBoundary ReservedConcurrentExecutions ProvisionedConcurrencyConfig AssumeRolePolicyDocument
			EventInvokeConfig FileSystemConfigs CodeSigningConfigArn Architectures SnapStart EphemeralStorage FunctionUrlConfig
			RuntimeManagementConfig LoggingConfig RecursiveLoop SourceKMSKeyArn TenancyConfig DurableConfig
			CapacityProviderConfig FunctionScalingConfig PublishToLatestPublished VersionDeletionPolicy`), true
	case "WebSocketApi":
		return strings.Fields(`AccessLogSettings ApiKeySelectionExpression DefaultRouteSettings DisableExecuteApiEndpoint
			DisableSchemaValidation Domain FailOnWarnings IpAddressType PropagateTags RouteSelectionExpression RouteSettings
			StageVariables Tags`), true
	case "SimpleTable":
		return []string{"SSESpecification"}, true
	case "Api", "HttpApi", "StateMachine", "LayerVersion", "CapacityProvider":
		return nil, true
	}
	return nil, false
}

// readGlobals reads the Globals section by SAM's kinds. Its values stay as they are written.
func (r *reader) readGlobals(f field) map[string]object {
	out := make(map[string]object)
	if f.given() && !r.sam {
		f.refuse("got Globals, want Transform: %s at the top of the template", samTransform)
	}
	for _, m := range f.members() {
		known, ok := globalProperties(m.key)
		if !ok {
			m.refuse("unknown field, %s", suggest(m.key, []string{"Function", "WebSocketApi", "SimpleTable", "Api", "HttpApi", "StateMachine", "LayerVersion"}))
			continue
		}
		o := m.object()
		for _, p := range o.members() {
			if known != nil && !slices.Contains(known, p.key) {
				p.refuse("%s cannot be global, %s", p.key, suggest(p.key, known))
			}
		}
		out[samPrefix+m.key] = o
	}
	return out
}

// globalised is a resource's properties with the globals put under them.
func (r *reader) globalised(res *resource, globals object, ignore field) *yaml.Node {
	if globals.node == nil {
		return res.props
	}
	var without []string
	switch {
	case ignore.scalar() && ignore.text() == "*":
		return res.props
	case ignore.scalar():
		ignore.refuse("got %s, want \"*\" or a list of properties", ignore.got())
	case ignore.given():
		for _, item := range ignore.items() {
			if !globals.get(item.text()).given() {
				item.refuse("got %s, which is no global of %s", item.got(), res.kind)
			}
			without = append(without, item.text())
		}
	}
	props := res.props
	if props == nil {
		props = r.doc.mapping(res.self)
	}
	under := r.doc.mapping(globals.node)
	for _, m := range globals.members() {
		if !slices.Contains(without, m.key) {
			under.Content = append(under.Content, m.name, m.node)
		}
	}
	return r.merge(under, props)
}

// merge puts a local value over a global one: mappings merge, lists follow one another, anything else is the local one.
func (r *reader) merge(global, local *yaml.Node) *yaml.Node {
	g, l := target(global), target(local)
	if r.depth++; r.depth > deepest || !r.doc.spend(l, perNode) {
		r.depth--
		return local
	}
	defer func() { r.depth-- }()
	gName, _ := intrinsic(g)
	lName, _ := intrinsic(l)
	switch {
	case g.Kind != l.Kind || gName != "" || lName != "" || g.Kind == yaml.ScalarNode:
		return local
	case g.Kind == yaml.SequenceNode:
		if !r.doc.spend(l, len(g.Content)+len(l.Content)) {
			return local
		}
		return r.doc.list(local, slices.Concat(g.Content, l.Content)...)
	}
	out := r.doc.mapping(local)
	mine := r.doc.field(l).members()
	for _, m := range r.doc.field(g).members() {
		v := m.node
		if i := slices.IndexFunc(mine, func(o member) bool { return o.key == m.key }); i >= 0 {
			v = r.merge(v, mine[i].node)
			mine = slices.Delete(mine, i, i+1)
		}
		out.Content = append(out.Content, m.name, v)
	}
	for _, m := range mine {
		out.Content = append(out.Content, m.name, m.node)
	}
	return out
}
