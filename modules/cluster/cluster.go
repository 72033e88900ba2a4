package cluster

import (
	"context"
	"errors"
	"time"
)

// Namespace is the root of the tree, as DolphinScheduler names it.
const Namespace = "dolphinscheduler"

// Kind is what a node is.
type Kind string

// The kinds of nodes, named as in the tree.
const (
	Master      Kind = "master"
	Worker      Kind = "worker"
	AlertServer Kind = "alert-server"
)

// Status says whether a node wants new work.
type Status string

// The statuses of a node.
const (
	Normal Status = "NORMAL"
	Busy   Status = "BUSY" // overloaded, or draining: Reason says which
)

// Heartbeat is what a node says of itself: the fields that DolphinScheduler's tools read (engine.md 9.3), then ours.
// Usages are shares of 1.
type Heartbeat struct {
	StartupTime    int64   `json:"startupTime"` // ms
	ReportTime     int64   `json:"reportTime"`  // ms
	ProcessID      int     `json:"processId"`
	Host           string  `json:"host"`
	Port           int     `json:"port"`
	ServerStatus   Status  `json:"serverStatus"`
	JVMCPUUsage    float64 `json:"jvmCpuUsage"` // of this process
	CPUUsage       float64 `json:"cpuUsage"`    // of the machine
	JVMMemoryUsage float64 `json:"jvmMemoryUsage"`
	MemoryUsage    float64 `json:"memoryUsage"`
	DiskUsage      float64 `json:"diskUsage"`

	// Workers only.
	WorkerHostWeight int     `json:"workerHostWeight,omitempty"`
	ThreadPoolUsage  float64 `json:"threadPoolUsage,omitempty"` // running / slots

	Name        string   `json:"name"`        // stable and configured; Incarnation is one process of it
	Incarnation string   `json:"incarnation"` // fresh for each process
	Hostname    string   `json:"hostname"`
	Version     string   `json:"version"`
	Protocol    uint32   `json:"protocol"`             // of modules/rpc, masters and workers
	RPCAddress  string   `json:"rpcAddress,omitempty"` // masters: where workers dial
	WebAddress  string   `json:"webAddress,omitempty"` // masters with pages: where other masters and people reach them
	Reason      string   `json:"reason,omitempty"`     // why it is busy
	LoadAverage float64  `json:"loadAverage"`
	Groups      []string `json:"groups,omitempty"`
	Slots       int      `json:"slots,omitempty"`
	Running     int      `json:"running,omitempty"` // attempts of a worker, runs of a master
	Waiting     int      `json:"waiting,omitempty"` // attempts of a master that wait for a slot
	Draining    bool     `json:"draining,omitempty"`
}

// Node is one live process as the registry shows it.
type Node struct {
	Kind      Kind
	Address   string // host:port, unique within its kind: the last part of its path
	Path      string // in the tree
	Created   time.Time
	Updated   time.Time // when its heartbeat was written last
	Heartbeat Heartbeat
	// Garbage is what the node's value says when it is no heartbeat; such a node is alive and gets no work.
	Garbage string
}

// Entry is one node of the whole tree, for people who look at it.
type Entry struct {
	Path      string
	Value     string
	Ephemeral bool
	Owner     string // the session that holds it, "" = nobody
	Created   time.Time
	Updated   time.Time
}

// Errors of registries.
var (
	// ErrAddressTaken says that another live process is registered under the same kind and address.
	ErrAddressTaken = errors.New("cluster: the address belongs to another live process")
	// ErrLost says that the session ended: what was held through it is held no more.
	ErrLost = errors.New("cluster: the session is lost")
	// ErrForeign says that the namespace belongs to another cluster.
	ErrForeign = errors.New("cluster: the namespace belongs to another cluster")
	// ErrRefused says that the registry does not let this process in: a user, a password or rights are wrong.
	ErrRefused = errors.New("cluster: the registry refuses this process")
	// ErrClosed says that the registry was closed.
	ErrClosed = errors.New("cluster: the registry is closed")
)

// Registry is a session with whatever keeps the tree. All methods are safe for concurrent use. A registry that cannot be
// reached is tried again for as long as the context lasts; nothing returns an error only because it is away for a moment.
// ErrForeign and ErrRefused, from any method, say that trying again is of no use.
type Registry interface {
	// Join publishes a node and keeps its value fresh: beat is asked at most once a second, and its answer is written when
	// it changed in substance, or is ten seconds old. It returns ErrAddressTaken when another session holds the address
	// for longer than a session can last without its process.
	Join(ctx context.Context, kind Kind, address string, beat func() Heartbeat) (Membership, error)
	// Watch calls fn with all live nodes of a kind: at once, after each change, and after a scan each 30 s found another
	// list than was told. Calls do not overlap. It returns when ctx ends or the registry closes.
	Watch(ctx context.Context, kind Kind, fn func([]Node)) error
	// Nodes lists the live nodes of a kind, by address.
	Nodes(ctx context.Context, kind Kind) ([]Node, error)
	// Lock waits until this session holds the lock of a name such as "master-failover".
	Lock(ctx context.Context, name string) (Lock, error)
	// Tree lists everything below the namespace, by path.
	Tree(ctx context.Context) ([]Entry, error)
	// SessionTimeout is how long a process that died stays in the tree.
	SessionTimeout() time.Duration
	// Name says what it is and where, for people: "zookeeper 10.0.0.1:2181,…". It holds no password.
	Name() string
	// Close leaves at once what is held, and ends the session.
	Close() error
}

// Membership is a node of this process in the tree.
type Membership interface {
	// Lost is closed when this process no longer counts, or may no longer count in a moment: at two thirds of the session
	// timeout after the last proof of life, on a monotonic clock, so before anybody else can act on it. It is not closed
	// by Leave. A new Join is needed then.
	Lost() <-chan struct{}
	// Publish writes the heartbeat now.
	Publish()
	// Leave removes the node.
	Leave(ctx context.Context) error
}

// Lock is held until Unlock, or until Lost is closed.
type Lock interface {
	Lost() <-chan struct{}
	Unlock(ctx context.Context) error
}
