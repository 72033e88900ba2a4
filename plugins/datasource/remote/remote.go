package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// errHostKey says that the machine is not the one that is meant.
var errHostKey = errors.New("the host key is another one")

func step(err error) datasource.Step {
	text := err.Error()
	switch {
	case errors.Is(err, errHostKey), strings.Contains(text, "no common algorithm"):
		return datasource.Secure
	case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "message type 51"): // a failure without a question before it
		return datasource.SignIn
	}
	return datasource.Connect
}

func config(s datasource.Settings) (*ssh.ClientConfig, error) {
	conf := &ssh.ClientConfig{User: s.User, ClientVersion: "SSH-2.0-dorado"}
	if key := strings.TrimSpace(s.All[PrivateKey]); key != "" {
		signer, err := ssh.ParsePrivateKey([]byte(key + "\n"))
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			// How long unlocking takes stands in the key, which anybody may have written.
			return nil, errors.New("the private key is protected by a passphrase; give one without")
		}
		if err != nil {
			return nil, errors.New("the private key cannot be read") // the error might quote it
		}
		conf.Auth = append(conf.Auth, ssh.PublicKeys(signer))
	}
	if password := s.Password.Reveal(); password != "" {
		conf.Auth = append(conf.Auth, ssh.Password(password), ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if !echos[i] { // a machine that asks for anything but a password gets nothing
					answers[i] = password
				}
			}
			return answers, nil
		}))
	}
	if len(conf.Auth) == 0 {
		return nil, errors.New("there is neither a password nor a private key")
	}
	var err error
	conf.HostKeyCallback, err = hostKeys(s.All[HostKey], conf)
	return conf, err
}

// hostKeys reads which keys the machine may have: fingerprints, public keys or lines of known_hosts, one a line. Without any,
// every key is right, as it is in DolphinScheduler.
func hostKeys(text string, conf *ssh.ClientConfig) (ssh.HostKeyCallback, error) {
	prints := map[string]bool{}
	whole := true // all of them are keys, not fingerprints
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "SHA256:") && !strings.ContainsAny(line, " \t"):
			prints[strings.TrimRight(line, "=")] = true
			whole = false
			continue
		}
		key, err := publicKey(line)
		if err != nil {
			return nil, err
		}
		prints[ssh.FingerprintSHA256(key)] = true
		conf.HostKeyAlgorithms = append(conf.HostKeyAlgorithms, algorithms(key.Type())...)
	}
	if len(prints) == 0 {
		return ssh.InsecureIgnoreHostKey(), nil //nolint:gosec // nothing to compare with was given; see the help of the field
	}
	if !whole {
		conf.HostKeyAlgorithms = nil // of which kind the key behind a fingerprint is, is not known
	}
	return func(_ string, _ net.Addr, key ssh.PublicKey) error {
		if print := ssh.FingerprintSHA256(key); !prints[print] {
			return fmt.Errorf("%w: %s %s", errHostKey, key.Type(), print)
		}
		return nil
	}, nil
}

func publicKey(line string) (ssh.PublicKey, error) {
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
		return key, nil
	}
	if marker, _, key, _, _, err := ssh.ParseKnownHosts([]byte(line + "\n")); err == nil && marker == "" {
		return key, nil
	}
	return nil, errors.New("the host key is neither a fingerprint like SHA256:… nor a public key nor a line of known_hosts")
}

// algorithms are those by which a machine may prove that it has a key of this kind.
func algorithms(kind string) []string {
	if kind == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{kind}
}
