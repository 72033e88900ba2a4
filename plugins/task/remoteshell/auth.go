package remoteshell

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource"
)

// Fields of an SSH data source besides the usual ones.
const (
	privateKey = "publicKey" // so DolphinScheduler calls it
	hostKey    = "hostKey"
)

// Why a data source cannot be used.
var (
	errNoSecret   = errors.New("the data source has neither a password nor a private key")
	errPrivateKey = errors.New("the private key of the data source cannot be read")
	errPinned     = errors.New("the host key of the data source is neither a fingerprint (SHA256:…) nor a line of known_hosts")
	errHostKey    = errors.New("the machine shows another host key than the expected one")
)

// authMethods are the ways to sign in, the key first.
func authMethods(s datasource.Settings) ([]ssh.AuthMethod, error) {
	var all []ssh.AuthMethod
	password := string(s.Password)
	if text := strings.TrimSpace(strings.ReplaceAll(s.All[privateKey], "\r\n", "\n")); text != "" {
		signer, err := ssh.ParsePrivateKey([]byte(text + "\n"))
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(text+"\n"), []byte(password))
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errPrivateKey, err)
		}
		all = append(all, ssh.PublicKeys(signer))
	}
	if password != "" {
		all = append(all, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, _ []bool) ([]string, error) {
				return slices.Repeat([]string{password}, len(questions)), nil
			}))
	}
	if len(all) == 0 {
		return nil, errNoSecret
	}
	return all, nil
}

// pins are the host keys that a machine may show.
type pins struct {
	prints []string // fingerprints
	kinds  []string // of the keys that are known in full
	first  string   // with no pins: the fingerprint that was seen first
}

// readPins reads fingerprints and lines of known_hosts, one a line. Names of hosts in them are not looked at: they are for
// the one machine of the data source.
func readPins(text string) (pins, error) {
	var p pins
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "SHA256:"):
			p.prints = append(p.prints, strings.TrimRight(strings.Fields(line)[0], "="))
		default:
			key, err := readKey([]byte(line))
			if err != nil {
				return p, errPinned
			}
			p.prints = append(p.prints, ssh.FingerprintSHA256(key))
			p.kinds = append(p.kinds, key.Type())
		}
	}
	return p, nil
}

func readKey(line []byte) (ssh.PublicKey, error) {
	if key, _, _, _, err := ssh.ParseAuthorizedKey(line); err == nil {
		return key, nil
	}
	_, _, key, _, _, err := ssh.ParseKnownHosts(append(bytes.Clone(line), '\n'))
	return key, err
}

// check is what decides about a host key. Without pins the first one is taken, and no other during the same attempt.
func (p *pins) check(_ string, _ net.Addr, key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	if len(p.prints) == 0 {
		if p.first == "" {
			p.first = print
		}
		if p.first == print {
			return nil
		}
	} else if slices.Contains(p.prints, print) {
		return nil
	}
	return fmt.Errorf("%w: %s %s", errHostKey, key.Type(), print)
}

// algorithms are the kinds of host keys to ask for: those that are pinned, otherwise in the order of OpenSSH.
func (p *pins) algorithms() []string {
	var out []string
	for _, kind := range p.kinds {
		switch kind {
		case ssh.KeyAlgoRSA:
			out = append(out, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA)
		default:
			out = append(out, kind)
		}
	}
	if len(out) == 0 || len(p.kinds) < len(p.prints) {
		out = append(out, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
			ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA)
	}
	return out
}
