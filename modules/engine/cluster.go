package engine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"dorado/modules/cluster"
)

// Cluster is how an engine takes part in a cluster: it joins the registry under its address, watches masters and workers,
// takes over from masters that are gone, and leaves when it stops. An engine without one is the only master of its
// database, and fences off every other.
type Cluster struct {
	Registry cluster.Registry
	// Address is the host:port under which workers reach this master: its name in the registry.
	Address string
	// Describe says what is known of this process apart from its work: process id, host, version, web address, when it
	// started, and the use of CPU, memory and disk, which overload protection goes by. The engine fills in name,
	// incarnation, address, status and what it works on. It is asked about once a second; nil = nothing is known.
	Describe func() cluster.Heartbeat
}

// SetCluster hands in the cluster, before Run. nil = there is none.
func (e *Engine) SetCluster(c *Cluster) {
	e.cluster = c
	e.current.Store(newTerm(e))
}

// Overload is when a master takes no new runs. What it works on goes on, and so do commands about it. Shares of 1; 0 = never.
type Overload struct {
	Memory  float64 `koanf:"memory"`   // of the machine
	Disk    float64 `koanf:"disk"`     // where the data is
	CPU     float64 `koanf:"cpu"`      // of the machine
	MaxRuns int     `koanf:"max-runs"` // workflow instances at once
}

// The ways to choose a worker, by the names that DolphinScheduler has for them.
const (
	LeastLoaded        = "LEAST_LOADED" // the smallest share of slots in use, then the smaller load
	Random             = "RANDOM"       // by host weight
	RoundRobin         = "ROUND_ROBIN"
	FixedWeighted      = "FIXED_WEIGHTED_ROUND_ROBIN"   // smooth, by host weight
	LowerWeight        = "LOWER_WEIGHT"                 // smooth, by host weight and what CPU, memory, disk and slots leave free
	DynamicWeighted    = "DYNAMIC_WEIGHTED_ROUND_ROBIN" // smooth, by what CPU, memory and slots leave free
	defaultWorkerGrace = 30 * time.Second
)

func selectors() []string {
	return []string{LeastLoaded, Random, RoundRobin, FixedWeighted, LowerWeight, DynamicWeighted}
}

// validateCluster reports what is wrong with what only matters in a cluster, or under load.
func (c Config) validateCluster() error {
	var errs []error
	for _, limit := range []struct {
		key   string
		share float64
	}{{"memory", c.Overload.Memory}, {"disk", c.Overload.Disk}, {"cpu", c.Overload.CPU}} {
		if limit.share < 0 || limit.share > 1 {
			errs = append(errs, fmt.Errorf("master.overload.%s: %v is not between 0 and 1", limit.key, limit.share))
		}
	}
	if c.Overload.MaxRuns < 0 {
		errs = append(errs, fmt.Errorf("master.overload.max-runs: %d is below 0", c.Overload.MaxRuns))
	}
	if c.HostSelector != "" && !slices.Contains(selectors(), strings.ToUpper(c.HostSelector)) {
		errs = append(errs, fmt.Errorf("master.host-selector: %q is none of %s", c.HostSelector, strings.Join(selectors(), ", ")))
	}
	if c.WarmUp < 0 {
		errs = append(errs, fmt.Errorf("master.warm-up: %s is below 0", c.WarmUp))
	}
	if c.WorkerGrace != 0 && c.WorkerGrace < time.Second {
		errs = append(errs, fmt.Errorf("master.worker-grace: %s is under a second", c.WorkerGrace))
	}
	return errors.Join(errs...)
}

// newIncarnation names one process.
func newIncarnation() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
