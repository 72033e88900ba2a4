package storm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"dorado/e2e/chaos/check"
	"dorado/e2e/harness"
)

// recipe is a workflow that the storm starts again and again.
type recipe struct {
	harness.Definition
	weight int
	tasks  int // processes that one run starts at least, children's included
	stops  bool
}

// desk is what clients work with: a project, its workflows, and a client for each master.
type desk struct {
	project   int64
	clients   []*harness.Client
	recipes   []recipe
	workflows []check.Workflow
	groups    []check.Group
	schedules []check.Schedule
	ledger    string
}

// work is shell text of a task that takes from nothing to three seconds.
const work = `sleep "$((RANDOM % 3)).$((RANDOM % 10))"`

// script writes the ledger around the work. The key of the trigger is a parameter of the run.
func (d *desk) script(work string) string { return check.Script(d.ledger, "${key}", work) }

// open signs in and saves the workflows. Nothing is broken yet.
func open(ctx context.Context, w *World) (*desk, error) {
	d := &desk{ledger: filepath.Join(w.Dir, "ledger")}
	f, err := os.OpenFile(d.ledger, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o666); err != nil { // whatever the umask says
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	for _, m := range w.Masters {
		c := harness.NewClient(m.URL)
		c.HTTP.Timeout = time.Minute // for what is made before the storm
		c.HTTP.Transport = onceOnly{c.HTTP.Transport}
		d.clients = append(d.clients, c)
	}
	c := d.clients[0]
	if err := c.Login(ctx, "admin", Password); err != nil {
		return nil, err
	}
	if err := c.UseToken(ctx); err != nil {
		return nil, err
	}
	for _, other := range d.clients {
		other.Token = c.Token
	}
	p, err := c.CreateProject(ctx, "storm", "")
	if err != nil {
		return nil, err
	}
	d.project = p.Code
	if err := d.publish(ctx, c); err != nil {
		return nil, err
	}
	for _, c := range d.clients {
		c.HTTP.Timeout = 10 * time.Second // then a client gives up, and asks another master
	}
	return d, nil
}

func (d *desk) publish(ctx context.Context, c *harness.Client) error {
	group, err := createGroup(ctx, c, "three", 3)
	if err != nil {
		return err
	}
	s := d.script
	flaky := s(work + "\n[ $((RANDOM % 3)) = 0 ] && x=7")
	child, err := d.save(ctx, c, recipe{weight: 4, tasks: 2}, harness.Workflow{Name: "child", Tasks: []harness.Task{
		{Name: "first", Script: s(work)}, {Name: "second", Script: s(work), After: []string{"first"}},
	}})
	if err != nil {
		return err
	}
	grouped := harness.Workflow{Name: "grouped"}
	wide := harness.Workflow{Name: "wide"}
	chain := harness.Workflow{Name: "chain"}
	for i := range 6 {
		n := strconv.Itoa(i)
		grouped.Tasks = append(grouped.Tasks, harness.Task{Name: "g" + n, Script: s(`sleep "0.$((RANDOM % 10))"`), Group: group})
		wide.Tasks = append(wide.Tasks, harness.Task{Name: "a" + n, Script: s(work)}, harness.Task{Name: "b" + n, Script: s(work), After: []string{"a" + n}})
	}
	for i := range 5 {
		t := harness.Task{Name: "t" + strconv.Itoa(i), Script: s(work)}
		if i > 0 {
			t.After = []string{"t" + strconv.Itoa(i-1)}
		}
		chain.Tasks = append(chain.Tasks, t)
	}
	for _, one := range []struct {
		recipe
		harness.Workflow
	}{
		{recipe{weight: 8, tasks: 1}, harness.Workflow{Name: "one", Tasks: []harness.Task{{Name: "t", Script: s(work)}}}},
		{recipe{weight: 6, tasks: 5, stops: true}, chain},
		{recipe{weight: 6, tasks: 4}, harness.Workflow{Name: "diamond", Tasks: []harness.Task{
			{Name: "a", Script: s(work)},
			{Name: "b", Script: flaky, After: []string{"a"}, Retries: 6, AtOnce: true},
			{Name: "c", Script: flaky, After: []string{"a"}, Retries: 6, AtOnce: true},
			{Name: "d", Script: s(work), After: []string{"b", "c"}},
		}}},
		{recipe{weight: 5, tasks: 4, stops: true}, harness.Workflow{Name: "parent", Tasks: []harness.Task{
			{Name: "before", Script: s(work)},
			{Name: "sub", Type: "SUB_WORKFLOW", After: []string{"before"}, Settings: func(map[string]int64) map[string]any {
				return map[string]any{"workflowDefinitionCode": child.Code, "processDefinitionCode": child.Code}
			}},
			{Name: "after", Script: s(work), After: []string{"sub"}},
		}}},
		{recipe{weight: 1, tasks: 2}, harness.Workflow{Name: "serial", ExecutionType: "SERIAL_WAIT", Tasks: []harness.Task{
			{Name: "x", Script: s(`sleep "0.$((RANDOM % 5))"`)}, {Name: "y", Script: s(`sleep "0.$((RANDOM % 5))"`), After: []string{"x"}},
		}}},
		{recipe{weight: 2, tasks: 6}, grouped},
		{recipe{weight: 4, tasks: 12}, wide},
		{recipe{weight: 1, tasks: 1}, harness.Workflow{Name: "long", Tasks: []harness.Task{{Name: "l", Script: s(`sleep "$((30 + RANDOM % 30))"`)}}}},
	} {
		saved, err := d.save(ctx, c, one.recipe, one.Workflow)
		if err != nil {
			return fmt.Errorf("workflow %s: %w", one.Name, err)
		}
		if one.Name == "grouped" {
			d.groups = append(d.groups, check.Group{Name: "three", Size: 3, Tasks: saved.Tasks})
		}
	}
	return d.timetable(ctx, c)
}

// save publishes a workflow and notes what a run of it must do.
func (d *desk) save(ctx context.Context, c *harness.Client, r recipe, w harness.Workflow) (check.Workflow, error) {
	w.Globals = []harness.Property{{Prop: "key", Direct: "IN", Type: "VARCHAR", Value: "none"}}
	var err error
	if r.Definition, err = c.Publish(ctx, d.project, w); err != nil {
		return check.Workflow{}, err
	}
	dag, err := c.Workflow(ctx, d.project, r.Code)
	if err != nil {
		return check.Workflow{}, err
	}
	out := check.Workflow{Code: r.Code, Name: w.Name, Serial: w.ExecutionType == "SERIAL_WAIT"}
	for _, t := range dag.TaskDefinitionList {
		if t.TaskType == "SHELL" {
			out.Tasks = append(out.Tasks, t.Code)
		} else {
			out.Children = append(out.Children, t.Code)
		}
	}
	if r.weight > 0 {
		d.recipes = append(d.recipes, r)
	}
	d.workflows = append(d.workflows, out)
	return out, nil
}

// timetable makes a schedule that is due every second.
func (d *desk) timetable(ctx context.Context, c *harness.Client) error {
	w, err := d.save(ctx, c, recipe{}, harness.Workflow{Name: "tick", Tasks: []harness.Task{{Name: "t", Script: d.script("")}}})
	if err != nil {
		return err
	}
	var schedule struct{ ID int64 }
	path := "/projects/" + strconv.FormatInt(d.project, 10) + "/schedules"
	err = c.Call(ctx, http.MethodPost, path, url.Values{
		"workflowDefinitionCode": {strconv.FormatInt(w.Code, 10)}, "warningType": {"NONE"}, "failureStrategy": {"CONTINUE"}, "warningGroupId": {"0"},
		"workflowInstancePriority": {"MEDIUM"}, "workerGroup": {"default"}, "tenantCode": {"default"}, "environmentCode": {"-1"},
		"schedule": {`{"startTime":"2026-01-01 00:00:00","endTime":"2126-01-01 00:00:00","timezoneId":"UTC","crontab":"* * * * * ? *"}`},
	}, &schedule)
	if err != nil {
		return err
	}
	if err := c.Call(ctx, http.MethodPost, path+"/"+strconv.FormatInt(schedule.ID, 10)+"/online", nil, nil); err != nil {
		return err
	}
	d.schedules = append(d.schedules, check.Schedule{ID: schedule.ID, From: time.Now().Add(3 * time.Second)})
	return nil
}

// closeTimetable takes the schedules offline, at whichever master answers.
func (d *desk) closeTimetable(ctx context.Context) error {
	for i := range d.schedules {
		path := fmt.Sprintf("/projects/%d/schedules/%d/offline", d.project, d.schedules[i].ID)
		until := time.Now().Add(-5 * time.Second)
		if err := d.insist(ctx, func(c *harness.Client) error { return c.Call(ctx, http.MethodPost, path, nil, nil) }); err != nil {
			return err
		}
		d.schedules[i].Until = until
	}
	return nil
}

// insist asks one master after the other until one does it.
func (d *desk) insist(ctx context.Context, do func(c *harness.Client) error) error {
	var err error
	for i := range 120 {
		if err = do(d.clients[i%len(d.clients)]); err == nil {
			return nil
		}
		if sleepErr := sleep(ctx, 500*time.Millisecond); sleepErr != nil {
			return sleepErr
		}
	}
	return err
}

func createGroup(ctx context.Context, c *harness.Client, name string, size int) (int64, error) {
	var g struct{ ID int64 }
	err := c.Call(ctx, http.MethodPost, "/task-group/create", url.Values{"name": {name}, "description": {name}, "groupSize": {strconv.Itoa(size)}}, &g)
	return g.ID, err
}

// onceKey is the context key of the header that makes a repeated start harmless.
type onceKey struct{}

// onceOnly adds that header.
type onceOnly struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (o onceOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if key, ok := r.Context().Value(onceKey{}).(string); ok {
		r = r.Clone(r.Context())
		r.Header.Set("Idempotency-Key", key)
	}
	return o.next.RoundTrip(r)
}

func (d *desk) close() {
	for _, c := range d.clients {
		if t, ok := c.HTTP.Transport.(onceOnly); ok {
			c.HTTP.Transport = t.next
		}
		c.Close()
	}
}
