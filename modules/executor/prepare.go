package executor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"dorado/app/kit/i18n"
	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

// prepared is an attempt that is ready to start. It owns descriptors.
type prepared struct {
	plugin  task.Plugin
	values  form.Values
	params  map[string]string
	command task.Command
	env     task.Env
	log     int
}

func (p *prepared) close() {
	if p.log >= 0 {
		_ = unix.Close(p.log)
	}
}

// prepare does all that comes before the start. The log is opened first, so that whatever goes wrong is told there, too.
func (e *Executor) prepare(ctx context.Context, a *attempt) (*prepared, error) {
	t := a.task
	a.logPath = logPathOf(e.logs.base, t)
	p := &prepared{log: -1}
	err := e.prepareInto(ctx, a, p)
	if !a.hasDir {
		e.dirs.giveBack(&a.work, a.account)
	}
	if err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (e *Executor) prepareInto(ctx context.Context, a *attempt, p *prepared) error {
	t := a.task
	var err error
	if p.log, err = openLog(a.logPath); err != nil {
		return fmt.Errorf("cannot write the task log: %w", err)
	}
	tenantErr := error(nil)
	a.account, a.viaSudo, tenantErr = e.users.resolve(ctx, t.GetTenant())
	a.work = workdir{name: strconv.FormatInt(a.id, 10), fd: -1} // sudo makes it, or nobody
	if tenantErr == nil && !a.viaSudo && !t.GetDryRun() {
		a.work = e.dirs.claim(a.id, a.account)
	}
	a.dir = e.dirs.path(a.work.name)
	planErr := e.plan(ctx, a, p)
	runs := strings.Join(p.command.Interpreter, " or ")
	if runs == "" {
		runs = t.GetType()
	}
	if a.logStart, err = e.preamble(p.log, a, a.account.name, runs); err != nil {
		return err
	}
	if err := errors.Join(planErr, tenantErr); err != nil || t.GetDryRun() {
		return err
	}
	if a.fetchErr != nil {
		return a.fetchErr
	}
	if a.viaSudo {
		a.hasDir = true // the tenant makes it
		return nil
	}
	if err := e.dirs.make(&a.work, a.account); err != nil {
		return err
	}
	a.hasDir = true
	return e.files.place(a)
}

// plan turns settings into a command, with parameters put in.
func (e *Executor) plan(ctx context.Context, a *attempt, p *prepared) error {
	t := a.task
	plugin, ok := e.catalog.Task(t.GetType())
	if !ok {
		return fmt.Errorf("this worker knows no task type %q", t.GetType())
	}
	if plugin.Logic {
		return fmt.Errorf("a %s task is carried out by the master; it was sent to a worker by mistake", plugin.Type)
	}
	p.plugin = plugin
	values, problems := e.known.decode(plugin, t.GetParams())
	if len(problems) > 0 {
		return problemError(ctx, problems)
	}
	p.values = values
	p.params = make(map[string]string, len(t.GetPrepared())+1)
	for _, param := range t.GetPrepared() {
		p.params[param.GetName()] = param.GetValue()
	}
	p.params["system.task.execute.path"] = a.dir
	base, err := e.baseTime(t)
	if err != nil {
		return err
	}
	expand := func(text string) (string, error) { return flow.Expand(text, p.params, base) }
	if err := values.Expand(plugin.Schema, expand); err != nil {
		return err
	}
	if a.outs, err = declaredOut(values.Params(task.LocalParams), expand); err != nil {
		return err
	}
	if err := e.handTo(a, t); err != nil {
		return err
	}
	if names := values.Resources(plugin.Schema); len(names) > 0 && len(t.GetFiles()) == 0 && !t.GetDryRun() {
		return fmt.Errorf("resource %q cannot be fetched: the master did not tell where it is (it may be older than this worker)", names[0])
	}
	if p.env, err = e.describe(ctx, a, p, base); err != nil {
		return err
	}
	if plugin.Process == nil {
		return nil
	}
	if p.command, err = plugin.Process(values, p.env); err != nil {
		return err
	}
	if a.remote, err = newRemote(p.command.Remote); err == nil && a.remote != nil && a.remote.stays {
		a.link = strings.ToValidUTF8(a.task.GetAppLink(), "") // it is looked after, and known at once
	}
	return err
}

// describe is what the plugin is told of the attempt.
func (e *Executor) describe(ctx context.Context, a *attempt, p *prepared, base time.Time) (task.Env, error) {
	t := a.task
	env := task.Env{
		TaskInstanceID: a.id, WorkflowInstanceID: a.workflow, TaskCode: t.GetTaskCode(), TaskName: t.GetName(), Tenant: a.account.name, Queue: t.GetQueue(),
		Environment: strings.ReplaceAll(t.GetEnvironment(), "\r\n", "\n"), Dir: a.dir, Values: p.params, Link: t.GetAppLink(),
		Expand: func(text string) (string, error) { return flow.Expand(text, p.params, base) },
		Dates:  func(text string) (string, error) { return flow.Expand(text, nil, base) },
	}
	env.Types = make(map[string]string, len(t.GetPrepared()))
	for _, param := range t.GetPrepared() {
		env.Types[param.GetName()] = param.GetType()
	}
	for _, o := range a.outs {
		env.Out = append(env.Out, form.Param{Prop: o.Prop, Direct: string(o.Direct), Type: string(o.Type), Value: o.Value})
	}
	if files := t.GetFiles(); len(files) > 0 {
		env.Files = make(map[string]string, len(files))
		for _, f := range files {
			if f.GetName() != "" {
				env.Files[f.GetName()] = f.GetPath()
			}
		}
	}
	if past := t.GetPast(); past != nil {
		env.Past = &task.Past{
			Count: past.GetCount(), Average: past.GetAverage(), From: time.UnixMilli(past.GetFromMs()).In(base.Location()),
			To: time.UnixMilli(past.GetToMs()).In(base.Location()),
		}
	}
	if len(t.GetSources()) > 0 {
		env.Sources = make(map[int64]task.Source, len(t.GetSources()))
	}
	for _, s := range t.GetSources() {
		source, err := e.source(ctx, s)
		if err != nil {
			return env, err
		}
		env.Sources[s.GetId()] = source
	}
	return env, nil
}

// source reads a data source that came with a task.
func (e *Executor) source(ctx context.Context, s *doradov1.Source) (task.Source, error) {
	out := task.Source{ID: s.GetId(), Name: s.GetName()}
	known := false
	if e.sources != nil {
		out.Plugin, known = e.sources.Type(s.GetType())
	}
	if !known {
		return out, fmt.Errorf("data source %q: this worker knows no type %q", s.GetName(), s.GetType())
	}
	flat, err := form.ReadFlat(s.GetSettings())
	if err != nil {
		return out, fmt.Errorf("data source %q: its settings cannot be read", s.GetName())
	}
	var problems []form.Problem
	if out.Settings, problems = out.Plugin.Read(flat); len(problems) > 0 {
		return out, fmt.Errorf("data source %q: %w", s.GetName(), problemError(ctx, problems))
	}
	return out, nil
}

// problemError says in one sentence what is wrong with settings. Reports are in English, as logs are.
func problemError(ctx context.Context, problems []form.Problem) error {
	ctx = i18n.WithLocale(ctx, i18n.English)
	all := make([]string, len(problems))
	for i, p := range problems {
		all[i] = i18n.T(ctx, p.Key, p.Args...)
		if p.Field != "" {
			all[i] = p.Field + ": " + all[i]
		}
	}
	return errors.New("bad parameters: " + strings.Join(all, "; "))
}

// baseTime is the instant of time expressions, in the zone of the run.
func (e *Executor) baseTime(t *doradov1.Task) (time.Time, error) {
	base, name := time.UnixMilli(t.GetBaseMs()).UTC(), t.GetTimeZone()
	if name == "" || name == "UTC" {
		return base, nil
	}
	if zone, ok := e.zones.Load(name); ok {
		return base.In(zone.(*time.Location)), nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.Time{}, fmt.Errorf("unknown time zone %q", name)
	}
	e.zones.Store(name, zone) // there are no more of them than the machine knows
	return base.In(zone), nil
}

// startProcess starts the prepared command and leaves a goroutine that waits for it.
func (e *Executor) startProcess(ctx context.Context, a *attempt, p *prepared) error {
	timeout := time.Duration(a.task.GetTimeoutMs()) * time.Millisecond
	env := e.environment(a, p.command.Env)
	if p.command.Itself {
		program, err := a.itself()
		if err != nil {
			return err
		}
		env = append(env, program)
	}
	c, release, err := e.launch(a, p, env)
	if err != nil {
		return err
	}
	defer release()
	if a.hide != nil {
		if err := e.maskOutput(a, p, &c); err != nil {
			return err
		}
		defer a.masked.given(c.output)
	}
	a.bootNS, a.start = bootNS(), time.Now()
	e.mu.Lock()
	a.begun = true
	begins := a.begins()
	e.mu.Unlock()
	if err := e.journal.append(begins...); err != nil {
		return fmt.Errorf("cannot write the worker's journal: %w", err)
	}
	ch, err := e.spawn.start(c)
	if err != nil {
		if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.ENOMEM) {
			err = fmt.Errorf("%w (the machine has no room for another process)", err)
		}
		return err
	}
	e.mu.Lock()
	a.pid = ch.pid
	a.remote.settle(a.task.GetEnvironment(), env)
	e.mu.Unlock()
	// Not being able to write this only makes it harder to find leftovers after a crash.
	_ = e.journal.append(a.entry(entryStarted))
	e.started(a, timeout)
	e.watchRemote(ctx, a)
	go e.guard(ctx, a, func() { e.wait(ctx, a, ch) })
	return nil
}

// launch builds the command line. The script travels where other users can't read it: through a sealed memory file, or
// a file of mode 0700 that belongs to the tenant. release closes what the parent no longer needs.
func (e *Executor) launch(a *attempt, p *prepared, env []string) (c command, release func(), err error) {
	cmd := p.command
	path := envValue(env, "PATH")
	program, err := e.program(cmd, env, path)
	if err != nil {
		return command{}, nil, err
	}
	file := cmd.File
	if !a.viaSudo {
		file = e.dirs.script(cmd.File, a.account)
	}
	text := a.task.GetEnvironment()
	if strings.IndexByte(text, 0) >= 0 {
		return command{}, nil, errors.New("the environment contains a NUL character")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	script, shell := cmd.Script, ""
	switch {
	case text == "":
	case cmd.Shell:
		script = text + "\n" + script
	default: // a shell reads the lines and then becomes the interpreter
		launcher := shellWords(program)
		if cmd.Launcher != "" {
			launcher = "${" + cmd.Launcher + ":-" + launcher + "}"
		}
		shell = text + "\nexec " + launcher + " " + shellQuote(file) + "\n"
		if program, err = e.program(task.Command{Interpreter: []string{"bash", "sh"}}, env, path); err != nil {
			return command{}, nil, err
		}
	}
	if a.viaSudo {
		c, release, err := e.launchSudo(a, program, cmd.File, script, shell, env, cmd.Files)
		c.output = p.log
		return c, release, err
	}
	c = command{
		path: program[0], env: env, dirs: e.dirs.ways(&a.work, a.account), stdin: -1, output: p.log, script: -1, itself: cmd.Itself,
		credential: a.account.credential(),
	}
	for _, f := range cmd.Files {
		if err := e.dirs.put(a.work.fd, f.Name, f.Text, 0o600, a.account); err != nil {
			return command{}, nil, err
		}
	}
	memory := script
	if cmd.File != "" {
		if err := e.dirs.put(a.work.fd, cmd.File, script, 0o700, a.account); err != nil {
			return command{}, nil, err
		}
		if memory = shell; shell == "" {
			c.argv = slices.Concat(program, []string{file})
			return c, func() {}, nil
		}
	}
	if given, ok := a.give(program, memory); ok {
		c.argv, c.env = slices.Concat(program, given), slices.Concat(env, []string{givenScript + "=" + memory})
		return c, func() {}, nil
	}
	if c.script, err = sealedFile(memory); err != nil {
		return command{}, nil, fmt.Errorf("cannot hand over the script: %w", err)
	}
	c.argv = slices.Concat(program, []string{"/dev/fd/3"})
	return c, func() { _ = unix.Close(c.script) }, nil
}

// A script that is not long is given to a shell in a variable, which it takes out of its environment before the first line:
// other users cannot see it there either, and to make a file of it and to open it through /proc costs as much as a tenth of
// what the shell itself does. Lines keep their numbers.
const (
	givenScript = "DORADO_SCRIPT"
	givenLimit  = 32 << 10 // bytes; the kernel takes 128 KiB in a variable
	takeGiven   = `eval "unset ` + givenScript + `;$` + givenScript + `"`
)

// give returns the arguments for a shell that takes its script from the environment, where it can. $0, which the shell's
// own messages begin with, is the name of the task.
func (a *attempt) give(program []string, script string) (arguments []string, ok bool) {
	switch path.Base(program[0]) {
	case "bash", "dash", "sh":
	default:
		return nil, false
	}
	if len(program) > 1 || len(script) > givenLimit || strings.IndexByte(script, 0) >= 0 {
		return nil, false
	}
	return []string{"-c", takeGiven, cmp.Or(noNUL(a.task.GetName()), "script")}, true
}

// program finds the interpreter and the arguments that belong to it.
func (e *Executor) program(cmd task.Command, env []string, path string) ([]string, error) {
	if cmd.Launcher != "" {
		if words := strings.Fields(envValue(env, cmd.Launcher)); len(words) > 0 {
			found := e.known.lookPath(words[0], path)
			if found == "" {
				return nil, fmt.Errorf("%s: %s is not a program", cmd.Launcher, words[0])
			}
			return append([]string{found}, words[1:]...), nil
		}
	}
	for _, name := range cmd.Interpreter {
		if found := e.known.lookPath(name, path); found != "" {
			return []string{found}, nil
		}
	}
	return nil, fmt.Errorf("this worker has no %s in %s", strings.Join(cmd.Interpreter, " and no "), path)
}

// lookPath finds an executable file in path; it returns "" when there is none.
func lookPath(name, path string) string {
	if strings.Contains(name, "/") {
		if executable(name) {
			return name
		}
		return ""
	}
	for dir := range strings.SplitSeq(path, ":") {
		if file := dir + "/" + name; strings.HasPrefix(dir, "/") && executable(file) {
			return file
		}
	}
	return ""
}

func executable(file string) bool {
	var st unix.Stat_t
	return unix.Stat(file, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Mode&0o111 != 0
}

// environment is what the child sees: a clean slate, the worker's allowed variables, and who it is.
func (e *Executor) environment(a *attempt, extra []string) []string {
	t := a.task
	path := e.cfg.Path
	if a.account.self && e.environ["PATH"] != "" {
		path = e.environ["PATH"]
	}
	locale := false
	env := make([]string, 0, 32+len(extra))
	for _, name := range e.cfg.EnvAllow {
		if value, ok := e.environ[name]; ok && name != "PATH" {
			locale = locale || name == "LANG" || name == "LC_ALL"
			env = append(env, name+"="+value)
		}
	}
	if !locale { // text is UTF-8. For the rest C is the same, and a shell that loads all of a locale starts 0.15 ms later
		env = append(env, "LC_CTYPE=C.UTF-8")
	}
	env = append(env,
		"PATH="+path, "HOME="+a.account.home, "USER="+a.account.name, "LOGNAME="+a.account.name, "SHELL="+a.account.shell,
		"DORADO_TASK_INSTANCE_ID="+strconv.FormatInt(a.id, 10),
		e.mark(a.id),
		"DORADO_WORKFLOW_INSTANCE_ID="+strconv.FormatInt(a.workflow, 10),
		"DORADO_PROJECT_CODE="+strconv.FormatInt(t.GetProjectCode(), 10),
		"DORADO_PROJECT_NAME="+noNUL(t.GetProjectName()),
		"DORADO_WORKFLOW_CODE="+strconv.FormatInt(t.GetWorkflowCode(), 10),
		"DORADO_WORKFLOW_NAME="+noNUL(t.GetWorkflowName()),
		"DORADO_TASK_CODE="+strconv.FormatInt(t.GetTaskCode(), 10),
		"DORADO_TASK_NAME="+noNUL(t.GetName()),
		"DORADO_ATTEMPT="+strconv.Itoa(int(t.GetAttempt())),
		"DORADO_SCHEDULE_TIME="+time.UnixMilli(t.GetBaseMs()).UTC().Format(time.RFC3339),
		"DORADO_TIME_ZONE="+noNUL(t.GetTimeZone()),
		"DORADO_WORKER="+e.cfg.Name,
		"DORADO_LOG_PATH="+a.logPath,
		"DORADO_EXECUTE_PATH="+a.dir,
	)
	if parent := t.GetTraceParent(); parent != "" {
		env = append(env, "TRACEPARENT="+noNUL(parent))
	}
	return append(env, extra...)
}

// markName is the variable by which the processes of an attempt are recognised, wherever they went.
const markName = "DORADO_MARK="

func (e *Executor) mark(id int64) string {
	return markName + e.journal.id + "." + strconv.FormatInt(id, 10)
}

func noNUL(s string) string { return strings.ReplaceAll(s, "\x00", "") }

// envValue returns the value of name, the last one set.
func envValue(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if k, v, ok := strings.Cut(entry, "="); ok && k == name {
			return v
		}
	}
	return ""
}

func environMap(environ []string) map[string]string {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return m
}

// shellQuote makes one word of s for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// shellWords joins words that hold no blanks; a program found in PATH may, and is quoted then.
func shellWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if strings.ContainsAny(w, " \t'\"$\\`{}*?[]~#&;|<>()") {
			out[i] = shellQuote(w)
		}
	}
	return strings.Join(out, " ")
}

// bootNS is the time since boot, the clock in which the kernel notes when a process was started.
func bootNS() int64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return ts.Nano()
}
