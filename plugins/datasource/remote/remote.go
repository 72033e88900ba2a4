package remote

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource"
)

// Names of the fields that only this type has.
const (
	PrivateKey = "publicKey" // DolphinScheduler's name; it holds the private key
	HostKey    = "hostKey"
)

// Connect signs in. Errors carry the step at which that failed. When ctx ends before it is done, it ends too; afterwards the
// client belongs to the caller.
func Connect(ctx context.Context, s datasource.Settings) (*ssh.Client, error) {
	conf, err := config(s)
	if err != nil {
		return nil, datasource.At(datasource.Unfit, err)
	}
	conn, err := s.Dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) // the handshake knows no context
	c, channels, requests, err := ssh.NewClientConn(conn, conn.RemoteAddr().String(), conf)
	if !stop() && err == nil {
		err = ctx.Err()
		c.Close()
	}
	if err != nil {
		conn.Close()
		return nil, datasource.At(step(err), err)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// Ping signs in and opens a session, as tasks do.
func Ping(ctx context.Context, s datasource.Settings) error {
	c, err := Connect(ctx, s)
	if err != nil {
		return err
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	session, err := c.NewSession()
	if err != nil {
		return datasource.At(datasource.Ask, fmt.Errorf("signed in, but no session can be opened: %w", err))
	}
	session.Close()
	return nil
}

func step(err error) datasource.Step {
	text := err.Error()
	switch {
	case errors.Is(err, ErrHostKey), strings.Contains(text, "no common algorithm"):
		return datasource.Secure
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "message type 51"): // a failure without a question before it
		return datasource.SignIn
	}
	return datasource.Connect
}

func config(s datasource.Settings) (*ssh.ClientConfig, error) {
	auth, err := AuthMethods(s)
	if err != nil {
		return nil, err
	}
	keys, err := ReadHostKeys(s.All[HostKey])
	if err != nil {
		return nil, err
	}
	return &ssh.ClientConfig{
		User: s.User, Auth: auth, HostKeyCallback: keys.Check, HostKeyAlgorithms: keys.Algorithms(), ClientVersion: "SSH-2.0-dorado",
	}, nil
}
