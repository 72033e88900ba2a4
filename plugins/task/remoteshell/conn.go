package remoteshell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"dorado/app/kit/dial"
)

const (
	connectTimeout = 15 * time.Second // for one address, and again to sign in
	keepAlive      = 10 * time.Second // between questions whether the other side is there
	keepTimeout    = 20 * time.Second // for the answer to one
	closeTimeout   = time.Second      // for the end of a script whose output nobody wants any more
	maxAnswer      = 64 << 10         // of a script that is no log
)

// brokenError says that the connection failed, not what was done over it: trying again may help.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

func broken(err error) bool {
	_, ok := errors.AsType[brokenError](err)
	return ok
}

// conn is a connection to the machine.
type conn struct {
	*ssh.Client
	address string
	stop    chan struct{} // closed when the connection is not asked any more whether it lives
}

// connect signs in at the first of the addresses that answers.
func connect(ctx context.Context, all []string, user string, auth []ssh.AuthMethod, p *pins) (*conn, error) {
	var last error
	for _, address := range all {
		raw, err := dial.New(connectTimeout).DialContext(ctx, "tcp", address)
		if err != nil {
			if last = (brokenError{err}); errors.Is(err, dial.ErrForbidden) {
				last = err
			}
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
		_ = raw.SetDeadline(time.Now().Add(connectTimeout))
		c, channels, requests, err := ssh.NewClientConn(raw, address, &ssh.ClientConfig{
			User: user, Auth: auth, HostKeyCallback: p.check, HostKeyAlgorithms: p.algorithms(), ClientVersion: "SSH-2.0-Dorado",
		})
		if !stop() && err == nil {
			err = ctx.Err()
			_ = c.Close()
		}
		if err != nil {
			_ = raw.Close()
			if errors.Is(err, errHostKey) {
				return nil, fmt.Errorf("%s: %w", address, err)
			}
			return nil, brokenError{fmt.Errorf("%s: %w", address, err)}
		}
		_ = raw.SetDeadline(time.Time{})
		out := &conn{ssh.NewClient(c, channels, requests), address, make(chan struct{})}
		go out.watch()
		return out, nil
	}
	return nil, last
}

// watch closes the connection when the other side does not answer any more, which TCP finds out only after hours.
func (c *conn) watch() {
	tick := time.NewTicker(keepAlive)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		late := time.AfterFunc(keepTimeout, func() { _ = c.Client.Close() })
		_, _, err := c.SendRequest("keepalive@openssh.com", true, nil)
		late.Stop()
		if err != nil {
			_ = c.Client.Close()
			return
		}
	}
}

// close ends the connection.
func (c *conn) close() {
	close(c.stop)
	_ = c.Client.Close()
}

// sh runs a script in the shell of the machine and gives read what it prints. The script goes through standard input: it is
// not in the process list there. The end of ctx ends the script's connection, but not what it started.
func (c *conn) sh(ctx context.Context, script string, read func(*bufio.Reader) error) error {
	done := make(chan struct{})
	defer close(done)
	var open atomic.Pointer[ssh.Session]
	stop := context.AfterFunc(ctx, func() {
		if session := open.Load(); session != nil {
			_ = session.Close()
		}
		select {
		case <-done:
		case <-time.After(closeTimeout): // the other side does not answer
			_ = c.Client.Close()
		}
	})
	defer stop()
	session, err := c.NewSession()
	if err != nil {
		return ended(ctx, err)
	}
	defer session.Close()
	open.Store(session)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	mark := "dorado-" + nonce()
	session.Stdin = strings.NewReader("mark=" + mark + "\n" + script)
	said := &tail{}
	session.Stderr = said
	out, err := session.StdoutPipe()
	if err != nil {
		return brokenError{err}
	}
	if err := session.Start("/bin/sh"); err != nil {
		return ended(ctx, err)
	}
	from := bufio.NewReaderSize(out, 64<<10)
	readErr := skip(from, mark)
	if readErr == nil {
		readErr = read(from)
	}
	if readErr != nil {
		_ = session.Close()
	}
	err = session.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		if text := said.String(); text != "" {
			return fmt.Errorf("the machine says: %s", text)
		}
		return fmt.Errorf("a command on the machine ended with %d", exit.ExitStatus())
	}
	if readErr != nil {
		return brokenError{readErr}
	}
	if err != nil {
		return brokenError{err}
	}
	return nil
}

// ended is why the connection failed: because nobody wants it any more, or by itself.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return brokenError{err}
}

// ask runs a script and returns what it prints.
func (c *conn) ask(ctx context.Context, script string) (string, error) {
	var answer []byte
	err := c.sh(ctx, script, func(r *bufio.Reader) (err error) {
		answer, err = io.ReadAll(io.LimitReader(r, maxAnswer))
		return err
	})
	return strings.TrimSpace(string(answer)), err
}

var errNoise = errors.New("the machine says something else than expected; does its login shell print much?")

// skip leaves out what a login shell prints before the script.
func skip(r *bufio.Reader, mark string) error {
	for range 10_000 {
		line, err := r.ReadSlice('\n')
		if bytes.HasSuffix(bytes.TrimRight(line, "\r\n"), []byte(mark)) {
			return nil
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return fmt.Errorf("no shell answers: %w", err)
		}
	}
	return errNoise
}

// tail keeps the last of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2000
	t.text = append(t.text, p...)
	if len(t.text) > most {
		t.text = bytes.Clone(t.text[len(t.text)-most:])
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "")) }
