package executor

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime"
	"time"
)

// SudoMode says how the worker becomes another user.
type SudoMode string

// The modes.
const (
	SudoAuto   SudoMode = "auto"   // by direct switch when privileged, through sudo otherwise
	SudoNever  SudoMode = "never"  // by direct switch only
	SudoAlways SudoMode = "always" // through sudo only
)

// StopMode says what happens to attempts that outlive the drain.
type StopMode string

// The modes.
const (
	StopKill  StopMode = "kill"  // they are killed and reported LOST, so that another worker repeats them
	StopLeave StopMode = "leave" // they run on; the next start kills what is left of them and reports LOST
)

// FullPolicy says what happens to work for which there is no slot.
type FullPolicy string

// The policies, named as in DolphinScheduler.
const (
	FullReject   FullPolicy = "REJECT"   // it is refused, and its master looks for another worker
	FullContinue FullPolicy = "CONTINUE" // it waits here, at most Config.QueueLength of it
)

// Config is the worker's part of the configuration.
type Config struct {
	Name     string   `koanf:"name"`    // stable, unique in the cluster
	Address  string   `koanf:"address"` // host:port for people; may be empty
	Groups   []string `koanf:"groups"`
	Listen   string   `koanf:"listen"`   // host:port of health and metrics; "" = none
	Slots    int      `koanf:"slots"`    // attempts at once
	Starting int      `koanf:"starting"` // attempts being started at once

	HostWeight  int        `koanf:"host-weight"`  // for policies that choose workers by weight
	FullPolicy  FullPolicy `koanf:"full-policy"`  // of work beyond Slots
	QueueLength int        `koanf:"queue-length"` // with FullContinue

	// Shares of 1 above which nothing new is taken; 0 = never.
	MaxMemoryUsage float64 `koanf:"max-memory-usage"`
	MaxDiskUsage   float64 `koanf:"max-disk-usage"`
	MaxCPUUsage    float64 `koanf:"max-cpu-usage"`

	LeaseGrace time.Duration `koanf:"lease-grace"` // from the loss of the place in the cluster to the end of what runs

	ExecDir    string `koanf:"exec-dir"`    // holds the working directories
	LogDir     string `koanf:"log-dir"`     // holds the task logs
	JournalDir string `koanf:"journal-dir"` // holds what must survive a crash of the worker

	CacheDir  string `koanf:"cache-dir"`  // holds copies of files of the resource center
	CacheSize int64  `koanf:"cache-size"` // bytes of them that are kept when no task needs them

	MaxTransfer int64 `koanf:"max-transfer"` // bytes of one file or folder that a task hands on to tasks behind it

	LogKeep time.Duration `koanf:"log-keep"` // how long a log stays here after its end when the storage has it; 0 = for good

	KillInterruptWait time.Duration `koanf:"kill-interrupt-wait"` // from SIGINT to SIGTERM
	KillTerminateWait time.Duration `koanf:"kill-terminate-wait"` // from SIGTERM to SIGKILL

	Sudo             SudoMode `koanf:"sudo"`
	AutoCreateTenant bool     `koanf:"auto-create-tenant"` // needs privilege
	DefaultUser      string   `koanf:"default-user"`       // the tenant "default" of a privileged worker
	AllowRootTenant  bool     `koanf:"allow-root-tenant"`

	EnvAllow []string `koanf:"env-allow"` // variables of the worker that tasks see
	Path     string   `koanf:"path"`      // PATH of tasks that run as another user

	KeepWorkdir  bool          `koanf:"keep-workdir"` // for developers: working directories stay
	DrainTimeout time.Duration `koanf:"drain-timeout"`
	OnStop       StopMode      `koanf:"on-stop"`
	Heartbeat    time.Duration `koanf:"heartbeat"`
}

// DefaultConfig returns the defaults; everything lies below dataDir.
func DefaultConfig(dataDir string) Config {
	return Config{
		Name:              "worker",
		Groups:            []string{"default"},
		Slots:             100,
		Starting:          2 * runtime.NumCPU(),
		HostWeight:        100,
		FullPolicy:        FullReject,
		QueueLength:       100,
		MaxMemoryUsage:    0.9,
		MaxDiskUsage:      0.9,
		LeaseGrace:        30 * time.Second,
		ExecDir:           filepath.Join(dataDir, "exec"),
		LogDir:            filepath.Join(dataDir, "logs"),
		JournalDir:        filepath.Join(dataDir, "journal"),
		CacheDir:          filepath.Join(dataDir, "cache"),
		CacheSize:         2 << 30,
		MaxTransfer:       4 << 30,
		KillInterruptWait: 5 * time.Second,
		KillTerminateWait: 5 * time.Second,
		Sudo:              SudoAuto,
		DefaultUser:       "nobody",
		EnvAllow:          []string{"LANG", "LC_ALL", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"},
		Path:              "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		DrainTimeout:      30 * time.Second,
		OnStop:            StopKill,
		Heartbeat:         time.Second,
	}
}

// Validate returns everything that is wrong, joined.
func (c Config) Validate() error {
	var problems []error
	bad := func(key, format string, args ...any) {
		problems = append(problems, fmt.Errorf("worker.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Name == "" {
		bad("name", "must not be empty")
	}
	if _, _, err := net.SplitHostPort(c.Listen); c.Listen != "" && err != nil {
		bad("listen", "%q is not host:port", c.Listen)
	}
	if len(c.Groups) == 0 {
		bad("groups", "must not be empty")
	}
	if c.Slots < 1 || c.Slots > 1_000_000 {
		bad("slots", "%d is not between 1 and 1,000,000", c.Slots)
	}
	if c.Starting < 1 {
		bad("starting", "%d is less than 1", c.Starting)
	}
	if c.HostWeight < 1 || c.HostWeight > 1_000_000 {
		bad("host-weight", "%d is not between 1 and 1,000,000", c.HostWeight)
	}
	if c.QueueLength < 0 || c.QueueLength > 1_000_000 {
		bad("queue-length", "%d is not between 0 and 1,000,000", c.QueueLength)
	}
	for key, share := range map[string]float64{"max-memory-usage": c.MaxMemoryUsage, "max-disk-usage": c.MaxDiskUsage, "max-cpu-usage": c.MaxCPUUsage} {
		if share < 0 || share > 1 {
			bad(key, "%v is not between 0 and 1", share)
		}
	}
	for key, dir := range map[string]string{"exec-dir": c.ExecDir, "log-dir": c.LogDir, "journal-dir": c.JournalDir, "cache-dir": c.CacheDir} {
		if dir == "" {
			bad(key, "must not be empty")
		}
	}
	for key, d := range map[string]time.Duration{
		"kill-interrupt-wait": c.KillInterruptWait, "kill-terminate-wait": c.KillTerminateWait, "drain-timeout": c.DrainTimeout,
		"lease-grace": c.LeaseGrace,
	} {
		if d < 0 {
			bad(key, "must not be negative")
		}
	}
	if c.CacheSize < 0 {
		bad("cache-size", "must not be negative")
	}
	if c.MaxTransfer < 1 {
		bad("max-transfer", "must be at least 1")
	}
	if c.LogKeep < 0 {
		bad("log-keep", "must not be negative")
	}
	if c.Heartbeat < 100*time.Millisecond {
		bad("heartbeat", "must be at least 100ms")
	}
	switch c.Sudo {
	case SudoAuto, SudoNever, SudoAlways:
	default:
		bad("sudo", "%q is none of auto, never, always", c.Sudo)
	}
	switch c.FullPolicy {
	case FullReject, FullContinue:
	default:
		bad("full-policy", "%q is none of REJECT, CONTINUE", c.FullPolicy)
	}
	switch c.OnStop {
	case StopKill, StopLeave:
	default:
		bad("on-stop", "%q is none of kill, leave", c.OnStop)
	}
	if !validTenant(c.DefaultUser) {
		bad("default-user", "%q is not a user name", c.DefaultUser)
	}
	return errors.Join(problems...)
}

// queueLength is how many attempts may wait for a slot.
func (c Config) queueLength() int {
	if c.FullPolicy == FullContinue {
		return c.QueueLength
	}
	return 0
}

// validTenant reports whether name matches ^[0-9a-zA-Z_.-]{1,}$ and is no option; it is asked before a name reaches any
// command.
func validTenant(name string) bool {
	if name == "" || len(name) > 255 || name[0] == '-' {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '.', c == '-':
		default:
			return false
		}
	}
	return true
}
