package template

import (
	"encoding/binary"
	"net/netip"

	"go.yaml.in/yaml/v4"
)

// cidr cuts an IPv4 block into smaller ones.
func (r *reader) cidr(n *yaml.Node, in []field, broken func(string, ...any) *yaml.Node) *yaml.Node {
	if len(in) < 2 {
		return broken("want a block, a count and the number of bits")
	}
	block, err := netip.ParsePrefix(in[0].text())
	count, bits := in[1].number(1, 1, 256), 8
	if len(in) == 3 {
		bits = in[2].number(8, 1, 32)
	}
	if err != nil || !block.Addr().Is4() {
		return broken("got %s, want an IPv4 block such as 10.0.0.0/16 (not emulated: IPv6)", in[0].got())
	}
	size := uint64(1) << bits
	if uint64(count)*size > uint64(1)<<(32-block.Bits()) {
		return broken("%s does not hold %d blocks of %d addresses", block, count, size)
	}
	first := block.Masked().Addr().As4()
	start := uint64(binary.BigEndian.Uint32(first[:]))
	out := r.doc.list(n)
	for i := range uint64(count) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(start+i*size))
		out.Content = append(out.Content, r.doc.text(n, netip.PrefixFrom(netip.AddrFrom4(a), 32-bits).String()))
	}
	return out
}
