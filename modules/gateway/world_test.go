package gateway_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"dorado/app/kit/db"
	"dorado/app/kit/ids"
	"dorado/app/kit/metrics"
	"dorado/modules/access"
	"dorado/modules/gateway"
	"dorado/modules/identity"
	"dorado/modules/instance"
	"dorado/modules/project"
	"dorado/modules/schedule"
	"dorado/modules/security/crudtest"
	"dorado/modules/security/environment"
	"dorado/modules/security/queue"
	"dorado/modules/security/tenant"
	"dorado/modules/security/workergroup"
	"dorado/modules/workflow"
	"dorado/plugins/catalog"
)

// world is a gateway over the services that it stands on.
type world struct {
	*crudtest.App
	identity  *identity.Service
	tenants   *tenant.Service
	envs      *environment.Service
	projects  *project.Service
	workflows *workflow.Service
	schedules *schedule.Service
	instances *instance.Service
	log       *strings.Builder
	address   string
	admin     context.Context
}

// sources are data sources of a test.
type sources []gateway.Datasource

func (s sources) Named(_ context.Context, name string) ([]gateway.Datasource, error) {
	var out []gateway.Datasource
	for _, d := range s {
		if d.Name == name {
			out = append(out, d)
		}
	}
	return out, nil
}

// files are resources of a test.
type files map[string]string

func (f files) Named(_ context.Context, name, tenant string) (gateway.Resource, bool, error) {
	_, ok := f[full(name, tenant)]
	return file(full(name, tenant)), ok, nil
}

func (f files) Save(ctx context.Context, name, tenant, content string) (gateway.Resource, error) {
	if _, err := access.Must(ctx); err != nil {
		return gateway.Resource{}, err
	}
	f[full(name, tenant)] = content
	return file(full(name, tenant)), nil
}

func full(name, tenant string) string {
	if name = strings.TrimPrefix(name, "file:"); strings.HasPrefix(name, "/") {
		return name
	}
	return "/" + tenant + "/" + name
}

func file(name string) gateway.Resource {
	name = strings.TrimPrefix(name, "file:")
	return gateway.Resource{ID: 5, FullName: "file:" + name, FileName: name[strings.LastIndexByte(name, '/')+1:]}
}

// open serves a gateway; everything of it goes when the test ends.
func open(t *testing.T, d *db.DB, change ...func(*gateway.Deps)) *world {
	t.Helper()
	a := crudtest.NewApp(t, d, identity.Rules(), queue.Rules(), tenant.Rules(), workergroup.Rules(), environment.Rules(), project.Rules(), workflow.Rules(), instance.Rules(), schedule.Rules())
	w := &world{App: a, log: &strings.Builder{}, admin: access.WithPrincipal(t.Context(), a.Admin)}
	plugins, err := catalog.Builtin()
	require.NoError(t, err)
	codes := ids.NewGenerator(1, time.Now)
	queues := queue.New(queue.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame})
	require.NoError(t, queues.EnsureDefault(t.Context()))
	tenants := tenant.New(tenant.Deps{DB: d, Access: a.Access, Audit: a.Audit, Queues: queues.Service, Site: a.Site, API: a.API, Frame: a.Frame})
	groups := workergroup.New(workergroup.Deps{DB: d, Access: a.Access, Audit: a.Audit, Site: a.Site, API: a.API, Frame: a.Frame, Live: func() []workergroup.Worker { return nil }})
	envs := environment.New(environment.Deps{DB: d, Access: a.Access, Audit: a.Audit, Groups: groups.Service, Codes: codes, Site: a.Site, API: a.API, Frame: a.Frame})
	w.tenants, w.envs = tenants.Service, envs.Service
	w.identity = identity.New(identity.Deps{
		DB: d, Log: slog.New(slog.DiscardHandler), Now: time.Now, Access: a.Access, Audit: a.Audit, Tenants: tenants.Service,
		Cost: identity.Cost{MemoryKiB: 64, Passes: 1},
	})
	w.projects = project.New(project.Deps{DB: d, Access: a.Access, Audit: a.Audit, Codes: codes, Now: time.Now})
	w.workflows = workflow.New(workflow.Deps{DB: d, Projects: w.projects, Audit: a.Audit, Codes: codes, Catalog: plugins, Now: time.Now})
	w.projects.SetContents(w.workflows)
	w.identity.AddReferrer(w.projects)
	w.instances = instance.NewService(instance.Services{
		DB: d, Access: a.Access, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: tenants.Service, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler),
	})
	w.schedules = schedule.NewService(schedule.Services{DB: d, Audit: a.Audit, Projects: w.projects, Workflows: w.workflows, Tenants: tenants.Service, Now: time.Now})
	w.workflows.SetScheduler(w.schedules)

	config := gateway.DefaultConfig()
	config.Enabled, config.Listen = true, "127.0.0.1:0"
	deps := gateway.Deps{
		Config: config, DB: d, Identity: w.identity, Tenants: tenants.Service, Queues: queues.Service, Environments: envs.Service,
		Projects: w.projects, Workflows: w.workflows, Schedules: w.schedules, Instances: w.instances, Codes: codes,
		Metrics: metrics.New(), Logger: slog.New(slog.NewTextHandler(w.log, nil)), Now: time.Now,
	}
	for _, c := range change {
		c(&deps)
	}
	g := gateway.New(deps)
	listener, err := g.Listen(t.Context())
	require.NoError(t, err)
	w.address = listener.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
	})
	return w
}

// client speaks as a Python program does.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dial connects without showing a token.
func (w *world) dial(t *testing.T) *client {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", w.address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return &client{t, conn, bufio.NewReader(conn)}
}

// client connects and shows the token of an SDK that nobody configured.
func (w *world) client(t *testing.T) *client {
	t.Helper()
	c := w.dial(t)
	require.Equal(t, "!yv", c.say("A⏎"+gateway.DefaultToken.Reveal()+"⏎"))
	return c
}

// say sends lines, written with ⏎ for a line feed, and returns the answer.
func (c *client) say(command string) string {
	c.t.Helper()
	_, err := io.WriteString(c.conn, strings.ReplaceAll(command, "⏎", "\n"))
	require.NoError(c.t, err)
	line, err := c.in.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimSuffix(line, "\n")
}

// call calls a method of the entry point; each argument is given with its letter.
func (c *client) call(method string, args ...string) string {
	c.t.Helper()
	return c.of("t", method, args...)
}

// of calls a method of an object.
func (c *client) of(id, method string, args ...string) string {
	c.t.Helper()
	return c.say(strings.Join(append(append([]string{"c", id, method}, args...), "e", ""), "⏎"))
}

// object calls a method that returns an object, and returns its id.
func (c *client) object(method string, args ...string) string {
	c.t.Helper()
	answer := c.call(method, args...)
	require.Regexp(c.t, `^!y[rlahg]o\d+$`, answer, c.reason(answer))
	return answer[3:]
}

// reason is the message of an exception.
func (c *client) reason(answer string) string {
	c.t.Helper()
	if !strings.HasPrefix(answer, "!xr") {
		return answer
	}
	return strings.TrimPrefix(c.of(answer[3:], "getMessage"), "!ys")
}

// play plays a recorded session: lines that begin with C are sent, those that begin with S expected. Names in pointed
// brackets stand for numbers: the first time they are learned, afterwards they must be the same.
func (c *client) play(path string, known map[string]string) {
	c.t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(c.t, err)
	name := regexp.MustCompile(`<[a-z]+>`)
	answer := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "C "):
			answer = c.say(name.ReplaceAllStringFunc(line[2:], func(n string) string { return known[n] }))
		case strings.HasPrefix(line, "S "):
			var learned []string
			pattern := name.ReplaceAllStringFunc(regexp.QuoteMeta(line[2:]), func(n string) string {
				if value, ok := known[n]; ok {
					return value
				}
				learned = append(learned, n)
				return `(\d+)`
			})
			found := regexp.MustCompile(`^` + pattern + `$`).FindStringSubmatch(answer)
			require.NotNil(c.t, found, "%s: want %s, got %s (%s)", path, line, answer, c.reason(answer))
			for i, n := range learned {
				known[n] = found[i+1]
			}
		}
	}
}
