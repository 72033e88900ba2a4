package executor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"dorado/app/kit/secret"
	"dorado/modules/rpc/doradov1"
)

// maskedLog stands between a task that was given secrets and its log: the task writes to a pipe, and a goroutine copies
// what comes out of it to the log, with the secrets masked. Tasks without secrets write to their log themselves.
type maskedLog struct {
	values []string // what is masked
	pipe   *os.File // the end that is read
	pipeFD int      // its descriptor; File.Fd would make it blocking
	log    int      // descriptor of the log
	masker *secret.Masker
	done   chan struct{} // closed when the copying has stopped
	ended  bool          // nobody can write any more; set before done is closed
}

// pipeSize is how much a task can write ahead of the copying.
const pipeSize = 256 << 10

// newMaskedLog returns what copies to log, which it takes a duplicate of, and the descriptor for the task to write to. The
// caller closes that once the task has it.
func newMaskedLog(log int, values []string) (m *maskedLog, output int, err error) {
	own, err := unix.FcntlInt(uintptr(log), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, -1, fmt.Errorf("cannot write the task log: %w", err)
	}
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, errors.Join(fmt.Errorf("cannot mask the task log: %w", err), unix.Close(own))
	}
	_, _ = unix.FcntlInt(uintptr(ends[1]), unix.F_SETPIPE_SZ, pipeSize) // a smaller one works, too
	if m, err = resumeMaskedLog(ends[0], own, values, nil); err != nil {
		return nil, -1, errors.Join(err, unix.Close(ends[0]), unix.Close(ends[1]), unix.Close(own))
	}
	return m, ends[1], nil
}

// resumeMaskedLog goes on with a pipe and a log, both of which become its own. It copies nothing yet.
func resumeMaskedLog(pipe, log int, values []string, pending []byte) (*maskedLog, error) {
	if err := unix.SetNonblock(pipe, true); err != nil { // this is what makes NewFile use the poller
		return nil, fmt.Errorf("cannot mask the task log: %w", err)
	}
	m := &maskedLog{values: values, pipe: os.NewFile(uintptr(pipe), "output"), pipeFD: pipe, log: log, masker: secret.NewMasker(values...)}
	m.masker.SetPending(pending)
	return m, nil
}

// start begins to copy.
func (m *maskedLog) start() {
	m.done = make(chan struct{})
	go m.copy(m.done)
}

func (m *maskedLog) copy(done chan struct{}) {
	defer close(done)
	piece := make([]byte, 64<<10)
	out := make([]byte, 0, len(piece)+1024)
	for {
		n, err := m.pipe.Read(piece)
		if n > 0 {
			out = m.masker.Add(out[:0], piece[:n])
			_ = writeAll(m.log, string(out)) // on a full disk the task goes on all the same
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			return
		default:
			m.flush()
			m.ended = true
			return
		}
	}
}

func (m *maskedLog) flush() {
	if out := m.masker.End(nil); len(out) > 0 {
		_ = writeAll(m.log, string(out))
	}
}

// stop ends the copying; what was not copied stays in the pipe.
func (m *maskedLog) stop() {
	_ = m.pipe.SetReadDeadline(time.Unix(1, 0))
	<-m.done
	_ = m.pipe.SetReadDeadline(time.Time{})
}

// settle copies what was written so far, which is all that a process wrote that has ended. Processes which it left behind
// may still write: that is copied, too, for as long as the worker lives.
func (m *maskedLog) settle() {
	m.stop()
	if !m.ended {
		m.drain()
		m.flush()
		m.start()
		go func() {
			<-m.done
			m.close()
		}()
		return
	}
	m.close()
}

func (m *maskedLog) drain() {
	left, err := unix.IoctlGetInt(m.pipeFD, unix.TIOCINQ)
	piece := make([]byte, 64<<10)
	for err == nil && left > 0 {
		var n int
		n, err = unix.Read(m.pipeFD, piece[:min(left, len(piece))])
		switch {
		case errors.Is(err, unix.EINTR):
			err = nil
		case n <= 0:
			return
		default:
			_ = writeAll(m.log, string(m.masker.Add(nil, piece[:n])))
			left -= n
		}
	}
}

func (m *maskedLog) close() {
	_ = m.pipe.Close()
	_ = unix.Close(m.log)
}

// outputName and logName are the names of an attempt's pipe and log among the files of a handover.
func outputName(id int64) string { return "output-" + strconv.FormatInt(id, 10) }

func logName(id int64) string { return "log-" + strconv.FormatInt(id, 10) }

// pauseMasks stops the copying of all output, so that what has not been copied is there for the next program, and returns
// what starts it again. It adds the descriptors to files.
func (e *Executor) pauseMasks(files map[string]int) (resume func()) {
	var paused []*maskedLog
	e.mu.Lock()
	for _, a := range e.attempts {
		if a.state == running && a.masked != nil && !a.exited {
			paused = append(paused, a.masked)
			files[outputName(a.id)], files[logName(a.id)] = a.masked.pipeFD, a.masked.log
		}
	}
	e.mu.Unlock()
	for _, m := range paused {
		m.stop()
	}
	return func() {
		for _, m := range paused {
			m.start()
		}
	}
}

// takeMask takes over the masking of an attempt's output from the program before.
func (a *attempt) takeMask(h *Handover, c *carried) error {
	if len(c.Secrets) == 0 {
		return nil
	}
	a.hide = secret.NewMasker(c.Secrets...)
	pipe, pipeOK := h.Files[outputName(a.id)]
	log, logOK := h.Files[logName(a.id)]
	delete(h.Files, outputName(a.id))
	delete(h.Files, logName(a.id))
	if !pipeOK || !logOK { // it works within the worker, or had ended
		return nil
	}
	var err error
	if a.masked, err = resumeMaskedLog(pipe, log, c.Secrets, c.Pending); err != nil {
		return err
	}
	a.masked.start()
	return nil
}

// maskOutput makes the output of a command go through a pipe.
func (e *Executor) maskOutput(a *attempt, p *prepared, c *command) (err error) {
	if a.masked, c.output, err = newMaskedLog(p.log, a.secrets); err == nil {
		a.masked.start()
	}
	return err
}

// given closes the end of the pipe that only the task needs from now on. Where there is no task after all, the copying
// ends with it.
func (m *maskedLog) given(output int) { _ = unix.Close(output) }

// hidden masks secrets in a report.
func (a *attempt) hidden(r *doradov1.Report) {
	if a.hide == nil {
		return
	}
	r.Message, r.AppLink = a.hide.Text(r.GetMessage()), a.hide.Text(r.GetAppLink())
	for _, p := range r.GetVarPool() {
		if p.GetSha256() == "" { // the key of a file was looked at before the file was stored
			p.Value = a.hide.Text(p.GetValue())
		}
	}
	if r.GetAlert() != nil {
		r.Alert.Title, r.Alert.Content = a.hide.Text(r.GetAlert().GetTitle()), a.hide.Text(r.GetAlert().GetContent())
	}
}

// maskInto is where a plugin writes that works within the worker; end writes what was held back.
func (a *attempt) maskInto(log io.Writer) (into io.Writer, end func()) {
	if a.hide == nil {
		return log, func() {}
	}
	w := &maskedWriter{to: log, masker: secret.NewMasker(a.secrets...)}
	return w, w.end
}

// maskedWriter masks what is written to it.
type maskedWriter struct {
	to     io.Writer
	masker *secret.Masker
}

func (w *maskedWriter) Write(p []byte) (int, error) {
	if _, err := w.to.Write(w.masker.Add(nil, p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (w *maskedWriter) end() { _, _ = w.to.Write(w.masker.End(nil)) }
