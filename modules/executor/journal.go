package executor

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"dorado/modules/rpc/doradov1"
)

const (
	// syncAfter is how long a finished report may stay in the page cache. Usually it is acknowledged, and durable at
	// the master, long before.
	syncAfter = 100 * time.Millisecond
	// compactAt is the size at which the journal is written anew.
	compactAt = 4 << 20
	maxRecord = 64 << 20
)

// entryKind is the first byte of a record.
type entryKind byte

const (
	entryBoot     entryKind = 'H' // the boot of the machine during which what follows was written
	entryBegun    entryKind = 'B' // a process is about to be started
	entryStarted  entryKind = 'P' // it has a pid
	entryFinished entryKind = 'F' // the last report of an attempt
	entryAcked    entryKind = 'A' // attempts to forget
	entryOwner    entryKind = 'O' // whose attempts are; of those that are known
	entryRemote   entryKind = 'R' // how the names of an attempt's remote work are found in its log; of one that is known
)

// entry is one record. Boot is the text of an entryBoot, ids belong to an entryAcked, an entryOwner and an entryRemote, report
// to all others. Before a process has ended, report holds what is known of it.
type entry struct {
	kind    entryKind
	boot    string
	user    string // whose the processes are, when sudo was used
	started int64  // ns since boot, taken just before the process was started
	ids     []int64
	owner   string // the master
	epoch   uint64 // of the run
	pattern string // of names of remote work
	from    int64  // where the part of the log begins that may hold them
	report  *doradov1.Report
}

// owned says whose the attempt is.
func (a *attempt) owned() entry {
	return entry{kind: entryOwner, ids: []int64{a.id}, owner: a.owner, epoch: a.epoch}
}

// begins are the records of an attempt whose process is about to be started; as for entry.
func (a *attempt) begins() []entry {
	entries := []entry{a.entry(entryBegun), a.owned()}
	if a.remote != nil {
		entries = append(entries, entry{kind: entryRemote, ids: []int64{a.id}, pattern: a.remote.pattern.String(), from: a.logStart})
	}
	return entries
}

// entry describes a running attempt for the journal; only its carrier and holders of Executor.mu may ask.
func (a *attempt) entry(kind entryKind) entry {
	en := entry{kind: kind, started: a.bootNS, report: &doradov1.Report{
		Id: a.id, WorkflowInstanceId: a.workflow, Pid: int32(a.pid), LogPath: a.logPath, ExecutePath: a.dir, StartMs: a.start.UnixMilli(),
		AppLink: a.link,
	}}
	if a.viaSudo {
		en.user = a.account.name
	}
	return en
}

// journal is a file to which everything is appended that must survive the worker. Records are framed by length and
// checksum; a torn one at the end is where reading stops. Writing needs no fsync: the page cache survives the process.
// Only reports that wait long for their acknowledgement are synced, many at a time.
type journal struct {
	dir  string
	log  *slog.Logger
	live func() []entry // what must be kept when the file is written anew

	mu      sync.Mutex
	file    *os.File
	lock    *os.File
	size    int64
	floor   int64 // size after the last compaction
	waiting int   // finished reports since the last sync or acknowledgement
	wake    chan struct{}
	failed  bool // the last write failed, and was logged

	id       string  // of this installation; processes carry it
	boot     string  // of the machine, now
	replayed []entry // found at open, until they are settled
}

// openJournal opens or creates the journal and locks it against other workers. held is its lock when this process has it
// from the program before.
func openJournal(dir string, held *os.File, log *slog.Logger) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal directory: %w", err)
	}
	lock, err := held, error(nil)
	if held == nil {
		if lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return nil, fmt.Errorf("journal directory: %w", err)
		}
	}
	if err := lockPatiently(int(lock.Fd())); err != nil {
		return nil, errors.Join(fmt.Errorf("another worker uses %s", dir), lock.Close())
	}
	j := &journal{dir: dir, log: log, lock: lock, wake: make(chan struct{}, 1), boot: bootID(), live: func() []entry { return nil }}
	if j.file, err = os.OpenFile(j.path(), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), lock.Close())
	}
	if j.id, err = installation(filepath.Join(dir, "id")); err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.file.Close(), lock.Close())
	}
	if j.replayed, j.size, err = readJournal(j.file); err == nil {
		err = j.file.Truncate(j.size) // cut a torn record off, or what follows could not be read
	}
	if err == nil {
		err = j.append(entry{kind: entryBoot, boot: j.boot})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("journal: %w", err), j.file.Close(), lock.Close())
	}
	return j, nil
}

func (j *journal) path() string { return filepath.Join(j.dir, "attempts.journal") }

// installation reads the random name of this worker's data, which it makes once. Several workers may live on a machine,
// even with equal names and equal numbers of task instances, and must not take each other's processes for their own.
func installation(file string) (string, error) {
	if id, err := os.ReadFile(file); err == nil && len(id) == 16 {
		return string(id), nil
	}
	random := make([]byte, 8)
	_, _ = rand.Read(random) // never fails
	id := hex.EncodeToString(random)
	return id, os.WriteFile(file, []byte(id), 0o600)
}

func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// append writes records with one call.
func (j *journal) append(entries ...entry) error {
	var buf []byte
	for _, en := range entries {
		buf = en.encode(buf)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.replayed == nil && j.size > compactAt && j.size > 2*j.floor {
		j.compact()
	}
	return j.write(buf)
}

func (j *journal) write(buf []byte) error {
	n, err := j.file.Write(buf)
	if err != nil && n > 0 { // half a record would hide all that follows
		_ = j.file.Truncate(j.size)
		n = 0
	}
	j.size += int64(n)
	if err != nil && !j.failed {
		j.log.Error("journal not written", "error", err)
	}
	j.failed = err != nil
	return err
}

// finished writes the ends of so many attempts. When that fails they still live in memory, and a crash of the worker
// makes them LOST.
func (j *journal) finished(reports int, entries []entry) {
	if j.append(entries...) != nil {
		return
	}
	j.mu.Lock()
	first := j.waiting == 0
	j.waiting += reports
	j.mu.Unlock()
	if first {
		select {
		case j.wake <- struct{}{}:
		default:
		}
	}
}

// acked writes that attempts may be forgotten.
func (j *journal) acked(ids []int64) {
	_ = j.append(entry{kind: entryAcked, ids: ids}) // otherwise they are reported once more after a crash, which does no harm
	j.mu.Lock()
	j.waiting = max(0, j.waiting-len(ids))
	j.mu.Unlock()
}

// moved writes that attempts have other owners.
func (j *journal) moved(entries []entry) {
	if len(entries) > 0 {
		_ = j.append(entries...) // otherwise a crash makes the new owner claim them once more
	}
}

// syncLoop makes reports durable that nobody acknowledges.
func (j *journal) syncLoop(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-j.wake:
			timer.Reset(syncAfter)
		case <-timer.C:
			j.mu.Lock()
			file, waiting := j.file, j.waiting
			j.waiting = 0
			j.mu.Unlock()
			if waiting > 0 {
				// Not under the lock. A compaction may have closed the file, and has synced its successor.
				if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
					j.log.ErrorContext(ctx, "journal not synced", "error", err)
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// compact writes a new file with what is still needed; j.mu is held. The old file stays in use when that fails.
func (j *journal) compact() {
	entries := append([]entry{{kind: entryBoot, boot: j.boot}}, j.live()...)
	var buf []byte
	for _, en := range entries {
		buf = en.encode(buf)
	}
	j.floor = max(int64(len(buf)), j.size/2) // also when it fails: not again at once
	fresh, err := os.OpenFile(j.path()+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err == nil {
		if _, err = fresh.Write(buf); err == nil {
			if err = fresh.Sync(); err == nil {
				err = os.Rename(fresh.Name(), j.path())
			}
		}
		if err != nil {
			_ = fresh.Close()
		}
	}
	if err != nil {
		j.log.Warn("journal not compacted", "error", err)
		return
	}
	_ = j.file.Close()
	j.file, j.size, j.floor = fresh, int64(len(buf)), int64(len(buf))
}

// restart replaces what was read at open by entries: the past is settled.
func (j *journal) restart() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.replayed = nil
	j.compact()
}

// settle writes all that is live, durably.
func (j *journal) settle() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.compact()
}

// lockPatience is how long a lock may be held by what a killed worker left behind.
const lockPatience = 3 * time.Second

// lockPatiently takes the lock. A worker that was killed while it started a process leaves a child that holds the
// descriptor until its exec, which closes it: so a lock that is taken is asked for again for a while.
func lockPatiently(fd int) error {
	for deadline := time.Now().Add(lockPatience); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// Unlocked by hand: a child that is being started holds the descriptor for a moment, too.
	return errors.Join(j.file.Sync(), j.file.Close(), unix.Flock(int(j.lock.Fd()), unix.LOCK_UN), j.lock.Close())
}

// encode appends the record to buf: length, checksum, kind, body.
func (en entry) encode(buf []byte) []byte {
	begin := len(buf)
	buf = append(buf, 0, 0, 0, 0, 0, 0, 0, 0, byte(en.kind))
	switch en.kind {
	case entryBoot:
		buf = append(buf, en.boot...)
	case entryAcked:
		for _, id := range en.ids {
			buf = binary.AppendVarint(buf, id)
		}
	case entryOwner:
		buf = binary.AppendUvarint(buf, en.epoch)
		buf = binary.AppendUvarint(buf, uint64(len(en.owner)))
		buf = append(buf, en.owner...)
		for _, id := range en.ids {
			buf = binary.AppendVarint(buf, id)
		}
	case entryRemote:
		buf = binary.AppendVarint(buf, en.from)
		buf = binary.AppendUvarint(buf, uint64(len(en.pattern)))
		buf = append(buf, en.pattern...)
		for _, id := range en.ids {
			buf = binary.AppendVarint(buf, id)
		}
	case entryBegun, entryStarted, entryFinished:
		buf = binary.AppendVarint(buf, en.started)
		buf = binary.AppendUvarint(buf, uint64(len(en.user)))
		buf = append(buf, en.user...)
		buf, _ = proto.MarshalOptions{}.MarshalAppend(buf, en.report) // fails for invalid UTF-8 only, which is replaced before
	}
	body := buf[begin+8:]
	binary.BigEndian.PutUint32(buf[begin:], uint32(len(body)))
	binary.BigEndian.PutUint32(buf[begin+4:], crc32.ChecksumIEEE(body))
	return buf
}

// readJournal returns the records of r and how many bytes of it are sound.
func readJournal(r io.Reader) ([]entry, int64, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, 0, err
	}
	var entries []entry
	at := 0
	for len(data)-at >= 9 {
		size := int(binary.BigEndian.Uint32(data[at:]))
		if size < 1 || size > maxRecord || len(data)-at-8 < size {
			break
		}
		body := data[at+8 : at+8+size]
		if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(data[at+4:]) {
			break
		}
		en, ok := decodeEntry(body)
		if !ok {
			break
		}
		entries = append(entries, en)
		at += 8 + size
	}
	return entries, int64(at), nil
}

func decodeEntry(body []byte) (entry, bool) {
	en := entry{kind: entryKind(body[0])}
	body = body[1:]
	switch en.kind {
	case entryBoot:
		en.boot = string(body)
	case entryAcked:
		ok := en.readIDs(body)
		return en, ok
	case entryOwner:
		var n int
		if en.epoch, n = binary.Uvarint(body); n <= 0 {
			return entry{}, false
		}
		body = body[n:]
		size, n := binary.Uvarint(body)
		if n <= 0 || uint64(len(body)-n) < size {
			return entry{}, false
		}
		en.owner = string(body[n : n+int(size)])
		ok := en.readIDs(body[n+int(size):])
		return en, ok
	case entryRemote:
		var n int
		if en.from, n = binary.Varint(body); n <= 0 {
			return entry{}, false
		}
		body = body[n:]
		size, n := binary.Uvarint(body)
		if n <= 0 || uint64(len(body)-n) < size {
			return entry{}, false
		}
		en.pattern = string(body[n : n+int(size)])
		ok := en.readIDs(body[n+int(size):])
		return en, ok
	case entryBegun, entryStarted, entryFinished:
		started, n := binary.Varint(body)
		if n <= 0 {
			return entry{}, false
		}
		body = body[n:]
		size, n := binary.Uvarint(body)
		if n <= 0 || uint64(len(body)-n) < size {
			return entry{}, false
		}
		en.started, en.user = started, string(body[n:n+int(size)])
		en.report = &doradov1.Report{}
		if proto.Unmarshal(body[n+int(size):], en.report) != nil {
			return entry{}, false
		}
	default:
		return entry{}, false
	}
	return en, true
}

func (en *entry) readIDs(body []byte) bool {
	for len(body) > 0 {
		id, n := binary.Varint(body)
		if n <= 0 {
			return false
		}
		en.ids, body = append(en.ids, id), body[n:]
	}
	return true
}
