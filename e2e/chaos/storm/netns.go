package storm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
)

// network is a bridge of its own and a network namespace for each process, so that a process can lose its cable: packets
// are dropped by the kernel, nobody is told, and TCP notices as late as it does in life. It needs root and ip(8).
type network struct {
	id     string // prefix of all names
	prefix string // of addresses: "10.x.y."
	spaces []string
}

// space is a process's place in the network.
type space struct {
	name string // of the namespace
	host string // its address
	veth string // the bridge's end of its cable
}

func command(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// makeNetwork makes the bridge, with the address that ends in 1.
func makeNetwork(ctx context.Context) (*network, error) {
	n := &network{id: fmt.Sprintf("dc%04x", rand.IntN(1<<16)), prefix: fmt.Sprintf("10.%d.%d.", 100+rand.IntN(100), 1+rand.IntN(250))}
	for _, args := range [][]string{
		{"ip", "link", "add", n.id, "type", "bridge"},
		{"ip", "addr", "add", n.prefix + "1/24", "dev", n.id},
		{"ip", "link", "set", n.id, "up"},
	} {
		if err := command(ctx, args...); err != nil {
			return nil, errors.Join(err, n.close(context.WithoutCancel(ctx)))
		}
	}
	return n, nil
}

// add makes a namespace with a cable to the bridge.
func (n *network) add(ctx context.Context, name string) (space, error) {
	s := space{name: n.id + "-" + name, host: fmt.Sprintf("%s%d", n.prefix, 10+len(n.spaces)), veth: n.id + name}
	n.spaces = append(n.spaces, s.name)
	for _, args := range [][]string{
		{"ip", "netns", "add", s.name},
		{"ip", "link", "add", s.veth, "type", "veth", "peer", "name", "eth0", "netns", s.name},
		{"ip", "link", "set", s.veth, "master", n.id, "up"},
		{"ip", "-n", s.name, "addr", "add", s.host + "/24", "dev", "eth0"},
		{"ip", "-n", s.name, "link", "set", "eth0", "up"},
		{"ip", "-n", s.name, "link", "set", "lo", "up"},
	} {
		if err := command(ctx, args...); err != nil {
			return s, err
		}
	}
	return s, nil
}

// pull drops what goes over the cable: everything (0), what the process is sent (1), or what it sends (2). A direction is
// cut by a queue that takes no packet of any size.
func (s space) pull(ctx context.Context, way int) error {
	switch way {
	case 1:
		return command(ctx, "tc", "qdisc", "add", "dev", s.veth, "root", "tbf", "rate", "8bit", "burst", "1", "latency", "1ms")
	case 2:
		return command(ctx, "ip", "netns", "exec", s.name, "tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "8bit", "burst", "1", "latency", "1ms")
	default:
		return command(ctx, "ip", "link", "set", s.veth, "down")
	}
}

// plug undoes pull.
func (s space) plug(ctx context.Context, way int) error {
	switch way {
	case 1:
		return command(ctx, "tc", "qdisc", "del", "dev", s.veth, "root")
	case 2:
		return command(ctx, "ip", "netns", "exec", s.name, "tc", "qdisc", "del", "dev", "eth0", "root")
	default:
		return command(ctx, "ip", "link", "set", s.veth, "up")
	}
}

// close removes everything.
func (n *network) close(ctx context.Context) error {
	var err error
	for _, s := range n.spaces {
		err = errors.Join(err, command(ctx, "ip", "netns", "del", s)) // the cables go with it
	}
	return errors.Join(err, command(ctx, "ip", "link", "del", n.id))
}
