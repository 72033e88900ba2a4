package k8s_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kubelet is a node that runs the commands of containers as processes of this machine, whatever their image is.
type kubelet struct {
	*rig
	mu   sync.Mutex
	runs map[string]*process // by uid of the Pod
	stop chan struct{}
}

// process is a container.
type process struct {
	cmd     *exec.Cmd
	changed *sync.Cond
	lines   []line
	over    bool
}

type podSpec struct {
	Metadata struct {
		Name, UID         string
		DeletionTimestamp string
	}
	Spec struct {
		NodeName   string
		Containers []struct {
			Name, Image   string
			Command, Args []string
			Env           []struct{ Name, Value string }
		}
	}
	Status struct{ Phase string }
}

// newKubelet registers the node and runs it until the test ends.
func newKubelet(t *testing.T, r *rig) *kubelet {
	t.Helper()
	k := &kubelet{rig: r, runs: map[string]*process{}, stop: make(chan struct{})}
	server := httptest.NewTLSServer(http.HandlerFunc(k.logs))
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	r.must(http.MethodPost, "/api/v1/nodes", obj{"metadata": obj{"name": "n1"}, "status": obj{
		"addresses": []obj{{"type": "InternalIP", "address": "127.0.0.1"}}, "daemonEndpoints": obj{"kubeletEndpoint": obj{"Port": number}},
	}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			k.sync()
			select {
			case <-k.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	t.Cleanup(func() {
		close(k.stop)
		<-done
		k.mu.Lock()
		for _, p := range k.runs {
			p.kill()
		}
		k.mu.Unlock()
		server.CloseClientConnections()
		server.Close()
	})
	return k
}

const podPath = "/api/v1/namespaces/lab/pods/"

// sync does what the Pods ask for.
func (k *kubelet) sync() {
	var list struct{ Items []podSpec }
	if k.call(http.MethodGet, strings.TrimSuffix(podPath, "/"), nil, &list) != nil {
		return // the API server is away
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, p := range list.Items {
		name, run := p.Metadata.Name, k.runs[p.Metadata.UID]
		switch {
		case p.Metadata.DeletionTimestamp != "":
			if run != nil {
				run.kill()
			}
			_ = k.call(http.MethodDelete, podPath+name, obj{"gracePeriodSeconds": 0}, nil)
		case p.Spec.NodeName == "" && p.Spec.Containers[0].Image != "nowhere":
			_ = k.call(http.MethodPost, podPath+name+"/binding", obj{"apiVersion": "v1", "kind": "Binding", "metadata": obj{"name": name}, "target": obj{"kind": "Node", "name": "n1"}}, nil)
		case p.Spec.NodeName != "" && run == nil && p.Status.Phase == "Pending":
			k.runs[p.Metadata.UID] = k.launch(p)
		}
	}
}

// launch starts the command and reports how it goes.
func (k *kubelet) launch(p podSpec) *process {
	c := p.Spec.Containers[0]
	words := append(append([]string{}, c.Command...), c.Args...)
	run := &process{cmd: exec.Command(words[0], words[1:]...), changed: sync.NewCond(&sync.Mutex{})}
	run.cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, e := range c.Env {
		run.cmd.Env = append(run.cmd.Env, e.Name+"="+strings.ReplaceAll(e.Value, "$$", "$"))
	}
	run.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := run.cmd.StdoutPipe()
	require.NoError(k.t, err)
	run.cmd.Stderr = run.cmd.Stdout
	require.NoError(k.t, run.cmd.Start())
	report := func(phase string, state obj) {
		status := obj{"phase": phase, "containerStatuses": []obj{{"name": c.Name, "image": c.Image, "imageID": "", "ready": false, "restartCount": 0, "state": state}}}
		for range 100 { // the API server may be away
			if k.call(http.MethodPatch, podPath+p.Metadata.Name+"/status", obj{"status": status}, nil) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	report("Running", obj{"running": obj{"startedAt": time.Now().UTC().Format(time.RFC3339)}})
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			run.changed.L.Lock()
			run.lines = append(run.lines, line{at: time.Now(), text: lines.Text()})
			run.changed.L.Unlock()
			run.changed.Broadcast()
		}
		_ = run.cmd.Wait()
		run.changed.L.Lock()
		run.over = true
		run.changed.L.Unlock()
		run.changed.Broadcast()
		code, phase, reason := run.cmd.ProcessState.ExitCode(), "Succeeded", "Completed"
		if code != 0 {
			phase, reason = "Failed", "Error"
		}
		if code < 0 {
			code = 137
		}
		report(phase, obj{"terminated": obj{"exitCode": code, "reason": reason}})
	}()
	return run
}

func (p *process) kill() { _ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// logs answers /containerLogs/<namespace>/<pod>/<container> as a kubelet does.
func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	var p podSpec
	if len(parts) != 5 || k.call(http.MethodGet, podPath+parts[3], nil, &p) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	k.mu.Lock()
	run := k.runs[p.Metadata.UID]
	k.mu.Unlock()
	if run == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("sinceTime"))
	go func() {
		<-r.Context().Done()
		run.changed.Broadcast()
	}()
	for i := 0; ; i++ {
		run.changed.L.Lock()
		for i >= len(run.lines) && !run.over && r.Context().Err() == nil {
			run.changed.Wait()
		}
		if i >= len(run.lines) || r.Context().Err() != nil {
			run.changed.L.Unlock()
			return
		}
		l := run.lines[i]
		run.changed.L.Unlock()
		if l.at.Before(since) {
			continue
		}
		fmt.Fprintf(w, "%s %s\n", l.at.UTC().Format(time.RFC3339Nano), l.text)
		w.(http.Flusher).Flush()
	}
}
