package executor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"dorado/modules/rpc/doradov1"
)

// logTime is the time stamp of our own lines, the one DolphinScheduler writes; in UTC.
const logTime = "2006-01-02 15:04:05.000"

// logPathOf names the log of an attempt: one directory a workflow instance, below the day on which it was submitted.
func logPathOf(base string, t *doradov1.Task) string {
	day := time.UnixMilli(t.GetFirstSubmitMs()).UTC().Format("20060102")
	return base + "/" + day + "/" + strconv.FormatInt(t.GetWorkflowCode(), 10) + "/" + strconv.Itoa(int(t.GetWorkflowVersion())) +
		"/" + strconv.FormatInt(t.GetWorkflowInstanceId(), 10) + "/" + strconv.FormatInt(t.GetId(), 10) + ".log"
}

// logMode is the mode of a log while its attempt runs. A task that opens /dev/stderr instead of writing to it opens the
// log itself, anew, and a shell's ">" would cut off all that came before. As another user it may not; where it runs as the
// worker's user nobody may, until closeLog. (The superuser may do anything.)
func logMode() uint32 {
	if privileged() {
		return 0o640
	}
	return 0o440
}

// openLog creates the log of an attempt for appending. The directory usually exists: it is made only when it does not.
func openLog(path string) (int, error) {
	const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_APPEND | unix.O_CLOEXEC | unix.O_NOFOLLOW
	mode := logMode()
	fd, err := unix.Open(path, flags, mode)
	if errors.Is(err, unix.ENOENT) {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return -1, err
		}
		fd, err = unix.Open(path, flags, mode)
	}
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// preamble writes the first lines of a log, before the child has it, and returns where the child's part begins.
func (e *Executor) preamble(fd int, a *attempt, user, runs string) (int64, error) {
	t := a.task
	text := make([]byte, 0, 512)
	line := func(level string) {
		text = time.Now().UTC().AppendFormat(text, logTime)
		text = append(text, " "+level+" [worker] - "...)
	}
	line("INFO")
	text = append(strconv.AppendQuote(append(text, "task "...), t.GetName()), " ("+oneLine(t.GetType())+"), attempt "...)
	text = append(strconv.AppendInt(text, int64(t.GetAttempt()), 10), ", task instance "...)
	text = append(strconv.AppendInt(text, a.id, 10), ", workflow instance "...)
	text = append(strconv.AppendInt(text, a.workflow, 10), ", worker "+e.cfg.Name+"\n"...)
	line("INFO")
	text = append(text, "tenant "+oneLine(t.GetTenant())+", user "+user+", directory "+a.dir+", command: "+oneLine(runs)+"\n"...)
	if t.GetCpuQuota() > 0 || t.GetMemoryMax() > 0 {
		line("WARN")
		text = append(text, "CPU and memory limits are not enforced by this worker\n"...)
	}
	if err := writeAll(fd, string(text)); err != nil {
		return 0, fmt.Errorf("cannot write the task log: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("cannot write the task log: %w", err)
	}
	return st.Size, nil
}

// closeLog writes the last line: how it ended when there is a result, else text. It starts on a line of its own, even
// if the child's last line had no end.
func (e *Executor) closeLog(a *attempt, r *result, text string) {
	if a.logPath == "" {
		return
	}
	const flags = unix.O_RDWR | unix.O_APPEND | unix.O_CLOEXEC | unix.O_NOFOLLOW
	fd, err := unix.Open(a.logPath, flags, 0)
	if errors.Is(err, unix.EACCES) && unix.Chmod(a.logPath, 0o640) == nil {
		fd, err = unix.Open(a.logPath, flags, 0)
	}
	if err != nil {
		return // it was removed meanwhile, or never made
	}
	defer func() { _ = unix.Close(fd) }()
	level, now := "INFO", time.Now()
	if r != nil {
		now = r.end
		text = "exit code " + strconv.Itoa(r.code)
		if r.outcome != doradov1.Outcome_SUCCEEDED {
			level, text = "ERROR", r.message
		}
		text += ", " + seconds(r.end.Sub(a.start))
	} else if a.task != nil && !a.task.GetDryRun() {
		level = "ERROR"
	}
	text = a.hide.Text(text)
	line := make([]byte, 0, len(text)+64)
	var last [1]byte
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil && st.Size > 0 {
		if n, err := unix.Pread(fd, last[:], st.Size-1); err == nil && n == 1 && last[0] != '\n' {
			line = append(line, '\n')
		}
	}
	if st.Size < a.logStart {
		line = now.UTC().AppendFormat(line, logTime)
		line = append(line, " WARN [worker] - the task cut off its own log: it opened /dev/stdout or /dev/stderr for writing\n"...)
	}
	line = now.UTC().AppendFormat(line, logTime)
	line = append(line, " "+level+" [worker] - "+text+"\n"...)
	_ = writeAll(fd, string(line)) // on a full disk the report still says it
}
