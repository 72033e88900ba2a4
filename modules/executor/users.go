package executor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// accountTTL is how long a user found through getent (LDAP, SSSD) is remembered.
	accountTTL = time.Minute
	// stampTTL is how long /etc/passwd and /etc/group are taken to be as they were seen last. Local users are looked up again
	// when one of them has changed, so one that vanished is refused at once to people, while a thousand starts a second do
	// not look each.
	stampTTL = 10 * time.Millisecond
)

// account is an operating-system user that attempts run as.
type account struct {
	name   string
	uid    uint32
	gid    uint32
	groups []uint32
	home   string
	shell  string
	self   bool // the worker's own user: no switch
}

// credential is what the kernel needs to become the account; nil when it already is.
func (a account) credential() *syscall.Credential {
	if a.self {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: a.groups}
}

// users turns tenants into accounts.
type users struct {
	cfg    Config
	etc    string // /etc; tests have their own
	mu     sync.Mutex
	stamp  [2]fileStamp // of passwd and group, when cache was filled
	looked time.Time    // when stamp was compared last
	cache  map[string]cached
	create func(ctx context.Context, name string) error
}

type cached struct {
	account account
	local   bool
	at      time.Time
}

type fileStamp struct {
	mtime syscall.Timespec
	size  int64
	inode uint64
}

func newUsers(cfg Config) *users {
	return &users{cfg: cfg, etc: "/etc", cache: map[string]cached{}, create: useradd}
}

// resolve returns the account of a tenant and whether sudo is needed to become it. The error is a sentence for the user.
func (u *users) resolve(ctx context.Context, tenant string) (a account, viaSudo bool, err error) {
	name := tenant
	if name == "" {
		name = "default"
	}
	if !validTenant(name) {
		return account{}, false, fmt.Errorf("tenant %q is not a valid user name", tenant)
	}
	own := uint32(os.Geteuid())
	if name == "default" {
		if !privileged() {
			return u.own(own), false, nil
		}
		name = u.cfg.DefaultUser
	}
	a, err = u.lookup(ctx, name)
	if errors.Is(err, errNoUser) && u.cfg.AutoCreateTenant && privileged() {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if err = u.create(ctx, name); err == nil {
			a, err = u.lookup(ctx, name)
		}
	}
	switch {
	case errors.Is(err, errNoUser):
		return account{}, false, fmt.Errorf("tenant %q: this worker has no such operating-system user", name)
	case err != nil:
		return account{}, false, fmt.Errorf("tenant %q: %w", name, err)
	case a.uid == 0 && !u.cfg.AllowRootTenant:
		return account{}, false, fmt.Errorf("tenant %q is the superuser, which worker.allow-root-tenant forbids", name)
	}
	if a.uid == own {
		a.self = true
		return a, false, nil
	}
	switch u.cfg.Sudo {
	case SudoAlways:
		return a, true, nil
	case SudoNever:
		if !privileged() {
			return account{}, false, fmt.Errorf("tenant %q: the worker is not privileged and worker.sudo is never", name)
		}
	case SudoAuto:
		if !privileged() {
			return a, true, nil
		}
	}
	return a, false, nil
}

// own is the worker's user; it needs no entry anywhere.
func (u *users) own(uid uint32) account {
	home, _ := os.UserHomeDir()
	a := account{name: strconv.Itoa(int(uid)), uid: uid, gid: uint32(os.Getegid()), home: home, shell: "/bin/sh", self: true}
	f, err := os.Open(filepath.Join(u.etc, "passwd"))
	if err != nil {
		return a
	}
	defer func() { _ = f.Close() }()
	for fields := range colonLines(f) {
		if len(fields) >= 7 && fields[2] == strconv.Itoa(int(uid)) {
			a.name, a.home, a.shell = fields[0], fields[5], shellOf(fields[6])
			break
		}
	}
	return a
}

var errNoUser = errors.New("no such user")

func (u *users) lookup(ctx context.Context, name string) (account, error) {
	u.mu.Lock()
	// Under the lock: whoever comes meanwhile would look, too. Before the look, so that no change goes unseen for longer.
	if now := time.Now(); now.Sub(u.looked) > stampTTL {
		u.looked = now
		if stamp := [2]fileStamp{stampOf(filepath.Join(u.etc, "passwd")), stampOf(filepath.Join(u.etc, "group"))}; stamp != u.stamp {
			u.stamp = stamp
			clear(u.cache)
		}
	}
	c, ok := u.cache[name]
	u.mu.Unlock()
	if ok && (c.local || time.Since(c.at) < accountTTL) {
		return c.account, nil
	}
	a, err := u.local(name)
	local := err == nil
	if errors.Is(err, errNoUser) {
		a, err = getent(ctx, name)
	}
	if err != nil {
		return account{}, err
	}
	u.mu.Lock()
	u.cache[name] = cached{a, local, time.Now()}
	u.mu.Unlock()
	return a, nil
}

// local reads /etc/passwd and /etc/group.
func (u *users) local(name string) (account, error) {
	f, err := os.Open(filepath.Join(u.etc, "passwd"))
	if err != nil {
		return account{}, err
	}
	defer func() { _ = f.Close() }()
	for fields := range colonLines(f) {
		if fields[0] != name {
			continue
		}
		a, err := parseAccount(fields)
		if err != nil {
			return account{}, err
		}
		a.groups, err = u.groups(name, a.gid)
		return a, err
	}
	return account{}, errNoUser
}

func (u *users) groups(name string, primary uint32) ([]uint32, error) {
	groups := []uint32{primary}
	f, err := os.Open(filepath.Join(u.etc, "group"))
	if errors.Is(err, os.ErrNotExist) {
		return groups, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	for fields := range colonLines(f) {
		if len(fields) < 4 || !slices.Contains(strings.Split(fields[3], ","), name) {
			continue
		}
		if gid, err := strconv.ParseUint(fields[2], 10, 32); err == nil && gid != uint64(primary) {
			groups = append(groups, uint32(gid))
		}
	}
	return groups, nil
}

// getent asks the name service, which knows users that /etc/passwd does not.
func getent(ctx context.Context, name string) (account, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "getent", "passwd", name).Output()
	var exit *exec.ExitError
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.As(err, &exit) && exit.ExitCode() == 2:
		return account{}, errNoUser
	case err != nil:
		return account{}, fmt.Errorf("getent passwd: %w", err)
	}
	fields := strings.Split(strings.TrimSpace(string(out)), ":")
	if fields[0] != name {
		return account{}, errNoUser
	}
	a, err := parseAccount(fields)
	if err != nil {
		return account{}, err
	}
	a.groups = []uint32{a.gid}
	if out, err := exec.CommandContext(ctx, "getent", "initgroups", name).Output(); err == nil {
		for _, g := range strings.Fields(string(out))[1:] {
			if gid, err := strconv.ParseUint(g, 10, 32); err == nil && gid != uint64(a.gid) {
				a.groups = append(a.groups, uint32(gid))
			}
		}
	}
	return a, nil
}

func parseAccount(fields []string) (account, error) {
	if len(fields) < 7 {
		return account{}, fmt.Errorf("malformed passwd entry of %q", fields[0])
	}
	uid, err := strconv.ParseUint(fields[2], 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("malformed passwd entry of %q", fields[0])
	}
	gid, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("malformed passwd entry of %q", fields[0])
	}
	return account{name: fields[0], uid: uint32(uid), gid: uint32(gid), home: fields[5], shell: shellOf(fields[6])}, nil
}

// shellOf is the value of SHELL: an account that nobody logs in to still has scripts that look at it.
func shellOf(shell string) string {
	if base := filepath.Base(shell); shell == "" || base == "nologin" || base == "false" {
		return "/bin/sh"
	}
	return shell
}

func useradd(ctx context.Context, name string) error {
	if out, err := exec.CommandContext(ctx, "useradd", "-m", "--", name).CombinedOutput(); err != nil {
		return fmt.Errorf("useradd: %w: %s", err, oneLine(string(out)))
	}
	return nil
}

func stampOf(path string) fileStamp {
	var st syscall.Stat_t
	if syscall.Stat(path, &st) != nil {
		return fileStamp{}
	}
	return fileStamp{st.Mtim, st.Size, st.Ino}
}

// colonLines iterates over the lines of a passwd-like file, split at colons.
func colonLines(f *os.File) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		lines := bufio.NewScanner(f)
		for lines.Scan() {
			if line := lines.Text(); line != "" && line[0] != '#' && !yield(strings.Split(line, ":")) {
				return
			}
		}
	}
}
