package monitor

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/go-chi/chi/v5"

	"dorado/app/kit/web/dsapi"
	"dorado/modules/cluster"
)

type api struct {
	svc  *Service
	rest *dsapi.API
}

func (a api) routes(r chi.Router) {
	e := a.rest.Faults(dsapi.Faults{errNodeType.Key: 10045, ErrRegistryAway.Key: 10045})
	r.Get("/monitor/databases", e.OK(70001, a.databases))
	r.Get("/monitor/{nodeType}", e.OK(10045, a.servers))
}

// dsServer is a node as clients know it.
type dsServer struct {
	ID                int        `json:"id"`
	Host              string     `json:"host"`
	Port              int        `json:"port"`
	ZKDirectory       string     `json:"zkDirectory"`
	ResInfo           string     `json:"resInfo"` // JSON text of dsBeat
	CreateTime        dsapi.Time `json:"createTime"`
	LastHeartbeatTime dsapi.Time `json:"lastHeartbeatTime"`
}

// dsBeat is the heartbeat in the order in which DolphinScheduler writes it.
type dsBeat struct {
	ProcessID      int     `json:"processId"`
	StartupTime    int64   `json:"startupTime"`
	ReportTime     int64   `json:"reportTime"`
	JVMCPUUsage    float64 `json:"jvmCpuUsage"`
	CPUUsage       float64 `json:"cpuUsage"`
	JVMMemoryUsage float64 `json:"jvmMemoryUsage"`
	MemoryUsage    float64 `json:"memoryUsage"`
	DiskUsage      float64 `json:"diskUsage"`
	ServerStatus   string  `json:"serverStatus"`
	Host           string  `json:"host"`
	Port           int     `json:"port"`
}

// dsWorkerBeat is that of a worker.
type dsWorkerBeat struct {
	dsBeat
	WorkerHostWeight int     `json:"workerHostWeight"`
	ThreadPoolUsage  float64 `json:"threadPoolUsage"`
}

// nodeKinds are the node types of clients.
func nodeKind(nodeType string) (cluster.Kind, bool) {
	switch nodeType {
	case "MASTER":
		return cluster.Master, true
	case "WORKER":
		return cluster.Worker, true
	case "ALERT_SERVER":
		return cluster.AlertServer, true
	}
	return "", false
}

func (a api) servers(r *http.Request, _ *dsapi.Params) (any, error) {
	kind, ok := nodeKind(chi.URLParam(r, "nodeType"))
	if !ok {
		return nil, errNodeType
	}
	servers, err := a.svc.Servers(r.Context(), kind)
	if err != nil {
		return nil, err
	}
	out := make([]dsServer, 0, len(servers))
	for i := range servers {
		s := &servers[i]
		h := s.Heartbeat
		host, port := hostPort(s.Address)
		if h.Host == "" {
			h.Host, h.Port = host, port
		}
		if h.ServerStatus == "" {
			h.ServerStatus = cluster.Normal
		}
		beat := dsBeat{
			ProcessID: h.ProcessID, StartupTime: h.StartupTime, ReportTime: h.ReportTime, JVMCPUUsage: h.JVMCPUUsage, CPUUsage: h.CPUUsage,
			JVMMemoryUsage: h.JVMMemoryUsage, MemoryUsage: h.MemoryUsage, DiskUsage: h.DiskUsage, ServerStatus: string(h.ServerStatus),
			Host: h.Host, Port: h.Port,
		}
		var value any = beat
		if kind == cluster.Worker {
			value = dsWorkerBeat{beat, h.WorkerHostWeight, h.ThreadPoolUsage}
		}
		var info bytes.Buffer
		e := json.NewEncoder(&info)
		e.SetEscapeHTML(false)
		if err := e.Encode(value); err != nil {
			return nil, err
		}
		created := s.Created
		if created.IsZero() {
			created = milli(h.StartupTime)
		}
		out = append(out, dsServer{
			ID: h.ProcessID, Host: host, Port: port, ZKDirectory: "/nodes/" + string(kind) + "/" + s.Address,
			ResInfo: string(bytes.TrimSpace(info.Bytes())), CreateTime: dsapi.Time(created), LastHeartbeatTime: dsapi.Time(s.Beat()),
		})
	}
	return out, nil
}

// dsDatabase is the database as clients know it.
type dsDatabase struct {
	DBType                   string     `json:"dbType"`
	State                    string     `json:"state"`
	MaxConnections           int64      `json:"maxConnections"`
	MaxUsedConnections       int64      `json:"maxUsedConnections"`
	ThreadsConnections       int64      `json:"threadsConnections"`
	ThreadsRunningConnection int64      `json:"threadsRunningConnections"`
	Date                     dsapi.Time `json:"date"`
}

func (a api) databases(r *http.Request, _ *dsapi.Params) (any, error) {
	d, err := a.svc.Database(r.Context())
	if err != nil {
		return nil, err
	}
	state := "YES"
	if !d.Healthy {
		state = "NO"
	}
	return []dsDatabase{{
		DBType: d.Type, State: state, MaxConnections: max(0, d.MaxConnections), MaxUsedConnections: max(0, d.MostConnections),
		ThreadsConnections: max(0, d.Connections), ThreadsRunningConnection: max(0, d.Active), Date: dsapi.Time(d.At),
	}}, nil
}
