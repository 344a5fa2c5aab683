// Package gateway holds the sockets: connections by path, their frames, queues and limits, in no cloud's words.
//
// Doors in: Accept, Broadcast, Send, Drop, Get. Doors out: the funcs of Socket and Options. A path is an opaque key; a façade
// chooses it (gateway id and route template) and words everything that clients and integrations see.
package gateway
