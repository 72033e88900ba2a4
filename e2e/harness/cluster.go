package harness

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"
)

// Cluster says how to start a master and a worker as processes of their own.
type Cluster struct {
	Binary        string
	Database      string // postgres://…
	AdminPassword string
	Env           []string
}

// StartCluster starts one master and one worker that find each other by address. It waits for neither.
func StartCluster(ctx context.Context, c Cluster) (master, worker *Process, err error) {
	port, err := FreePort(ctx)
	if err != nil {
		return nil, nil, err
	}
	rpc := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	secret := "DORADO_CLUSTER_SECRET=end-to-end-tests"
	master, err = Start(ctx, Options{
		Binary: c.Binary, Mode: "master", AdminPassword: c.AdminPassword,
		Env: append([]string{"DORADO_DATABASE=" + c.Database, "DORADO_CLUSTER_LISTEN=" + rpc, secret}, c.Env...),
	})
	if err != nil {
		return nil, nil, err
	}
	worker, err = Start(ctx, Options{
		Binary: c.Binary, Mode: "worker",
		Env: append([]string{"DORADO_CLUSTER_MASTERS=" + rpc, secret}, c.Env...),
	})
	if err != nil {
		return nil, nil, errors.Join(err, master.Close()) //nolint:contextcheck // cleaning up must outlive the context
	}
	return master, worker, nil
}

// HealthDetails returns what the health endpoint tells about the database.
func (c *Client) HealthDetails(ctx context.Context) (map[string]string, error) {
	res, err := c.Do(ctx, http.MethodGet, "/actuator/health", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var health struct {
		Components struct {
			DB struct{ Details map[string]any }
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&health); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for k, v := range health.Components.DB.Details {
		if text, ok := v.(string); ok {
			out[k] = text
		}
	}
	return out, nil
}

// WorkerAddresses lists the workers that are connected to the master that is asked.
func (c *Client) WorkerAddresses(ctx context.Context) ([]string, error) {
	return call[[]string](ctx, c, http.MethodGet, "/worker-groups/worker-address-list", nil)
}

// Server is a node as the monitor shows it.
type Server struct {
	Host    string
	Port    int
	ResInfo string // the heartbeat
}

// Servers lists the live nodes of a kind: MASTER, WORKER or ALERT_SERVER.
func (c *Client) Servers(ctx context.Context, kind string) ([]Server, error) {
	return call[[]Server](ctx, c, http.MethodGet, "/monitor/"+kind, nil)
}
