package monitor_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/db/dbtest"
	"dorado/modules/access"
	"dorado/modules/cluster"
	"dorado/modules/security/crudtest"
)

func (w *world) call(t *testing.T, p access.Principal, path string) string {
	t.Helper()
	h := w.App.API.Router(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(rw, r.WithContext(access.WithPrincipal(r.Context(), p)))
		})
	}, w.Module.API)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	require.Equal(t, http.StatusOK, rec.Code)
	return rec.Body.String()
}

func TestNodesAreToldToClientsAsDolphinSchedulerTellsThem(t *testing.T) {
	t.Parallel()
	w := open(t, dbtest.SQLite(t))
	at := time.Date(2024, 10, 18, 10, 0, 0, 0, time.UTC)
	beat := cluster.Heartbeat{
		ProcessID: 4711, StartupTime: 1729245600000, ReportTime: 1729245660000, JVMCPUUsage: 0.01, CPUUsage: 0.12, JVMMemoryUsage: 0.2, MemoryUsage: 0.5,
		DiskUsage: 0.4, ServerStatus: cluster.Normal, Host: "10.0.0.2", Port: 5678, Name: "m1", Version: "x", Incarnation: "i",
	}
	w.tree.nodes = []cluster.Node{
		{Kind: cluster.Master, Address: "10.0.0.2:5678", Path: "/dolphinscheduler/nodes/master/10.0.0.2:5678", Created: at, Updated: at.Add(time.Minute), Heartbeat: beat},
	}
	worker := beat
	worker.WorkerHostWeight, worker.ThreadPoolUsage, worker.ServerStatus = 100, 0.25, cluster.Busy
	w.tree.nodes = append(w.tree.nodes, cluster.Node{Kind: cluster.Worker, Address: "10.0.0.2:1234", Created: at, Updated: at, Heartbeat: worker})

	require.JSONEq(t, `{"code":0,"msg":"success","failed":false,"success":true,"data":[{"id":4711,"host":"10.0.0.2","port":5678,"zkDirectory":"/nodes/master/10.0.0.2:5678","resInfo":"{\"processId\":4711,\"startupTime\":1729245600000,\"reportTime\":1729245660000,\"jvmCpuUsage\":0.01,\"cpuUsage\":0.12,\"jvmMemoryUsage\":0.2,\"memoryUsage\":0.5,\"diskUsage\":0.4,\"serverStatus\":\"NORMAL\",\"host\":\"10.0.0.2\",\"port\":5678}","createTime":"2024-10-18 10:00:00","lastHeartbeatTime":"2024-10-18 10:01:00"}]}`,
		w.call(t, w.General, "/monitor/MASTER"))
	body := w.call(t, w.General, "/monitor/MASTER")
	require.Contains(t, body, `"data":[{"id":4711,"host":"10.0.0.2","port":5678,"zkDirectory":"/nodes/master/10.0.0.2:5678","resInfo":"{\"processId\":4711,`, "the order of fields too")
	require.Contains(t, w.call(t, w.General, "/monitor/WORKER"), `\"serverStatus\":\"BUSY\",\"host\":\"10.0.0.2\",\"port\":5678,\"workerHostWeight\":100,\"threadPoolUsage\":0.25}"`)
	require.Contains(t, w.call(t, w.General, "/monitor/ALERT_SERVER"), `"data":[]`)
	for _, wrong := range []string{"master", "Worker", "REGISTRY", "%3Cb%3E"} {
		var out struct{ Code int }
		require.NoError(t, json.Unmarshal([]byte(w.call(t, w.General, "/monitor/"+wrong)), &out))
		require.Equal(t, 10045, out.Code, wrong)
	}
}

func TestTheDatabaseIsToldToClients(t *testing.T) {
	t.Parallel()
	dbtest.Each(t, func(t *testing.T, d *db.DB) {
		w := open(t, d)
		out := crudtest.REST(t, w.App, w.General, w.Module.API)(http.MethodGet, "/monitor/databases", "")
		list := out["data"].([]any)
		require.Len(t, list, 1)
		row := list[0].(map[string]any)
		require.Equal(t, "YES", row["state"])
		require.Len(t, row, 7)
		for _, name := range []string{"dbType", "maxConnections", "maxUsedConnections", "threadsConnections", "threadsRunningConnections", "date"} {
			require.Contains(t, row, name)
		}
	})
}
