package remoteshell

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dorado/app/kit/dial"
	"dorado/plugins/datasource"
	"dorado/plugins/task"
)

// link names a running script: a directory, and the machine it is on.
type link struct {
	name    string
	address string // host and port
}

func (l link) String() string { return l.name + "@" + l.address }

// linkName is what may be a directory; it goes into shell scripts as it is.
var linkName = regexp.MustCompile(`^remoteshell-[0-9]+_[0-9]+-[0-9a-f]{16}$`)

var errLink = errors.New("this is no name of a remote script")

// newLink names a script. Several installations may run scripts on one machine, so ids alone would not do.
func newLink(env task.Env, address string) link {
	return link{fmt.Sprintf("remoteshell-%s-%s", env.ID(), nonce()), address}
}

// parseLink reads what String wrote.
func parseLink(text string) (link, error) {
	name, address, ok := strings.Cut(text, "@")
	if !ok || !linkName.MatchString(name) {
		return link{}, fmt.Errorf("%w: %q", errLink, text)
	}
	return link{name, address}, nil
}

// nonce is a random name.
func nonce() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// addresses are where the machine of a data source may be reached, in order.
func addresses(s datasource.Settings) []string {
	out := make([]string, len(s.Hosts))
	for i, h := range s.Hosts {
		out[i] = dial.Join(h, s.Port)
	}
	return out
}

// narrow leaves of the addresses the one that is wanted, all of them when it is not among them.
func narrow(all []string, wanted string) []string {
	if slices.Contains(all, wanted) {
		return []string{wanted}
	}
	return all
}
