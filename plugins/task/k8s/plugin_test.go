package k8s_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/builtin"
	"dorado/plugins/form"
	"dorado/plugins/task"
	"dorado/plugins/task/k8s"
	"dorado/plugins/task/tasktest"
)

// kubeconfig is how to reach c.
func (c *cluster) kubeconfig() string {
	ca := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw}))
	return fmt.Sprintf(`
current-context: main
clusters: [{name: c, cluster: {server: %q, certificate-authority-data: %s}}]
contexts: [{name: main, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t0ken}}]`, c.URL, ca)
}

// source is a data source with this kubeconfig.
func source(t *testing.T, config string) map[int64]task.Source {
	t.Helper()
	at := slices.IndexFunc(builtin.Types(), func(p datasource.Plugin) bool { return p.Type == "K8S" })
	plugin := builtin.Types()[at]
	settings, problems := plugin.Read(form.Flat{"kubeConfig": config, "namespace": "lab"})
	require.Empty(t, problems)
	return map[int64]task.Source{3: {ID: 3, Name: "lab", Plugin: plugin, Settings: settings}}
}

func TestK8S(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	settings := func(image string) string { return `{"type":"K8S","datasource":3,"image":"` + image + `"}` }
	var mu sync.Mutex
	id := int64(100)
	tasktest.Run(t, tasktest.Suite{
		Plugin: k8s.Plugin(),
		Env: func(t *testing.T, env *task.Env) {
			mu.Lock()
			defer mu.Unlock()
			id++
			env.TaskInstanceID, env.TaskName, env.Sources = id, "Count", source(t, c.kubeconfig())
		},
		Cases: []tasktest.Case{
			{Name: "shows the log of the container", Params: settings("hi"), Output: "\n[K8S-pod-log] hello from hi\n"},
			{Name: "sees what was over at once", Params: settings("flash"), Output: "[K8S-pod-log] flash\n"},
			{Name: "hands values on", Params: settings("values"), Output: "[K8S-pod-log] ${setValue(one=1)}\n[K8S-pod-log] noise #{setValue(two=a\nb)} more\n[K8S-pod-log] after\n"},
			{Name: "tells why no node was found", Params: settings("stuck"), Output: "cannot start: Unschedulable: 0/1 nodes are available\n"},
			{Name: "tells why no image was found", Params: settings("unpullable"), Output: "cannot start: ErrImagePull: not found: no such image\nthe pod count-"},
			{Name: "fails with its container", Params: settings("exit3"), Output: "[K8S-pod-log] oh no\n", Fails: true},
		},
		Bad: []string{
			settings(""), `{"type":"K8S","image":"x"}`, `{"image":"x","namespace":""}`, `{"type":"SSH","datasource":3,"image":"x"}`,
			`{"datasource":3,"image":"x","command":"sh -c"}`, `{"datasource":3,"image":"x","args":"[[1]]"}`, `{"datasource":3,"image":"x","args":"{a: b}"}`,
			`{"datasource":3,"image":"x","minCpuCores":-1}`, `{"datasource":3,"image":"x","imagePullPolicy":"Sometimes"}`,
			`{"datasource":3,"image":"x","customizedLabels":[{"label":" ","value":"y"}]}`,
			`{"datasource":3,"image":"x","nodeSelectors":[{"key":"a","operator":"In","values":" , "}]}`,
			`{"datasource":3,"image":"x","nodeSelectors":[{"key":"a","operator":"Gt","values":"many"}]}`,
			`{"datasource":3,"image":"x","nodeSelectors":[{"key":"","operator":"Exists"}]}`,
			`{"datasource":3,"image":"x","nodeSelectors":[{"key":"a","operator":"Maybe"}]}`, `{"datasource":3,"image":"x","nodeSelectors":[{"key":"a"}]}`,
		},
		Slow: settings("sleep"),
	})
}

// locked is a log that may be read while it is written.
type locked struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// try runs settings against c.
func try(ctx context.Context, t *testing.T, c *cluster, raw string, change func(*task.Env)) (task.Outcome, string, error) {
	t.Helper()
	values, problems := k8s.Plugin().Decode([]byte(raw))
	require.Empty(t, problems)
	log := &locked{}
	env := task.Env{TaskInstanceID: 7, WorkflowInstanceID: 2, TaskName: "Count rows 数", Log: log, Sources: source(t, c.kubeconfig())}
	if change != nil {
		change(&env)
	}
	out, err := k8s.Plugin().Run(ctx, values, env)
	return out, log.String(), err
}

func image(name string) string { return `{"datasource":3,"image":"` + name + `"}` }

func TestTheJobIsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var kept []string
	out, log, err := try(t.Context(), t, c, `{
		"datasource":"3","image":" hi ","imagePullPolicy":"Always","pullSecret":"reg","command":"[sh, -c]","args":"- echo\n- 1.0\n- true\n- null\n",
		"minCpuCores":"0.5","minMemorySpace":128,"customizedLabels":[{"label":"team","value":"data"},{"label":"dolphinscheduler-label","value":"x"}],
		"nodeSelectors":[{"key":"disk","operator":"In","values":"ssd, nvme,"},{"key":"gpu","operator":"DoesNotExist","values":"x"},{"key":"cores","operator":"Gt","values":"4"}],
		"localParams":[{"prop":"day","direct":"IN","type":"VARCHAR","value":"$[yyyyMMdd]"},{"prop":"1st","direct":"IN","value":"x"},{"prop":"rows","direct":"OUT","value":"x"},{"prop":"taskInstanceId","direct":"IN","value":"8"}]}`,
		func(env *task.Env) {
			env.Values = map[string]string{"day": "20240229 $(HOME) $$", "1st": "x", "rows": "x", "secret": "of another"}
			env.Keep = func(link string) error {
				c.mu.Lock()
				defer c.mu.Unlock()
				require.Empty(t, c.created, "before the Job is created")
				kept = append(kept, link)
				return nil
			}
		})
	require.NoError(t, err, log)
	require.Equal(t, []string{"count-rows-7"}, kept)
	require.Equal(t, "count-rows-7", out.AppLink)
	require.Contains(t, log, "does not get them: 1st\n")
	require.NotContains(t, log, "t0ken")
	job := c.created[0]
	meta := job["metadata"].(obj)
	require.NotEmpty(t, meta["annotations"].(obj)["dorado/mark"])
	require.Equal(t, obj{"k8s.cn/layer": "batch", "k8s.cn/name": "Count_rows"}, meta["labels"])
	require.Equal(t, "lab", meta["namespace"])
	spec := job["spec"].(obj)
	require.InDelta(t, 0, spec["backoffLimit"], 0)
	require.InDelta(t, 300, spec["ttlSecondsAfterFinished"], 0)
	template := spec["template"].(obj)
	require.Equal(t, obj{"team": "data", "dolphinscheduler-label": "2_7"}, template["metadata"].(obj)["labels"])
	require.Equal(t, obj{
		"restartPolicy": "Never", "imagePullSecrets": []any{obj{"name": "reg"}},
		"affinity": obj{"nodeAffinity": obj{"requiredDuringSchedulingIgnoredDuringExecution": obj{"nodeSelectorTerms": []any{obj{"matchExpressions": []any{
			obj{"key": "disk", "operator": "In", "values": []any{"ssd", "nvme"}}, obj{"key": "gpu", "operator": "DoesNotExist"}, obj{"key": "cores", "operator": "Gt", "values": []any{"4"}},
		}}}}}},
		"containers": []any{obj{
			"name": "count-rows-7", "image": "hi", "imagePullPolicy": "Always", "command": []any{"sh", "-c"}, "args": []any{"echo", "1.0", "true", ""},
			"env":       []any{obj{"name": "taskInstanceId", "value": "7"}, obj{"name": "day", "value": "20240229 $$(HOME) $$$$"}},
			"resources": obj{"requests": obj{"cpu": "0.5", "memory": "128Mi"}, "limits": obj{"cpu": "1", "memory": "256Mi"}},
		}},
	}, template["spec"])
	require.Empty(t, c.deletions)
}

func TestAClusterInTroubleChangesNothing(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "[K8S-pod-log] line %03d\n", i)
	}
	want := lines.String() + "[K8S-pod-log] no end\n"
	for name, trouble := range map[string]func(*cluster){
		"none":                   func(*cluster) {},
		"versions are forgotten": func(c *cluster) { c.forget = 4 },
		"watches expire":         func(c *cluster) { c.expire = 4 },
		"watches hold garbage":   func(c *cluster) { c.garbage = 6 },
		"watches are brief":      func(c *cluster) { c.brief = true },
		"the server is away":     func(c *cluster) { c.away = 3 },
		"logs break":             func(c *cluster) { c.cutAfter = 2000 },
		"logs come late":         func(c *cluster) { c.late = 2 },
		"the answer is lost":     func(c *cluster) { c.lost = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			trouble(c)
			_, log, err := try(t.Context(), t, c, image("many"), nil)
			require.NoError(t, err, log)
			var got strings.Builder
			for l := range strings.Lines(log) {
				if strings.HasPrefix(l, "[K8S-pod-log] ") {
					got.WriteString(l)
				}
			}
			require.Equal(t, want, got.String(), log)
			require.Len(t, c.created, 1)
			require.Empty(t, c.deletions)
		})
	}
}

func TestAFailureSaysWhy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"exit3":    "the Job count-rows-7 failed: the container ended with exit code 3: gave up",
		"oom":      "the Job count-rows-7 failed: the container was killed because it used more memory than its limit (OOMKilled, exit code 137)",
		"signal":   "the Job count-rows-7 failed: the container was killed by signal 15 (exit code 143)",
		"evicted":  "the Job count-rows-7 failed: the pod ended as Evicted: disk pressure",
		"vanishes": "the Job count-rows-7 failed: it does not exist any more: somebody deleted it, or it ended while nobody could look",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			out, log, err := try(t.Context(), t, c, image(name), nil)
			require.EqualError(t, err, want, log)
			require.Equal(t, "count-rows-7", out.AppLink)
			require.Empty(t, c.deletions, "the cluster forgets it by itself")
		})
	}
}

func TestARefusalFailsAtOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.refused = "exceeded quota"
	out, _, err := try(t.Context(), t, c, image("hi"), nil)
	require.EqualError(t, err, "create the Job count-rows-7: the API server says 403: exceeded quota")
	require.Empty(t, out.AppLink)
	require.Empty(t, c.deletions)
	_, _, err = try(t.Context(), t, c, image("hi"), func(env *task.Env) {
		env.Sources = source(t, strings.Replace(c.kubeconfig(), "t0ken", "other", 1))
	})
	require.EqualError(t, err, "the API server says 401: Unauthorized")
	_, _, err = try(t.Context(), t, c, image("hi"), func(env *task.Env) { env.Sources = nil })
	require.EqualError(t, err, "data source 3 does not exist")
	_, _, err = try(t.Context(), t, c, image("hi"), func(env *task.Env) { env.Keep = func(string) error { return errors.New("the master is away") } })
	require.EqualError(t, err, "make the name of the Job known: the master is away")
}

func TestWithoutTheRightToSeePodsTheTaskRuns(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.noPods = true
	_, log, err := try(t.Context(), t, c, image("hi"), nil)
	require.NoError(t, err)
	require.Contains(t, log, "the pods cannot be watched, so their log may be missing: the API server says 403: pods is forbidden\n")
	c.noPods = false
}

func TestAJobThatBearsTheNameIsDeletedFirst(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.mu.Lock()
	c.keep["count-rows-7"] = true
	c.start("count-rows-7", other("count-rows-7", "sleep"))
	c.mu.Unlock()
	_, log, err := try(t.Context(), t, c, image("hi"), nil)
	require.NoError(t, err)
	require.Equal(t, []string{"count-rows-7 Foreground"}, c.deletions)
	require.Contains(t, log, "a Job called count-rows-7 exists already: it is deleted\ncreating the Job count-rows-7")
}

func other(name, image string) obj {
	return obj{"metadata": obj{"name": name}, "spec": obj{"template": obj{"spec": obj{"containers": []any{obj{"name": name, "image": image}}}}}}
}

func TestTheJobOfALostWorkerIsWatchedOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.mu.Lock()
	c.start("count-rows-6", other("count-rows-6", "many"))
	c.mu.Unlock()
	link := func(env *task.Env) { env.Link = "count-rows-6" }
	out, log, err := try(t.Context(), t, c, image("hi"), link)
	require.NoError(t, err)
	require.Equal(t, "count-rows-6", out.AppLink)
	require.Contains(t, log, "line 199")
	require.Empty(t, c.created)
	require.Empty(t, c.deletions)

	c.mu.Lock()
	c.remove("count-rows-6")
	c.mu.Unlock()
	out, log, err = try(t.Context(), t, c, image("hi"), link)
	require.NoError(t, err)
	require.Equal(t, "count-rows-7", out.AppLink)
	require.Contains(t, log, "the Job count-rows-6 of the earlier attempt does not exist; a new one is created\n")
	_, log, err = try(t.Context(), t, c, image("hi"), func(env *task.Env) { env.Link, env.TaskInstanceID = "../../secrets/x", 9 })
	require.NoError(t, err)
	require.Contains(t, log, "no name of a Job")
}

func TestAKilledAttemptLeavesNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	killed := errors.New("killed")
	time.AfterFunc(300*time.Millisecond, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.away = 2 // the deletion is tried again
		cancel(killed)
	})
	out, log, err := try(ctx, t, c, image("sleep"), nil)
	require.ErrorIs(t, err, killed)
	require.Equal(t, "count-rows-7", out.AppLink)
	require.Equal(t, []string{"count-rows-7 Background"}, c.deletions, log)
	require.Empty(t, c.objects)
}

func TestTheJobOfAWorkerThatGoesAwayGoesOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(300*time.Millisecond, func() { cancel(task.ErrLeave) })
	out, log, err := try(ctx, t, c, image("sleep"), nil)
	require.ErrorIs(t, err, task.ErrLeave)
	require.Equal(t, "count-rows-7", out.AppLink)
	require.Empty(t, c.deletions, log)
	require.Contains(t, log, "goes on and is found again")
}

func TestALogThatCannotBeWrittenEndsTheAttempt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, _, err := try(t.Context(), t, c, image("sleep"), func(env *task.Env) { env.Log = full{} })
	require.ErrorIs(t, err, errFull)
	require.Empty(t, c.objects)
}

var errFull = errors.New("the disk is full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
