package remote

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"dorado/plugins/datasource"
)

// Why somebody cannot sign in. None quotes a secret.
var (
	ErrNoSecret   = errors.New("there is neither a password nor a private key")
	ErrPrivateKey = errors.New("the private key cannot be read")
	ErrPassphrase = errors.New("the private key is protected by a passphrase; give one without")
	ErrHostKeys   = errors.New("the host key is neither a fingerprint like SHA256:… nor a public key nor a line of known_hosts")
	ErrHostKey    = errors.New("the machine shows another host key than the expected one")
)

// AuthMethods are the ways to sign in, the key first. It returns ErrNoSecret, ErrPrivateKey, ErrPassphrase.
func AuthMethods(s datasource.Settings) ([]ssh.AuthMethod, error) {
	var all []ssh.AuthMethod
	if key := strings.TrimSpace(strings.ReplaceAll(s.All[PrivateKey], "\r\n", "\n")); key != "" {
		signer, err := ssh.ParsePrivateKey([]byte(key + "\n"))
		if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
			return nil, ErrPassphrase // how long unlocking takes stands in the key, which anybody may have written
		}
		if err != nil {
			return nil, ErrPrivateKey
		}
		all = append(all, ssh.PublicKeys(signer))
	}
	if password := s.Password.Reveal(); password != "" {
		all = append(all, ssh.Password(password), ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if !echos[i] { // a machine that asks for anything but a password gets nothing
					answers[i] = password
				}
			}
			return answers, nil
		}))
	}
	if len(all) == 0 {
		return nil, ErrNoSecret
	}
	return all, nil
}

// HostKeys are the keys that a machine may show. Without any, every key is right at first, as it is in DolphinScheduler, and no
// other one afterwards. They are for one connection at a time.
type HostKeys struct {
	prints []string // fingerprints
	kinds  []string // of the keys that are known in full
	first  string   // with no prints: the fingerprint that was seen first
}

// ReadHostKeys reads fingerprints, public keys and lines of known_hosts, one a line. Names of hosts in them are not looked at:
// they are for the one machine of the data source. It returns ErrHostKeys.
func ReadHostKeys(text string) (*HostKeys, error) {
	k := &HostKeys{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "SHA256:"):
			k.prints = append(k.prints, strings.TrimRight(strings.Fields(line)[0], "="))
		default:
			key, err := publicKey(line)
			if err != nil {
				return nil, err
			}
			k.prints = append(k.prints, ssh.FingerprintSHA256(key))
			k.kinds = append(k.kinds, key.Type())
		}
	}
	return k, nil
}

func publicKey(line string) (ssh.PublicKey, error) {
	if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
		return key, nil
	}
	if marker, _, key, _, _, err := ssh.ParseKnownHosts([]byte(line + "\n")); err == nil && marker == "" { // not one that is revoked
		return key, nil
	}
	return nil, ErrHostKeys
}

// Pinned reports whether there is something to compare with.
func (k *HostKeys) Pinned() bool { return len(k.prints) > 0 }

// First is the fingerprint that was shown first, when nothing is pinned; "" before that.
func (k *HostKeys) First() string { return k.first }

// Check is an ssh.HostKeyCallback. It returns ErrHostKey.
func (k *HostKeys) Check(_ string, _ net.Addr, key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	switch {
	case slices.Contains(k.prints, print), !k.Pinned() && k.first == print:
		return nil
	case !k.Pinned() && k.first == "":
		k.first = print
		return nil
	}
	return fmt.Errorf("%w: %s %s", ErrHostKey, key.Type(), print)
}

// Algorithms are those by which the machine may prove who it is; nil for all, because the kind of the key behind a fingerprint is
// not known.
func (k *HostKeys) Algorithms() []string {
	if len(k.kinds) < len(k.prints) {
		return nil
	}
	var all []string
	for _, kind := range k.kinds {
		if kind == ssh.KeyAlgoRSA {
			all = append(all, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			continue
		}
		all = append(all, kind)
	}
	return all
}
