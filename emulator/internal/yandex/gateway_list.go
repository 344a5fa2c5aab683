package yandex

// GatewayInfo is a gateway as others see it.
type GatewayInfo struct {
	ID      string
	Sockets []string // path keys that take WebSocket connections, in the order in which they are tried
}

// Gateways lists the gateways: the default one first, then by id.
func (c *Cloud) Gateways() []GatewayInfo {
	var out []GatewayInfo
	for _, id := range c.gateways.ids() {
		h := c.gateways.handler(id)
		if h == nil {
			continue // removed meanwhile
		}
		info := GatewayInfo{ID: id}
		for _, p := range h.state.Load().spec.Paths {
			if p.Socket() {
				info.Sockets = append(info.Sockets, p.Key)
			}
		}
		if id == GatewayID {
			out = append([]GatewayInfo{info}, out...)
			continue
		}
		out = append(out, info)
	}
	return out
}
