package k8s_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

type obj = map[string]any

// cluster is an API server with one node that runs what the image's name says, in memory.
type cluster struct {
	*httptest.Server
	mu      sync.Mutex
	changed *sync.Cond
	version int
	history []change
	objects map[string]obj // by kind/name
	logs    map[string][]line
	over    bool

	// What goes wrong. Numbers count down.
	forget    int              // watches that are answered by 410
	expire    int              // watches that tell an ERROR event with 410
	garbage   int              // watches that tell something else
	brief     bool             // each watch ends after one event
	away      int              // requests that get 503
	cutAfter  int              // a log stream breaks after so many bytes, the next one later; 0: never
	late      int              // log requests that get 400 first
	noPods    bool             // pods must not be seen
	lost      int              // Jobs whose creation is done but answered by 500
	refused   string           // why Jobs are not created
	keep      map[string]bool  // Jobs that the deletion leaves for a while
	requests  []string         // method and path
	created   []map[string]any // Jobs as they were asked for
	deletions []string         // name and propagation
}

type change struct {
	version int
	kind    string
	what    string
	object  json.RawMessage
	name    string
	job     string
}

type line struct {
	at   time.Time
	text string
	cut  bool // without an end
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{objects: map[string]obj{}, logs: map[string][]line{}, version: 100, keep: map[string]bool{}}
	c.changed = sync.NewCond(&c.mu)
	c.Server = httptest.NewUnstartedServer(http.HandlerFunc(c.serve))
	c.EnableHTTP2 = true
	c.StartTLS()
	t.Cleanup(func() {
		c.mu.Lock()
		c.over = true
		c.changed.Broadcast()
		c.mu.Unlock()
		c.CloseClientConnections()
		c.Close()
	})
	return c
}

func (c *cluster) refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(obj{"kind": "Status", "code": code, "reason": reason, "message": message})
}

func (c *cluster) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Method+" "+r.URL.Path)
	if r.Header.Get("Authorization") != "Bearer t0ken" {
		c.refuse(w, 401, "Unauthorized", "Unauthorized")
		return
	}
	if c.away > 0 {
		c.away--
		c.refuse(w, 503, "ServiceUnavailable", "the server is starting")
		return
	}
	const jobs, pods = "/apis/batch/v1/namespaces/lab/jobs", "/api/v1/namespaces/lab/pods"
	switch path := r.URL.Path; {
	case path == jobs && r.Method == http.MethodPost:
		c.post(w, r)
	case path == jobs:
		name := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
		c.list(w, r, "job", func(n, _ string) bool { return n == name })
	case strings.HasPrefix(path, jobs+"/"):
		c.job(w, r, strings.TrimPrefix(path, jobs+"/"))
	case path == pods && c.noPods:
		c.refuse(w, 403, "Forbidden", "pods is forbidden")
	case path == pods:
		job := strings.TrimPrefix(r.URL.Query().Get("labelSelector"), "job-name=")
		c.list(w, r, "pod", func(_, j string) bool { return j == job })
	case strings.HasPrefix(path, pods+"/") && strings.HasSuffix(path, "/log"):
		c.log(w, r, strings.TrimSuffix(strings.TrimPrefix(path, pods+"/"), "/log"))
	default:
		c.refuse(w, 404, "NotFound", "no such path "+path)
	}
}

func (c *cluster) post(w http.ResponseWriter, r *http.Request) {
	if c.refused != "" {
		c.refuse(w, 403, "Forbidden", c.refused)
		return
	}
	var j obj
	if err := json.NewDecoder(r.Body).Decode(&j); err != nil {
		c.refuse(w, 400, "BadRequest", err.Error())
		return
	}
	name := j["metadata"].(obj)["name"].(string)
	if c.objects["job/"+name] != nil {
		c.refuse(w, 409, "AlreadyExists", "jobs.batch \""+name+"\" already exists")
		return
	}
	c.created = append(c.created, j)
	c.start(name, j)
	if c.lost > 0 {
		c.lost--
		c.refuse(w, 500, "InternalError", "etcdserver: request timed out")
		return
	}
	w.WriteHeader(201)
	_ = json.NewEncoder(w).Encode(j)
}

// start puts a Job in place, and its node to work.
func (c *cluster) start(name string, j obj) {
	j["metadata"].(obj)["uid"] = fmt.Sprintf("uid-%d", c.version)
	j["status"] = obj{}
	c.put("job", name, name, j)
	spec := j["spec"].(obj)["template"].(obj)["spec"].(obj)
	image := spec["containers"].([]any)[0].(obj)["image"].(string)
	go c.play(name, image)
}

func (c *cluster) put(kind, name, job string, o obj) {
	c.version++
	meta := o["metadata"].(obj)
	meta["resourceVersion"] = strconv.Itoa(c.version)
	what := "MODIFIED"
	if c.objects[kind+"/"+name] == nil {
		what = "ADDED"
	}
	c.objects[kind+"/"+name] = o
	c.note(kind, name, job, what, o)
}

func (c *cluster) note(kind, name, job, what string, o obj) {
	raw, _ := json.Marshal(o)
	c.history = append(c.history, change{c.version, kind, what, raw, name, job})
	c.changed.Broadcast()
}

func (c *cluster) drop(kind, name, job string) {
	if o := c.objects[kind+"/"+name]; o != nil {
		c.version++
		delete(c.objects, kind+"/"+name)
		c.note(kind, name, job, "DELETED", o)
	}
}

func (c *cluster) job(w http.ResponseWriter, r *http.Request, name string) {
	j := c.objects["job/"+name]
	if j == nil {
		c.refuse(w, 404, "NotFound", "jobs.batch \""+name+"\" not found")
		return
	}
	if r.Method != http.MethodDelete {
		_ = json.NewEncoder(w).Encode(j)
		return
	}
	var options struct{ PropagationPolicy string }
	_ = json.NewDecoder(r.Body).Decode(&options)
	c.deletions = append(c.deletions, name+" "+options.PropagationPolicy)
	if c.keep[name] {
		go func() {
			time.Sleep(300 * time.Millisecond)
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.keep, name)
			c.remove(name)
		}()
	} else {
		c.remove(name)
	}
	_, _ = w.Write([]byte(`{"kind":"Status","status":"Success"}`))
}

func (c *cluster) remove(name string) {
	c.drop("job", name, name)
	c.drop("pod", name+"-x", name)
}

func (c *cluster) list(w http.ResponseWriter, r *http.Request, kind string, mine func(name, job string) bool) {
	if r.URL.Query().Get("watch") == "true" {
		c.watch(w, r, kind, mine)
		return
	}
	items := []obj{}
	for id, o := range c.objects {
		if name, ok := strings.CutPrefix(id, kind+"/"); ok && mine(name, strings.TrimSuffix(name, "-x")) {
			items = append(items, o)
		}
	}
	_ = json.NewEncoder(w).Encode(obj{"metadata": obj{"resourceVersion": strconv.Itoa(c.version)}, "items": items})
}

func (c *cluster) watch(w http.ResponseWriter, r *http.Request, kind string, mine func(name, job string) bool) {
	if c.forget > 0 {
		c.forget--
		c.refuse(w, 410, "Expired", "too old resource version")
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	send := func(text string) {
		_, _ = w.Write([]byte(text))
		w.(http.Flusher).Flush()
	}
	send("")
	if c.expire > 0 {
		c.expire--
		send(`{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}` + "\n")
		return
	}
	if c.garbage > 0 {
		c.garbage--
		send([]string{"<html>\n", `{"type":"MODIFIED","object":7}`, `{"type":"MODIFIED"}`, `{"type":"NEWS","object":{}}`, `{"type":"ADDED","obj`, "\x00\xff"}[c.garbage%6])
		return
	}
	send(`{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"` + strconv.Itoa(from) + `"}}}` + "\n")
	go func() { // the wait below ends with the request
		<-r.Context().Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	}()
	for i := 0; ; i++ {
		for i >= len(c.history) {
			if c.over || r.Context().Err() != nil {
				return
			}
			c.changed.Wait()
		}
		h := c.history[i]
		if h.version <= from || h.kind != kind || !mine(h.name, h.job) {
			continue
		}
		send(`{"type":"` + h.what + `","object":` + string(h.object) + "}\n")
		if c.brief {
			return
		}
	}
}

func (c *cluster) log(w http.ResponseWriter, r *http.Request, name string) {
	if c.late > 0 {
		c.late--
		c.refuse(w, 400, "BadRequest", "container is waiting to start: ContainerCreating")
		return
	}
	since, _ := time.Parse(time.RFC3339, r.URL.Query().Get("sinceTime"))
	sent := 0
	go func() {
		<-r.Context().Done()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	}()
	for i := 0; ; i++ {
		for i >= len(c.logs[name]) {
			if p := c.objects["pod/"+name]; c.over || r.Context().Err() != nil || p == nil || p["status"].(obj)["phase"] != "Running" {
				return
			}
			c.changed.Wait()
		}
		l := c.logs[name][i]
		if l.at.Before(since) {
			continue
		}
		text := l.at.Format(time.RFC3339Nano) + " " + l.text
		if !l.cut {
			text += "\n"
		}
		if c.cutAfter > 0 && sent+len(text) > c.cutAfter && sent > 0 {
			_, _ = w.Write([]byte(text[:len(text)/2]))
			w.(http.Flusher).Flush()
			c.cutAfter += 1500
			if i%2 == 0 {
				panic(http.ErrAbortHandler)
			}
			return
		}
		sent += len(text)
		_, _ = w.Write([]byte(text))
		w.(http.Flusher).Flush()
	}
}

// play is the node: it does what the image's name says.
func (c *cluster) play(job, image string) {
	pod := job + "-x"
	set := func(phase string, more obj) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.objects["job/"+job] == nil {
			return
		}
		status := obj{"phase": phase}
		maps.Copy(status, more)
		c.put("pod", pod, job, obj{"metadata": obj{"name": pod, "labels": obj{"job-name": job}}, "spec": obj{"nodeName": "n1"}, "status": status})
	}
	state := func(s obj) obj { return obj{"containerStatuses": []obj{{"name": job, "state": s}}} }
	say := func(texts ...string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, text := range texts {
			c.logs[pod] = append(c.logs[pod], line{at: time.Now(), text: text})
		}
		c.changed.Broadcast()
	}
	end := func(code int, reason string, s obj) {
		t := obj{"exitCode": code, "reason": reason}
		maps.Copy(t, s)
		phase, count := "Succeeded", "succeeded"
		if code != 0 {
			phase, count = "Failed", "failed"
		}
		set(phase, state(obj{"terminated": t}))
		c.mu.Lock()
		defer c.mu.Unlock()
		if j := c.objects["job/"+job]; j != nil {
			next := obj{}
			maps.Copy(next, j)
			next["status"] = obj{count: 1}
			c.put("job", job, job, next)
		}
	}
	moment := func() { time.Sleep(20 * time.Millisecond) }
	moment()
	set("Pending", state(obj{"waiting": obj{"reason": "ContainerCreating"}}))
	if image == "stuck" || image == "unpullable" {
		if image == "stuck" {
			set("Pending", obj{"conditions": []obj{{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}}})
		} else {
			for range 3 {
				set("Pending", state(obj{"waiting": obj{"reason": "ErrImagePull", "message": "not found:\n no such image"}}))
				set("Pending", state(obj{"waiting": obj{"reason": "ImagePullBackOff", "message": "Back-off"}}))
			}
		}
		moment()
	}
	if image == "flash" { // over before anybody looks
		c.mu.Lock()
		c.logs[pod] = []line{{at: time.Now(), text: "flash"}}
		c.mu.Unlock()
		end(0, "Completed", nil)
		return
	}
	set("Running", state(obj{"running": obj{}}))
	moment()
	switch image {
	case "many":
		for i := range 200 {
			say(fmt.Sprintf("line %03d", i))
			if i%50 == 49 {
				moment()
			}
		}
		c.mu.Lock()
		c.logs[pod] = append(c.logs[pod], line{at: time.Now(), text: "no end", cut: true})
		c.mu.Unlock()
	case "values":
		say("${setValue(one=1)}", "noise #{setValue(two=a", "b)} more", "after")
	case "exit3":
		say("oh no")
		end(3, "Error", obj{"message": "gave\nup"})
		return
	case "oom":
		end(137, "OOMKilled", nil)
		return
	case "signal":
		end(143, "Error", obj{"signal": 15})
		return
	case "evicted":
		set("Failed", obj{"reason": "Evicted", "message": "disk pressure"})
		c.mu.Lock()
		defer c.mu.Unlock()
		if j := c.objects["job/"+job]; j != nil {
			next := obj{"metadata": j["metadata"], "spec": j["spec"], "status": obj{"conditions": []obj{{"type": "Failed", "status": "True", "message": "backoff"}}}}
			c.put("job", job, job, next)
		}
		return
	case "vanishes":
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(job)
		return
	case "sleep":
		say("sleeping")
		return
	default:
		say("hello from " + image)
	}
	end(0, "Completed", nil)
}
