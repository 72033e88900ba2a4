package monitor

import (
	"context"
	"net"
	"strconv"
	"time"

	"dorado/app/kit/fault"
	"dorado/modules/cluster"
)

// Registry is what this package needs of a cluster.Registry.
type Registry interface {
	Nodes(ctx context.Context, kind cluster.Kind) ([]cluster.Node, error)
	Tree(ctx context.Context) ([]cluster.Entry, error)
	Name() string
}

const (
	// beatEvery is how often a node writes its heartbeat at least, whatever it says.
	beatEvery = 10 * time.Second
	// missedBeats is how many may be missing before a page says so.
	missedBeats = 3
)

// Server is one live node, with what the product adds to what the registry says.
type Server struct {
	cluster.Node
	Drained bool // a worker that an administrator has drained; it may not have heard of it yet
	Setting bool // there is a wish for this worker
}

// Name is what people call the node: its configured name, or its address when it does not say.
func (s *Server) Name() string {
	if s.Heartbeat.Name != "" {
		return s.Heartbeat.Name
	}
	return s.Address
}

// Beat is when the node was heard of last.
func (s *Server) Beat() time.Time {
	if s.Updated.IsZero() {
		return milli(s.Heartbeat.ReportTime)
	}
	return s.Updated
}

// Late reports whether the node missed more heartbeats than an accident explains.
func (s *Server) Late(now time.Time) bool {
	beat := s.Beat()
	return !beat.IsZero() && now.Sub(beat) > missedBeats*beatEvery
}

func milli(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// hostPort splits an address; what is no address is a host.
func hostPort(address string) (host string, port int) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return address, 0
	}
	port, _ = strconv.Atoi(text)
	return host, port
}

// EventKind is what happened to a node.
type EventKind string

// The kinds of events. Engines write all but those about draining.
const (
	MasterJoined    EventKind = "MASTER_JOINED"
	MasterLeft      EventKind = "MASTER_LEFT"
	MasterLost      EventKind = "MASTER_LOST"
	TakenOver       EventKind = "TAKEN_OVER"
	WorkerJoined    EventKind = "WORKER_JOINED"
	WorkerLeft      EventKind = "WORKER_LEFT"
	WorkerLost      EventKind = "WORKER_LOST"
	WorkerDrained   EventKind = "WORKER_DRAINED"
	WorkerUndrained EventKind = "WORKER_UNDRAINED"
	LeaseLost       EventKind = "LEASE_LOST"
	Overloaded      EventKind = "OVERLOADED"
	Recovered       EventKind = "RECOVERED"
)

// EventKinds lists all kinds in the order in which a filter offers them.
func EventKinds() []EventKind {
	return []EventKind{
		MasterJoined, MasterLeft, MasterLost, TakenOver, LeaseLost, WorkerJoined, WorkerLeft, WorkerLost, WorkerDrained, WorkerUndrained, Overloaded, Recovered,
	}
}

// Event is one line of the story of the cluster.
type Event struct {
	ID        int64     `db:"id"`
	At        time.Time `db:"at"`
	Kind      EventKind `db:"kind"`
	NodeKind  string    `db:"node_kind"` // cluster.Master, cluster.Worker
	Node      string    `db:"node"`      // name of whom it happened to
	By        string    `db:"by_node"`   // who noticed or did it: a node, or a person
	Workflows int       `db:"workflows"` // instances concerned
	Tasks     int       `db:"tasks"`     // attempts concerned
	TookMS    int64     `db:"took_ms"`
	Detail    string    `db:"detail"`
}

// Sample is how a node was at one moment.
type Sample struct {
	NodeKind string    `db:"node_kind"`
	Node     string    `db:"node"`
	At       time.Time `db:"at"`
	CPU      float64   `db:"cpu"`    // share of 1, as the following two
	Memory   float64   `db:"memory"` //
	Disk     float64   `db:"disk"`   //
	Load     float64   `db:"load"`
	Running  int       `db:"running"`
	Slots    int       `db:"slots"`
}

// Faults of this package.
var (
	ErrNoNode       = fault.New(fault.NotFound, "monitor.error.no_node")
	ErrNoCommand    = fault.New(fault.NotFound, "monitor.error.no_command")
	ErrRunOver      = fault.New(fault.Conflict, "monitor.error.run_over")
	errNodeType     = fault.New(fault.Invalid, "monitor.error.node_type")
	ErrRegistryAway = fault.New(fault.Unavailable, "monitor.error.registry_away")
)
