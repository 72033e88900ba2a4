package dial

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// ErrForbidden says that an address is one that nobody may make this program talk to.
var ErrForbidden = errors.New("connections to this address are not allowed")

// Check returns ErrForbidden for the addresses of cloud metadata services, for link-local, multicast and broadcast ones.
func Check(ip netip.Addr) error {
	ip = ip.Unmap()
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return fmt.Errorf("%w: %s", ErrForbidden, ip)
	}
	switch ip.String() {
	case "100.100.100.200", "192.0.0.192", "fd00:ec2::254", // metadata at Alibaba, Oracle, and AWS over IPv6
		"255.255.255.255":
		return fmt.Errorf("%w: %s", ErrForbidden, ip)
	}
	return nil
}

// control is Check for net.Dialer: it sees the address that is really connected to.
func control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrForbidden, address)
	}
	return Check(at.Addr())
}

// New returns a dialer that gives up after timeout and refuses what Check refuses.
func New(timeout time.Duration) *net.Dialer { return &net.Dialer{Timeout: timeout, Control: control} }

// Hosts connects to the first of several hosts that answers, in order; a host may bring its own port. The timeout is for
// each of them.
func Hosts(ctx context.Context, hosts []string, port int, timeout time.Duration) (net.Conn, error) {
	var problems []error
	d := New(timeout)
	for _, h := range hosts {
		conn, err := d.DialContext(ctx, "tcp", Join(h, port))
		if err == nil {
			return conn, nil
		}
		problems = append(problems, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(problems...)
}

// Join is host and port as one address. A host with a port of its own keeps it; an IPv6 address may stand in brackets.
func Join(host string, port int) string {
	if h, p, err := net.SplitHostPort(host); err == nil {
		return net.JoinHostPort(h, p)
	}
	if len(host) > 1 && host[0] == '[' && host[len(host)-1] == ']' {
		host = host[1 : len(host)-1]
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}
