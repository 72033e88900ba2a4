package k8s

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"dorado/plugins/form"
	"dorado/plugins/task"
)

const (
	// away is how long a cluster may not answer before the attempt fails. An upgrade of a control plane takes minutes.
	away = 15 * time.Minute
	// grace is how long a request that creates something may go on after the attempt was ended: cut off, nobody knew
	// whether it did.
	grace = 2 * time.Second
	// cleaning bounds the deletion of a Job when the attempt is over.
	cleaning = 10 * time.Second
	// silence is how long a log may say nothing after its Job ended, before it counts as complete.
	silence = 10 * time.Second
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// attempt is one run of a task.
type attempt struct {
	c     *client
	env   task.Env
	log   *logger
	name  string // of the Job
	begun bool   // a Job of that name may exist because of us

	mu        sync.Mutex
	followers map[string]*follower // by Pod
	following sync.WaitGroup
	last      pod // the one seen last
}

// errNoSource is what a task of an older definition ends with.
var errNoSource = errors.New("the task has no data source of type K8S; the namespace of an older definition does not say how to reach its cluster")

func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	p, err := read(v)
	if err != nil {
		return task.Outcome{}, err
	}
	if p.source == 0 {
		return task.Outcome{}, errNoSource
	}
	source, err := env.Source(p.source)
	if err != nil {
		return task.Outcome{}, err
	}
	namespace := strings.TrimSpace(source.Settings.All["namespace"])
	if !nameForm.MatchString(namespace) {
		return task.Outcome{}, fmt.Errorf("the data source %s has no usable namespace", source.Name)
	}
	c, err := connect(source.Settings.All["kubeConfig"], namespace)
	if err != nil {
		return task.Outcome{}, err
	}
	defer c.http.CloseIdleConnections()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attempt{c: c, env: env, name: jobName(env), followers: map[string]*follower{}}
	a.log = &logger{w: env.Log, told: map[string]bool{}, broken: func(err error) { cancel(fmt.Errorf("write the log: %w", err)) }}
	good, why, err := a.work(ctx, p)
	out := task.Outcome{}
	if a.begun {
		out.AppLink = a.name
	}
	switch {
	case err != nil:
		switch {
		case errors.Is(context.Cause(ctx), task.ErrLeave) && a.begun:
			a.log.say("the worker goes away; the Job %s goes on and is found again", a.name)
		case a.begun:
			a.clean(ctx)
		}
		return out, err
	case !good:
		return out, fmt.Errorf("the Job %s failed: %s", a.name, why)
	}
	a.log.say("the Job %s succeeded", a.name)
	return out, nil
}

// work brings a Job to its end.
func (a *attempt) work(ctx context.Context, p params) (good bool, why string, err error) {
	found, err := a.attach(ctx)
	if err == nil && !found {
		err = a.create(ctx, p)
	}
	if err != nil {
		return false, "", err
	}
	return a.wait(ctx)
}

// attach looks for the Job of an earlier attempt.
func (a *attempt) attach(ctx context.Context) (bool, error) {
	link := a.env.Link
	if link == "" {
		return false, nil
	}
	if !nameForm.MatchString(link) {
		a.log.say("the earlier attempt left %q, which is no name of a Job; a new one is created", link)
		return false, nil
	}
	_, found, err := a.get(ctx, link)
	switch {
	case err != nil:
		return false, err
	case !found:
		a.log.say("the Job %s of the earlier attempt does not exist; a new one is created", link)
		return false, nil
	}
	a.name, a.begun = link, true
	a.log.say("the Job %s of the earlier attempt is there: it is watched, not created again", link)
	return true, nil
}

// get asks for a Job.
func (a *attempt) get(ctx context.Context, name string) (j job, found bool, err error) {
	err = a.persist(ctx, func(ctx context.Context) error {
		return a.c.ask(ctx, http.MethodGet, a.c.jobs(name), nil, nil, &j)
	})
	if isCode(err, http.StatusNotFound) {
		return j, false, nil
	}
	return j, err == nil, err
}

// persist repeats a request while the server is away.
func (a *attempt) persist(ctx context.Context, request func(context.Context) error) error {
	limit := patience{most: away}
	var between pause
	for {
		err := request(ctx)
		switch {
		case ctx.Err() != nil && err != nil:
			return context.Cause(ctx)
		case err == nil || !passing(err) || limit.over(time.Now()):
			return err
		}
		a.trouble(err)
		between.wait(ctx)
	}
}

func (a *attempt) trouble(err error) { a.log.once(err.Error() + "; trying again") }

// create removes what bears the name and creates the Job.
func (a *attempt) create(ctx context.Context, p params) error {
	if err := a.remove(ctx); err != nil {
		return err
	}
	mark := rand.Text()
	job, left := manifest(p, a.env, a.c.namespace, a.name, mark)
	if len(left) > 0 {
		a.log.say("no environment variable can have these names, so the container does not get them: %s", strings.Join(left, ", "))
	}
	if a.env.Keep != nil {
		if err := a.env.Keep(a.name); err != nil {
			return fmt.Errorf("make the name of the Job known: %w", err)
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	a.log.say("creating the Job %s in the namespace %s with the image %s", a.name, a.c.namespace, p.image)
	a.begun = true
	longer, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, stop) })()
	err := a.persist(longer, func(longer context.Context) error {
		if err := ctx.Err(); err != nil {
			return &refusal{message: "ended"} // not once more
		}
		return a.c.ask(longer, http.MethodPost, a.c.jobs(), nil, job, nil)
	})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if isCode(err, http.StatusConflict) { // an answer to an earlier try may have been lost
		there, found, err := a.get(ctx, a.name)
		if err != nil || found && there.Metadata.Annotations[markName] == mark {
			return err
		}
	}
	if err != nil {
		if !passing(err) {
			a.begun = false // it was refused: whatever bears the name is not ours
		}
		return fmt.Errorf("create the Job %s: %w", a.name, err)
	}
	return nil
}

// remove deletes a Job that bears the name, and waits until it and its Pods are gone.
func (a *attempt) remove(ctx context.Context) error {
	var between pause
	for asked := ""; ; between.wait(ctx) {
		there, found, err := a.get(ctx, a.name)
		if err != nil || !found {
			return err
		}
		if asked == there.Metadata.UID {
			continue
		}
		a.log.say("a Job called %s exists already: it is deleted", a.name)
		err = a.persist(ctx, func(ctx context.Context) error { return a.c.erase(ctx, a.name, there.Metadata.UID, "Foreground") })
		if err != nil {
			return fmt.Errorf("delete the Job %s: %w", a.name, err)
		}
		asked = there.Metadata.UID
	}
}

// clean deletes the Job of an attempt that is over before its Job is: killed, out of time, or blind.
func (a *attempt) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleaning)
	defer cancel()
	a.log.say("deleting the Job %s", a.name)
	if err := a.persist(ctx, func(ctx context.Context) error { return a.c.erase(ctx, a.name, "", "Background") }); err != nil {
		a.log.say("the Job %s could not be deleted and may go on: %v", a.name, err)
	}
}

// wait follows the Job to its end. why is the reason when it was no good one.
func (a *attempt) wait(ctx context.Context) (good bool, why string, err error) {
	watching, unwatch := context.WithCancel(ctx)
	reading, unread := context.WithCancel(ctx)
	var pods sync.WaitGroup
	pods.Go(func() {
		err := observe(watching, a.c, a.c.pods(), a.podsOf(), away, func(now []pod) bool { a.look(reading, now); return false }, a.trouble)
		if watching.Err() == nil {
			a.log.once("the pods cannot be watched, so their log may be missing: " + err.Error())
		}
	})
	defer func() {
		unwatch()
		pods.Wait() // nobody begins to follow a log from here on
		unread()
		a.following.Wait()
	}()
	one := url.Values{"fieldSelector": {"metadata.name=" + a.name}}
	err = observe(ctx, a.c, a.c.jobs(), one, away, func(now []job) (over bool) {
		if len(now) == 0 {
			why = "it does not exist any more: somebody deleted it, or it ended while nobody could look"
			return true
		}
		over, good, why = now[0].ended()
		return over
	}, a.trouble)
	if err != nil {
		return false, "", err
	}
	unwatch()
	pods.Wait()
	a.finish(reading) // should ctx end here: the Job is over, and its end counts
	return good, a.reason(why), nil
}

func (a *attempt) podsOf() url.Values {
	return url.Values{"labelSelector": {"job-name=" + a.name}}
}

// look takes in what is known of the Pods.
func (a *attempt) look(ctx context.Context, now []pod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range now {
		if a.last.failure() == "" {
			a.last = p
		}
		for _, text := range p.obstacles() {
			a.log.once("the pod " + p.Metadata.Name + " cannot start: " + text)
		}
		container, started, ended := p.container()
		if !started {
			continue
		}
		f := a.followers[p.Metadata.Name]
		if f == nil && ctx.Err() == nil {
			f = &follower{c: a.c, log: a.log, pod: p.Metadata.Name, container: container}
			a.followers[p.Metadata.Name] = f
			a.log.once(fmt.Sprintf("the pod %s runs on the node %s", p.Metadata.Name, p.Spec.NodeName))
			a.following.Go(func() { f.run(ctx) })
		}
		if ended && f != nil {
			f.ended.Store(true)
		}
	}
}

// finish looks at the Pods of a Job that ended once more, because they may have run between two looks, and reads their log
// to its end.
func (a *attempt) finish(ctx context.Context) {
	if pods, _, err := list[pod](ctx, a.c, a.c.pods(), a.podsOf()); err == nil {
		for _, p := range pods {
			a.look(ctx, []pod{p})
		}
	}
	a.mu.Lock()
	for _, f := range a.followers {
		f.ended.Store(true)
	}
	a.mu.Unlock()
	done := make(chan struct{})
	go func() { a.following.Wait(); close(done) }()
	began := time.Now()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-time.After(200 * time.Millisecond):
			if min(a.log.quiet(), time.Since(began)) > silence {
				a.log.once("the log of the pod may lack its end")
				return
			}
		}
	}
}

// reason puts what the Pod says before what the Job says, which is mostly that it tried often enough.
func (a *attempt) reason(why string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if text := a.last.failure(); text != "" {
		return text
	}
	if why == "" {
		return "neither it nor its pod says why"
	}
	return why
}
