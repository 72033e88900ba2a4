package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/metrics"
	"dorado/modules/gateway/py4j"
	"dorado/modules/identity"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/security/environment"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/workflow"
)

// Deps is what the gateway needs.
type Deps struct {
	Config       Config
	DB           *db.DB
	Identity     *identity.Service
	Tenants      *tenant.Service
	Queues       *queue.Service
	Environments *environment.Service
	Projects     *project.Service
	Workflows    *workflow.Service
	Schedules    *schedule.Service
	Instances    *instance.Service
	Datasources  Datasources // nil: there are none
	Resources    Resources   // nil: there are none
	Codes        *ids.Generator
	Metrics      *metrics.Registry
	Logger       *slog.Logger
	Now          func() time.Time
}

// Datasource is a connection that tasks name.
type Datasource struct {
	ID     int64
	Name   string
	Note   string
	Type   string // upper case, such as MYSQL
	UserID int64
	Params string // JSON, without secrets
}

// Datasources is implemented by the module of data sources.
type Datasources interface {
	// Named lists those with exactly this name, of whatever type.
	Named(ctx context.Context, name string) ([]Datasource, error)
}

// Resource is a file that tasks bring along.
type Resource struct {
	ID        int64
	FullName  string // absolute, with the prefix of the storage
	FileName  string
	Directory bool
	Size      int64
}

// Resources is implemented by the module of files.
type Resources interface {
	// Named returns the file with this name: absolute, with or without the prefix of the storage, or below the folder of a
	// tenant.
	Named(ctx context.Context, name, tenant string) (r Resource, found bool, err error)
	// Save creates or replaces a text file, as whoever acts.
	Save(ctx context.Context, name, tenant, content string) (Resource, error)
}

// Gateway serves clients of the Python SDK.
type Gateway struct {
	Deps
	server *py4j.Server
}

// New returns a gateway that does not listen yet.
func New(d Deps) *Gateway {
	g := &Gateway{Deps: d}
	g.server = py4j.New(py4j.Options{Entry: newEntry(d), Token: d.Config.Token.Reveal(), Limits: py4j.DefaultLimits(), Logger: d.Logger, Now: d.Now})
	d.Metrics.GaugeFunc("dorado.gateway.connections", "Clients of the Python gateway.", func() float64 { return float64(g.server.Connections()) })
	d.Metrics.GaugeFunc("dorado.gateway.objects", "Objects that clients of the Python gateway hold.", func() float64 { return float64(g.server.Objects()) })
	return g
}

// keepAlive finds clients whose machine is gone: their connections may be idle for as long as they like.
const keepAlive = 30 * time.Second

// Listen opens the port, so that one in use is said at once.
func (g *Gateway) Listen(ctx context.Context) (net.Listener, error) {
	config := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 4}}
	listener, err := config.Listen(ctx, "tcp", g.Config.Listen)
	if err != nil {
		return nil, fmt.Errorf("python gateway: %w", err)
	}
	if g.Config.Token == "" {
		g.Logger.WarnContext(ctx, "the Python gateway asks for no token: every account of this machine can act as any user", "address", listener.Addr().String())
	}
	g.Logger.InfoContext(ctx, "Python gateway is ready", "address", listener.Addr().String(), "version", g.Config.Version)
	return listener, nil
}

// Serve answers until ctx ends. It closes the listener.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	return g.server.Serve(ctx, listener)
}
