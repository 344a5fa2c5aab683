package aws

import "slices"

// Select chooses the route of a message among keys.
func Select(expression string, body []byte, keys ...string) (key, why string, err error) {
	s, err := parseSelection(expression)
	if err != nil {
		return "", "", err
	}
	key, why = s.route(body, func(key string) bool { return slices.Contains(keys, key) })
	return key, why, nil
}
