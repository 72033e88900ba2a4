package executor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
)

// HandoverFormat is the form in which this program leaves its attempts to the next one, and in which it can take them.
// It rises when an older program could no longer read it; fields may be added without.
const HandoverFormat = 1

// handoverVariable tells a program under which descriptor its predecessor left a handover. It has not the prefix of
// configuration variables: a program that knows no handover must not stumble over it.
const handoverVariable = "_DORADO_HANDOVER"

// Handover is what a worker leaves to the program that replaces it in the same process. It is never written to disk: it
// holds scripts and what environments hold.
type Handover struct {
	Format      int              `json:"format"`
	Incarnation string           `json:"incarnation"`
	Version     string           `json:"version"`
	Files       map[string]int   `json:"files"`  // descriptors by name
	Leased      bool             `json:"leased"` // somebody keeps a lease for this worker
	Epochs      map[int64]uint64 `json:"epochs"` // highest seen, by run
	Attempts    []carried        `json:"attempts"`
}

// The names of states and reasons in a handover.
const (
	carriedAccepted = "accepted"
	carriedRunning  = "running"
	carriedFinished = "finished"

	carriedKilled    = "killed"
	carriedTimeout   = "timeout"
	carriedShutdown  = "shutdown"
	carriedLeaseLost = "lease"
)

// carried is one attempt on its way.
type carried struct {
	ID         int64         `json:"id"`
	Run        int64         `json:"run"`
	Epoch      uint64        `json:"epoch"`
	Owner      string        `json:"owner"`
	State      string        `json:"state"`
	Task       []byte        `json:"task,omitempty"` // accepted
	Report     []byte        `json:"report,omitempty"`
	Dispatched time.Time     `json:"dispatched"`
	Waits      bool          `json:"waits,omitempty"`
	StartSent  bool          `json:"startSent,omitempty"`
	StartAcked bool          `json:"startAcked,omitempty"`
	Ending     string        `json:"ending,omitempty"`
	PID        int           `json:"pid,omitempty"`
	BootNS     int64         `json:"bootNS,omitempty"`
	Start      time.Time     `json:"start"`
	Timeout    time.Duration `json:"timeout,omitempty"`

	User   string   `json:"user,omitempty"`
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
	Home   string   `json:"home,omitempty"`
	Shell  string   `json:"shell,omitempty"`
	Self   bool     `json:"self,omitempty"`
	Sudo   bool     `json:"sudo,omitempty"`

	LogPath  string          `json:"logPath,omitempty"`
	LogStart int64           `json:"logStart,omitempty"`
	Dir      string          `json:"dir,omitempty"`
	DirName  string          `json:"dirName,omitempty"`
	HasDir   bool            `json:"hasDir,omitempty"`
	Outs     []flow.Property `json:"outs,omitempty"`
	Name     string          `json:"name,omitempty"`    // of the task, when it hands files on
	Folder   string          `json:"folder,omitempty"`  // where they go
	Secrets  []string        `json:"secrets,omitempty"` // masked in its output, which comes through a pipe
	Pending  []byte          `json:"pending,omitempty"` // read from that, and not yet in the log

	Link   string         `json:"link,omitempty"`
	Remote *carriedRemote `json:"remote,omitempty"`

	Exited bool         `json:"exited,omitempty"` // its end was read, and Status is it
	Status uint32       `json:"status,omitempty"`
	Over   time.Time    `json:"over"`
	Kill   *carriedKill `json:"kill,omitempty"`
}

// carriedKill is how far the end of a tree of processes has got.
type carriedKill struct {
	Known  map[int]uint64 `json:"known"`
	Signal int            `json:"signal"`
	Next   time.Time      `json:"next"`
	Since  time.Time      `json:"since"`
	Warned bool           `json:"warned,omitempty"`
}

// carry describes an attempt; e.mu and the killer's frozen are held.
func (e *Executor) carry(a *attempt) (carried, error) {
	c := carried{
		ID: a.id, Run: a.workflow, Epoch: a.epoch, Owner: a.owner, Dispatched: a.dispatched, Waits: a.waits,
		StartSent: a.startSent, StartAcked: a.startAcked,
	}
	var err error
	switch a.state {
	case accepted:
		c.State = carriedAccepted
		c.Task, err = proto.Marshal(a.task)
	case finished:
		c.State = carriedFinished
		c.Report, err = proto.Marshal(a.report)
		return c, err
	case running:
		c.State = carriedRunning
	}
	switch a.ending {
	case endNone:
	case endKilled:
		c.Ending = carriedKilled
	case endTimeout:
		c.Ending = carriedTimeout
	case endShutdown:
		c.Ending = carriedShutdown
	case endLeaseLost:
		c.Ending = carriedLeaseLost
	}
	if a.state == accepted {
		return c, err
	}
	c.PID, c.BootNS, c.Start, c.Timeout = a.pid, a.bootNS, a.start, a.timeout
	c.User, c.UID, c.GID, c.Groups = a.account.name, a.account.uid, a.account.gid, a.account.groups
	c.Home, c.Shell, c.Self, c.Sudo = a.account.home, a.account.shell, a.account.self, a.viaSudo
	c.LogPath, c.LogStart, c.Dir, c.DirName, c.HasDir, c.Outs = a.logPath, a.logStart, a.dir, a.work.name, a.hasDir, a.outs
	c.Name, c.Folder = a.name, a.folder
	c.Exited, c.Status, c.Over = a.exited, uint32(a.status), a.over
	c.Link, c.Remote = a.link, a.remote.carry()
	if m := a.masked; m != nil {
		c.Secrets, c.Pending = m.values, m.masker.Pending()
	}
	if t := a.target; t != nil {
		c.Kill = &carriedKill{Known: t.known, Signal: int(t.signal), Next: t.next, Since: t.since, Warned: t.warned}
	}
	return c, err
}

// attempt is the reverse of carry.
func (c carried) attempt() (*attempt, error) {
	a := &attempt{
		id: c.ID, workflow: c.Run, epoch: c.Epoch, owner: c.Owner, dispatched: c.Dispatched, waits: c.Waits,
		startSent: c.StartSent, startAcked: c.StartAcked, pid: c.PID, bootNS: c.BootNS, start: c.Start, timeout: c.Timeout,
		account: account{name: c.User, uid: c.UID, gid: c.GID, groups: c.Groups, home: c.Home, shell: c.Shell, self: c.Self},
		viaSudo: c.Sudo, logPath: c.LogPath, logStart: c.LogStart, dir: c.Dir, work: workdir{name: c.DirName, fd: -1}, hasDir: c.HasDir,
		outs: c.Outs, name: c.Name, folder: c.Folder, exited: c.Exited, status: status(c.Status), over: c.Over, link: c.Link,
	}
	var err error
	if a.remote, err = c.Remote.remote(); err != nil {
		return nil, fmt.Errorf("attempt %d: %w", c.ID, err)
	}
	switch c.Ending {
	case "":
	case carriedKilled:
		a.ending = endKilled
	case carriedTimeout:
		a.ending = endTimeout
	case carriedShutdown:
		a.ending = endShutdown
	case carriedLeaseLost:
		a.ending = endLeaseLost
	default:
		return nil, fmt.Errorf("attempt %d: unknown end %q", c.ID, c.Ending)
	}
	switch c.State {
	case carriedAccepted:
		a.state, a.task = accepted, &doradov1.Task{}
		return a, proto.Unmarshal(c.Task, a.task)
	case carriedFinished:
		a.state, a.report = finished, &doradov1.Report{}
		return a, proto.Unmarshal(c.Report, a.report)
	case carriedRunning:
		a.state, a.begun = running, true
		return a, nil
	}
	return nil, fmt.Errorf("attempt %d: unknown state %q", c.ID, c.State)
}

// memory puts the handover into an anonymous file that the next program inherits.
func (h *Handover) memory() (int, error) {
	text, err := json.Marshal(h)
	if err != nil {
		return -1, err
	}
	return sealedFile(string(text))
}

// Inherited returns what the program before left in this process, nil when there was none. It may be called once, before
// anything else opens files or starts processes. With an error, too, the handover's files are usable; its attempts are
// not, and count as lost.
func Inherited() (*Handover, error) {
	text, ok := os.LookupEnv(handoverVariable)
	if !ok {
		return nil, nil //nolint:nilnil // an ordinary start
	}
	if err := os.Unsetenv(handoverVariable); err != nil {
		return nil, err
	}
	fd, err := strconv.Atoi(text)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s=%q is no descriptor", handoverVariable, text)
	}
	return readHandover(fd)
}

func readHandover(fd int) (*Handover, error) {
	unix.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	defer func() { _ = f.Close() }()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read what the program before left: %w", err)
	}
	h := &Handover{}
	if err := json.NewDecoder(f).Decode(h); err != nil {
		return nil, fmt.Errorf("read what the program before left: %w", err)
	}
	for _, fd := range h.Files {
		unix.CloseOnExec(fd)
	}
	if h.Format != HandoverFormat {
		return &Handover{Files: h.Files}, fmt.Errorf("the program before (%s) left its tasks in form %d, this one knows form %d", h.Version, h.Format, HandoverFormat)
	}
	return h, nil
}

// File returns a file that was handed over under a name, nil when there is none. Whoever asks first gets it.
func (h *Handover) File(name string) *os.File {
	if h == nil {
		return nil
	}
	fd, ok := h.Files[name]
	if !ok {
		return nil
	}
	delete(h.Files, name)
	return os.NewFile(uintptr(fd), name)
}

// journalFile is the name of the journal's lock among the files of a handover.
const journalFile = "journal"

// errNoHandover is what a program says that could not take anything over.
var errNoHandover = errors.New("it cannot take over running tasks")

// HandoverLine is what `dorado version` says about handovers; CanTakeOver reads it.
func HandoverLine() string { return "handover " + strconv.Itoa(HandoverFormat) }

// CanTakeOver reports what is wrong with a program as the successor of this one, by the output of its `version`.
func CanTakeOver(version string) error {
	for line := range strings.Lines(version) {
		if form, ok := strings.CutPrefix(strings.TrimSpace(line), "handover "); ok {
			if form != strconv.Itoa(HandoverFormat) {
				return fmt.Errorf("%w in form %d: it knows form %s", errNoHandover, HandoverFormat, form)
			}
			return nil
		}
	}
	return errNoHandover
}

// keepOpen has a descriptor survive the next exec, or not.
func keepOpen(fd int, keep bool) error {
	flag := unix.FD_CLOEXEC
	if keep {
		flag = 0
	}
	_, err := unix.FcntlInt(uintptr(fd), syscall.F_SETFD, flag)
	return err
}
