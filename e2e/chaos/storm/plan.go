package storm

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"
)

// Planned is one fault as the seed drew it.
type Planned struct {
	No     int
	Kind   string
	At     time.Duration // after the storm begins
	For    time.Duration
	Target int           // of the kind's targets
	Other  int           // of a link's other end
	Way    int           // 0 both ways, 1 what the caller sends, 2 what the server sends
	Size   time.Duration // of a delay or a jump
}

// kind says how a kind of fault is drawn.
type kind struct {
	name       string
	weight     int
	long       time.Duration // the usual length; a tenth of them last for longer than grace
	mayBeLong  bool
	needsZK    bool
	needsMany  bool // ZooKeeper with a majority to lose, or more than one master
	needsDisk  bool
	needsClock bool
	needsNet   bool
}

func kinds() []kind {
	return []kind{
		{name: "master.kill", weight: 10, long: 6 * time.Second},
		{name: "master.freeze", weight: 8, long: 9 * time.Second, mayBeLong: true},
		{name: "master.restart", weight: 4, long: 2 * time.Second},
		{name: "master.clock", weight: 3, long: 6 * time.Second, needsClock: true},
		{name: "worker.kill", weight: 7, long: 6 * time.Second},
		{name: "worker.crash", weight: 7, long: 6 * time.Second},
		{name: "worker.freeze", weight: 8, long: 9 * time.Second, mayBeLong: true},
		{name: "worker.restart", weight: 4, long: 2 * time.Second},
		{name: "worker.clock", weight: 3, long: 6 * time.Second, needsClock: true},
		{name: "disk.full", weight: 3, long: 5 * time.Second, needsDisk: true},
		{name: "disk.hang", weight: 3, long: 5 * time.Second, needsDisk: true},
		{name: "link.master-db", weight: 8, long: 7 * time.Second, mayBeLong: true},
		{name: "link.master-worker", weight: 10, long: 8 * time.Second, mayBeLong: true},
		{name: "link.master-zk", weight: 8, long: 8 * time.Second, mayBeLong: true, needsZK: true},
		{name: "link.worker-zk", weight: 8, long: 8 * time.Second, mayBeLong: true, needsZK: true},
		{name: "cable.master", weight: 8, long: 8 * time.Second, mayBeLong: true, needsNet: true},
		{name: "cable.worker", weight: 8, long: 8 * time.Second, mayBeLong: true, needsNet: true},
		{name: "delay.master-db", weight: 2, long: 6 * time.Second},
		{name: "delay.master-worker", weight: 3, long: 8 * time.Second},
		{name: "reset.master-db", weight: 3},
		{name: "reset.master-worker", weight: 4},
		{name: "zk.leader-kill", weight: 5, long: 5 * time.Second, needsZK: true, needsMany: true},
		{name: "zk.leader-freeze", weight: 3, long: 8 * time.Second, needsZK: true, needsMany: true},
		{name: "zk.quorum-loss", weight: 3, long: 7 * time.Second, needsZK: true},
		{name: "db.kill", weight: 3, long: 3 * time.Second},
		{name: "db.restart", weight: 3, long: time.Second},
	}
}

// Can says what this machine and this cluster allow.
type Can struct {
	Disks, Clocks, ZK, Majority, Net bool
}

// Kinds lists the kinds of faults that are possible, and those that are not with the reason.
func Kinds(can Can, only *regexp.Regexp) (possible []string, left map[string]string) {
	left = map[string]string{}
	for _, k := range kinds() {
		switch {
		case only != nil && !only.MatchString(k.name):
			left[k.name] = "not asked for"
		case k.needsDisk && !can.Disks:
			left[k.name] = "needs root, loop devices and mkfs.ext4"
		case k.needsClock && !can.Clocks:
			left[k.name] = "needs linux/amd64 and the right to write another process's memory"
		case k.needsNet && !can.Net:
			left[k.name] = "needs network namespaces (-netns)"
		case k.needsZK && !can.ZK:
			left[k.name] = "this cluster has no ZooKeeper"
		case k.needsMany && !can.Majority:
			left[k.name] = "this cluster has one ZooKeeper server"
		default:
			possible = append(possible, k.name)
		}
	}
	return possible, left
}

// Draw makes a plan of n faults with so much time between two of them on average. Each possible kind comes at least once
// when n allows. It depends on its arguments alone.
func Draw(seed uint64, n int, every time.Duration, can Can, only *regexp.Regexp) []Planned {
	r := rand.New(rand.NewPCG(seed, 0x6368616f73)) //nolint:gosec // it is to be repeatable
	names, _ := Kinds(can, only)
	var possible []kind
	total := 0
	for _, k := range kinds() {
		if slices.Contains(names, k.name) {
			possible = append(possible, k)
			total += k.weight
		}
	}
	if len(possible) == 0 {
		return nil
	}
	order := r.Perm(len(possible))
	var out []Planned
	at := time.Duration(0)
	for i := range n {
		k := possible[order[i%len(order)]]
		if i >= len(possible) {
			pick := r.IntN(total)
			for _, k = range possible {
				if pick -= k.weight; pick < 0 {
					break
				}
			}
		}
		gap := min(r.ExpFloat64(), 2.5)
		at += time.Duration(gap * float64(every))
		p := Planned{No: i + 1, Kind: k.name, At: at, Target: r.IntN(1 << 20), Other: r.IntN(1 << 20), Way: r.IntN(3)}
		p.For = time.Duration((0.3 + 1.4*r.Float64()) * float64(k.long))
		if long := r.IntN(10) == 0; long && k.mayBeLong {
			p.For = 5*time.Second + grace + time.Duration(r.IntN(20))*time.Second
		}
		p.Size = time.Duration(1+r.IntN(8)) * time.Second
		if r.IntN(2) == 0 {
			p.Size = -p.Size
		}
		out = append(out, p)
	}
	return out
}

func (p Planned) String() string {
	return fmt.Sprintf("fault %d %s", p.No, p.Kind)
}
