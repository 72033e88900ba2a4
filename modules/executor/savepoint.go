package executor

import (
	"context"
	"strings"
	"time"

	"dorado/modules/rpc/doradov1"
)

// savePatience is how long it may take to write down the state of a streaming job.
const savePatience = 10 * time.Minute

// maxSaved bounds what is told of a savepoint that failed, in bytes; all of it is in the log.
const maxSaved = 2000

// Answers to SavepointRequest.
const (
	saveNotHeld = "stream.not_held" // the attempt does not run here
	saveNone    = "stream.none"     // it is not of a kind that has savepoints
	saveEarly   = "stream.early"    // its job has no name yet
	saveBusy    = "stream.busy"     // another one is being taken
	saveFailed  = "stream.failed"
)

// savepoint has the remote work of an attempt write down its state. What the program prints goes into the attempt's log.
func (e *Executor) savepoint(ctx context.Context, id int64) *doradov1.LogReply {
	refuse := func(key string) *doradov1.LogReply { return &doradov1.LogReply{Done: true, Error: key} }
	e.mu.Lock()
	a := e.attempts[id]
	switch {
	case a == nil || a.state != running || a.exited || a.ending != endNone:
		e.mu.Unlock()
		return refuse(saveNotHeld)
	case a.remote == nil || a.remote.save == "":
		e.mu.Unlock()
		return refuse(saveNone)
	case a.link == "":
		e.mu.Unlock()
		return refuse(saveEarly)
	case a.saving:
		e.mu.Unlock()
		return refuse(saveBusy)
	}
	a.saving = true
	ids := strings.Split(a.link, ",")
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		a.saving = false
		e.mu.Unlock()
	}()
	out, err := e.remoteScript(ctx, a, a.remote.save, ids, savePatience)
	if a.hide != nil {
		out = a.hide.Text(out)
	}
	reply := &doradov1.LogReply{Done: true}
	for _, m := range a.remote.saved.FindAllStringSubmatch(out, maxRemote) {
		reply.Lines = append(reply.Lines, m[len(m)-1])
	}
	text := "savepoint of " + strings.Join(ids, ",") + "\n" + strings.TrimRight(out, "\n") + "\n"
	if err != nil || len(reply.GetLines()) == 0 {
		said := out
		if err != nil {
			said = oneLine(err.Error()) + "\n" + out
			text += "the savepoint was not taken: " + oneLine(err.Error()) + "\n"
		}
		if len(said) > maxSaved {
			said = strings.ToValidUTF8(said[:maxSaved], "")
		}
		reply.Error, reply.Lines = saveFailed, []string{strings.TrimSpace(said)}
	}
	appendLog(a.logPath, text)
	return reply
}
