package apigateway

// ToJSON and ToYAML are fuzzed without a gateway round them.
func ToJSON(spec []byte) ([]byte, error) { return toJSON(spec) }

// ToYAML is ToJSON's way back.
func ToYAML(spec []byte) ([]byte, error) { return toYAML(spec) }
