package executor

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"dorado/modules/rpc/doradov1"
)

// contested is one run with one attempt, for which two masters fight.
type contested struct {
	task   *doradov1.Task
	epoch  uint64 // the highest that was said
	owner  int    // who said it
	killed bool
}

// TestTwoMastersWhoFightOverRunsLoseNothingAndRunNothingTwice has two masters dispatch, claim, kill and hang up in random
// order; each order comes with an epoch that is current or stale. What must hold: no attempt runs twice; the end of each is
// told to the master that owns its run at last; and a master that was replaced is never obeyed.
func TestTwoMastersWhoFightOverRunsLoseNothingAndRunNothingTwice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			fight(t, rand.New(rand.NewPCG(seed, 4))) //nolint:gosec // not a secret
		})
	}
}

func fight(t *testing.T, dice *rand.Rand) {
	t.Helper()
	masters := []*scripted{newScripted(t, "m0"), newScripted(t, "m1")}
	for _, m := range masters {
		m.noAck.Store(true)
		m.mute.Store(true) // streams end when the dice say so
	}
	cfg := testConfig(t)
	w := startWorker(t, cfg, masters...)
	dir := t.TempDir()
	all := make([]*contested, 25)
	for i := range all {
		job := shellTask(fmt.Sprintf("echo x >> %s/%d; sleep %.2f", dir, i, dice.Float64()/2))
		job.WorkflowInstanceId = 1000 + int64(i)
		all[i] = &contested{task: job, epoch: 1}
		masters[0].dispatch(job)
	}
	// Orders of both masters travel on two streams. Before one says something with a higher epoch, the worker has read
	// all that the other one said: that is what epochs are for, and the marker shows it.
	settle := func(m *scripted) {
		marker := shellTask("")
		m.claim(1, marker)
		m.until("all orders are read", func() bool {
			for _, r := range m.reports {
				if r.GetId() == marker.GetId() {
					return true
				}
			}
			return false
		})
	}
	for range 150 {
		c, who := all[dice.IntN(len(all))], dice.IntN(2)
		m := masters[who]
		switch dice.IntN(6) {
		case 0, 1: // a take-over
			settle(masters[c.owner])
			c.epoch, c.owner = c.epoch+1, who
			m.claim(c.epoch, c.task)
			settle(m) // before that, what the other one says is not stale yet
		case 2: // the owner, or one that was, repeats itself
			again := proto.Clone(c.task).(*doradov1.Task)
			again.Epoch = c.epoch
			if who != c.owner {
				again.Epoch--
			}
			if again.GetEpoch() > 0 && !c.killed {
				m.dispatch(again)
			}
		case 3: // a stale claim
			if who != c.owner && c.epoch > 1 {
				m.claim(c.epoch-1, c.task)
			}
		case 4: // a kill, stale unless the owner asks
			if who == c.owner {
				c.killed = true
				m.killAt(c.epoch, c.task.GetId())
			} else if c.epoch > 1 {
				m.killAt(c.epoch-1, c.task.GetId())
			}
		case 5:
			if dice.IntN(4) == 0 {
				settle(m)
				m.hangUp()
			}
		}
	}
	for _, c := range all {
		r := masters[c.owner].finished(c.task.GetId())
		require.NotEqual(t, doradov1.Outcome_LOST, r.GetOutcome())
		require.NotEqual(t, doradov1.Outcome_UNKNOWN, r.GetOutcome(), "nobody has acknowledged it")
		if !c.killed {
			require.Equal(t, doradov1.Outcome_SUCCEEDED, r.GetOutcome(), "a stale kill is not obeyed")
		}
		require.True(t, w.holds(c.task.GetId()))
	}
	// The owner acknowledges, the other one too: only the owner's counts, and everything is forgotten in the end.
	for _, c := range all {
		item := []*doradov1.AckItem{{Id: c.task.GetId(), Seq: 2}}
		ack := &doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: &doradov1.Ack{Items: item}}}
		masters[1-c.owner].send(ack)
	}
	settle(masters[0])
	settle(masters[1])
	for _, c := range all {
		require.True(t, w.holds(c.task.GetId()))
		item := []*doradov1.AckItem{{Id: c.task.GetId(), Seq: 2}}
		masters[c.owner].send(&doradov1.MasterFrame{Body: &doradov1.MasterFrame_Ack{Ack: &doradov1.Ack{Items: item}}})
	}
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.attempts) == 0
	}, 60*time.Second, 5*time.Millisecond)
	for i, c := range all {
		text, err := os.ReadFile(filepath.Join(dir, fmt.Sprint(i)))
		if os.IsNotExist(err) && c.killed {
			continue // before it was started
		}
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(text), "x"), "attempt %d", i)
	}
}
