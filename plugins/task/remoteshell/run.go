package remoteshell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource"
	"dorado/plugins/datasource/remote"
	"dorado/plugins/form"
	"dorado/plugins/task"
)

const (
	patience    = 5 * time.Minute  // without any connection, before a running script is given up
	longestWait = 20 * time.Second // between two tries to connect
	endTimeout  = 30 * time.Second // to end a script, connecting included
	endTry      = 10 * time.Second // of these, for one connection
	cleanUp     = 10 * time.Second
	maxPending  = 64 << 10
)

// Why an attempt fails besides its exit code.
var (
	errSource = errors.New("the task needs a data source of type SSH")
	errGone   = errors.New("nothing is known of the script on the machine: it has run and its files were removed, or the machine lost them. It is not run again by itself")
	errLost   = errors.New("the script ended without an exit code: it was killed, or the machine was restarted")
	errFrame  = errors.New("the machine says something else than expected")
)

// job is one attempt.
type job struct {
	source    datasource.Settings
	auth      []ssh.AuthMethod
	hostKeys  *remote.HostKeys
	link      link
	keep      func(string) error
	log       io.Writer
	patience  time.Duration
	conn      *conn // nil: none
	addresses []string
	offset    int64     // of the log
	contact   time.Time // when the machine last said something
	pending   []byte    // the beginning of a line: nothing of ours is to stand within it
	code      int       // of the script, once it has ended
}

func run(ctx context.Context, v form.Values, env task.Env) (task.Outcome, error) {
	j, err := newJob(v, env)
	if err != nil {
		return task.Outcome{}, err
	}
	return j.run(ctx, env, v.Text(rawScript))
}

func newJob(v form.Values, env task.Env) (*job, error) {
	source, err := env.Source(v.ID(dataSource))
	if err != nil {
		return nil, err
	}
	if source.Plugin.Type != sourceType || len(source.Settings.Hosts) == 0 {
		return nil, errSource
	}
	j := &job{source: source.Settings, keep: env.Keep, log: env.Log, patience: patience, addresses: addresses(source.Settings)}
	if j.auth, err = remote.AuthMethods(j.source); err != nil {
		return nil, err
	}
	if j.hostKeys, err = remote.ReadHostKeys(j.source.All[remote.HostKey]); err != nil {
		return nil, err
	}
	if env.Link != "" {
		if j.link, err = parseLink(env.Link); err != nil {
			return nil, err
		}
		j.addresses = narrow(j.addresses, j.link.address)
	}
	return j, nil
}

func (j *job) run(ctx context.Context, env task.Env, text string) (task.Outcome, error) {
	defer j.hangUp()
	j.contact = time.Now()
	if j.link.name == "" {
		if err := j.begin(ctx, env, text); err != nil {
			return task.Outcome{}, err
		}
	} else {
		j.say("attaching to %s", j.link)
	}
	out := task.Outcome{AppLink: j.link.String()}
	err := j.attend(ctx)
	j.flush()
	switch {
	case errors.Is(context.Cause(ctx), task.ErrLeave):
		j.say("the worker goes away; %s goes on and is found again", j.link)
		return out, task.ErrLeave
	case ctx.Err() != nil:
		return out, errors.Join(ctx.Err(), j.end(ctx))
	case errors.Is(err, errLost):
		return out, errors.Join(err, j.end(ctx)) // parts of it may be left
	case err != nil:
		return out, err
	}
	j.clean(ctx)
	if j.code != 0 {
		return out, fmt.Errorf("the script ended with exit code %d", j.code)
	}
	return out, nil
}

// begin puts the script onto the machine and makes its name known. A failure leaves nothing that could run.
func (j *job) begin(ctx context.Context, env task.Env, text string) error {
	if err := j.connect(ctx); err != nil {
		return err
	}
	j.link = newLink(env, j.conn.address)
	j.addresses = narrow(j.addresses, j.conn.address)
	if _, err := j.conn.ask(ctx, prepare(j.link.name, env.Environment, text)); err != nil {
		j.clean(ctx)
		return fmt.Errorf("the script cannot be put onto %s: %w", j.link.address, err)
	}
	if j.keep != nil {
		if err := j.keep(j.link.String()); err != nil {
			j.clean(ctx)
			return fmt.Errorf("the name of the remote script cannot be stored: %w", err)
		}
	}
	j.say("runs as %s", j.link)
	return nil
}

// attend stays with the script until it has ended, over as many connections as that takes.
func (j *job) attend(ctx context.Context) error {
	started := false
	for wait := time.Second; ; {
		err := j.connect(ctx)
		if err == nil && !started {
			err = j.start(ctx)
			started = err == nil
		}
		if err == nil {
			before := j.contact
			err = j.follow(ctx)
			if j.contact.After(before) {
				wait = time.Second
			}
		}
		if err == nil || ctx.Err() != nil || !broken(err) {
			return err
		}
		j.hangUp()
		if silent := time.Since(j.contact); silent >= j.patience {
			return fmt.Errorf("no connection to %s for %s; the script may still run there as %s: %w", j.link.address, silent.Round(time.Second), j.link.name, err)
		}
		j.say("no connection: %v; the next try is in %s", err, wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, longestWait)
	}
}

// connect makes sure that there is a connection.
func (j *job) connect(ctx context.Context) error {
	if j.conn != nil {
		select {
		case <-j.conn.gone:
			j.hangUp()
		default:
			return nil
		}
	}
	first := j.hostKeys.First()
	c, err := connect(ctx, j.addresses, j.source.User, j.auth, j.hostKeys)
	if err != nil {
		return err
	}
	j.conn = c
	switch {
	case j.hostKeys.Pinned():
		j.say("connected to %s@%s", j.source.User, c.address)
	case first == "":
		j.say("connected to %s@%s, whose host key %s is not checked: the data source names none", j.source.User, c.address, j.hostKeys.First())
	default:
		j.say("connected to %s@%s again", j.source.User, c.address)
	}
	return nil
}

func (j *job) hangUp() {
	if j.conn != nil {
		j.conn.close()
		j.conn = nil
	}
}

// start lets the script run, unless it does already.
func (j *job) start(ctx context.Context) error {
	said, err := j.conn.ask(ctx, script(j.link.name, startScript))
	if err != nil {
		return err
	}
	j.contact = time.Now()
	if said == "gone" {
		return errGone
	}
	j.say("%s", said)
	return nil
}

// follow copies the log until the script has ended.
func (j *job) follow(ctx context.Context) error {
	var end error // that is no failure of the connection
	err := j.conn.sh(ctx, follow(j.link.name, j.offset), func(r *bufio.Reader) error {
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return err
			}
			j.contact = time.Now()
			word, number, _ := strings.Cut(string(bytes.TrimSpace(line)), " ")
			switch word {
			case ".": // nothing came for a while: whoever waits for the rest of a line may see its beginning
				j.flush()
				continue
			case "G":
				end = errGone
				return nil
			case "L":
				end = errLost
				return nil
			}
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 {
				return errFrame
			}
			switch word {
			case "D":
				if err := j.copy(r, n); err != nil {
					return err
				}
			case "E":
				j.code = n
				return nil
			default:
				return errFrame
			}
		}
	})
	if err != nil && !broken(err) && ctx.Err() == nil {
		err = brokenError{err} // the one who looked was ended, not the script
	}
	return errors.Join(err, end)
}

// copy takes n bytes of the log over. It counts each of them: the next connection goes on behind the last.
func (j *job) copy(r *bufio.Reader, n int) error {
	for n > 0 {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		piece, err := r.Peek(min(n, r.Buffered()))
		if err != nil {
			return err
		}
		j.pending = append(j.pending, piece...)
		if end := bytes.LastIndexByte(j.pending, '\n') + 1; end > 0 {
			_, _ = j.log.Write(j.pending[:end]) // on a full disk the script goes on all the same
			j.pending = append(j.pending[:0], j.pending[end:]...)
		}
		if len(j.pending) > maxPending {
			j.flush()
		}
		j.offset += int64(len(piece))
		n -= len(piece)
		j.contact = time.Now()
		_, _ = r.Discard(len(piece))
	}
	return nil
}

// flush writes the line that has no end yet.
func (j *job) flush() {
	_, _ = j.log.Write(j.pending)
	j.pending = j.pending[:0]
}

// end ends everything the script started. It is called when ctx may be over.
func (j *job) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	for {
		left, err := j.kill(ctx)
		switch {
		case err == nil && left == "":
			j.say("ended on %s", j.link.address)
			return nil
		case err == nil:
			return fmt.Errorf("processes %s on %s could not be ended", left, j.link.address)
		case !broken(err) && !errors.Is(err, context.DeadlineExceeded), ctx.Err() != nil:
			return fmt.Errorf("the script may still run on %s as %s: %w", j.link.address, j.link.name, err)
		}
		j.hangUp()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// kill tries once to end everything, and returns the processes that are left. A connection that is dead without anybody
// knowing must not take all the time there is.
func (j *job) kill(ctx context.Context) (left string, err error) {
	ctx, cancel := context.WithTimeout(ctx, endTry)
	defer cancel()
	if err := j.connect(ctx); err != nil {
		return "", err
	}
	said, err := j.conn.ask(ctx, script(j.link.name, killScript))
	return strings.Join(strings.Fields(said), ", "), err
}

// clean removes the files. What stays behind when that fails is removed by a later task.
func (j *job) clean(ctx context.Context) {
	if j.conn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	if _, err := j.conn.ask(ctx, script(j.link.name, cleanScript)); err != nil {
		j.say("files are left on %s: %v", j.link.address, err)
	}
}

// say tells people what happens.
func (j *job) say(format string, args ...any) { fmt.Fprintf(j.log, "["+format+"]\n", args...) }
