package auth

import "net/netip"

// network is a prefix of client addresses. factor is how many times the limits of the narrowest
// networks it has: its neighbours must not wait because of one guesser who has used up the limits
// of a narrower network.
type network struct {
	prefix string
	factor int
}

// networksOf returns the networks of an address, the narrowest first: of IPv4 the address itself
// and the /24, of IPv6 the /64, the /56 and the /48. A customer has at least the first of them and
// at most the last. A loopback address, and what is not an address, has none.
func networksOf(address string) []network {
	ip, err := netip.ParseAddr(address)
	if ip = ip.Unmap().WithZone(""); err != nil || ip.IsLoopback() {
		return nil
	}
	if ip.Is4() {
		return []network{networkOf(ip, 32, 1), networkOf(ip, 24, 16)}
	}
	return []network{networkOf(ip, 64, 1), networkOf(ip, 56, 4), networkOf(ip, 48, 16)}
}

func networkOf(ip netip.Addr, bits, factor int) network {
	prefix, _ := ip.Prefix(bits) // fails only for too many bits
	return network{prefix.String(), factor}
}
