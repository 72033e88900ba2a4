package remoteshell

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource/remote"
)

const (
	connectTimeout = 15 * time.Second // for one address, and again to sign in
	keepAlive      = 10 * time.Second // between questions whether the other side is there
	keepTimeout    = 20 * time.Second // for the answer to one
	closeTimeout   = 5 * time.Second  // for the end of a script after the end of its output
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
	gone    chan struct{} // closed when it has ended, whoever ended it
}

// connect signs in at the first of the addresses that answers.
func connect(ctx context.Context, all []string, user string, auth []ssh.AuthMethod, keys *remote.HostKeys) (*conn, error) {
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
			User: user, Auth: auth, HostKeyCallback: keys.Check, HostKeyAlgorithms: keys.Algorithms(), ClientVersion: "SSH-2.0-Dorado",
		})
		if !stop() && err == nil {
			err = ctx.Err()
			_ = c.Close()
		}
		if err != nil {
			_ = raw.Close()
			if errors.Is(err, remote.ErrHostKey) {
				return nil, fmt.Errorf("%s: %w", address, err)
			}
			return nil, brokenError{fmt.Errorf("%s: %w", address, err)}
		}
		_ = raw.SetDeadline(time.Time{})
		out := &conn{ssh.NewClient(c, channels, requests), address, make(chan struct{}), make(chan struct{})}
		go out.watch()
		go func() {
			_ = out.Wait()
			close(out.gone)
		}()
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
// not in the process list there. It returns as soon as ctx is over, whether the other side answers or not; read has returned
// then, too.
func (c *conn) sh(ctx context.Context, script string, read func(*bufio.Reader) error) error {
	session, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer session.Close()
	mark := "dorado-" + nonce()
	said := &tail{}
	out, in := io.Pipe()
	defer out.Close()
	session.Stdin, session.Stdout, session.Stderr = strings.NewReader("mark="+mark+"\n"+script), in, said
	done := make(chan error, 1)
	go func() {
		err := session.Start("/bin/sh")
		if err == nil {
			err = session.Wait()
		}
		done <- err
		_ = in.Close()
	}()
	stop := context.AfterFunc(ctx, func() { _ = out.CloseWithError(ctx.Err()) })
	defer stop()
	from := bufio.NewReaderSize(out, 64<<10)
	readErr := skip(from, mark)
	if readErr == nil {
		readErr = read(from)
	}
	if readErr != nil {
		_ = session.Close()
	}
	select {
	case err = <-done:
	case <-time.After(closeTimeout):
		err = errSlow
	case <-ctx.Done():
	}
	switch exit, ok := errors.AsType[*ssh.ExitError](err); {
	case ctx.Err() != nil:
		return ctx.Err()
	case ok && len(said.text) > 0:
		return fmt.Errorf("the machine says: %s", said)
	case ok:
		return fmt.Errorf("a command on the machine ended with %d", exit.ExitStatus())
	case err != nil:
		return brokenError{err}
	case readErr != nil:
		return brokenError{readErr}
	}
	return nil
}

// open opens a session. NewSession waits for ever when the connection ends at the same moment.
func (c *conn) open(ctx context.Context) (*ssh.Session, error) {
	type opened struct {
		*ssh.Session
		error
	}
	done := make(chan opened, 1)
	go func() {
		s, err := c.NewSession()
		done <- opened{s, err}
	}()
	select {
	case o := <-done:
		if o.error != nil {
			return nil, ended(ctx, o.error)
		}
		return o.Session, nil
	case <-c.gone:
		return nil, brokenError{net.ErrClosed}
	case <-ctx.Done():
		_ = c.Client.Close() // who knows what it is worth
		return nil, ctx.Err()
	}
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

var (
	errNoise = errors.New("the machine says something else than expected; does its login shell print much?")
	errSlow  = errors.New("the machine does not answer")
)

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
