package control

import "google.golang.org/grpc"

// NotEmulated is what wire is told of.
func NotEmulated() []string { return notEmulated() }

// RegisterAll registers what the plane serves.
func (p *Plane) RegisterAll(r grpc.ServiceRegistrar) { p.register(r) }
