package check

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// Mark is one line of the ledger: what a task's own process says when it starts and when it ends.
type Mark struct {
	End     bool
	Run     int64
	Task    int64
	Attempt int64
	At      time.Time
	PID     int
	Nonce   string // of the process, so that two starts of one attempt are told apart
	Key     string // of the trigger
	Exit    int    // of an end
}

// Script returns shell text for bash that writes both lines around the work, and ends with the exit code in $x, which the
// work may set. The ids are the product's built-in parameters; key is shell text.
func Script(ledger, key, work string) string {
	const ids = "${system.workflow.instance.id} ${system.task.definition.code} ${system.task.instance.id}"
	return fmt.Sprintf("n=$RANDOM$RANDOM$RANDOM; x=0\necho \"S %s $EPOCHREALTIME $$ $n %s\" >> %s\n%s\necho \"E %s $EPOCHREALTIME $$ $n %s $x\" >> %s\nexit $x\n",
		ids, key, ledger, work, ids, key, ledger)
}

// Read parses a ledger. Each line is one write to a descriptor opened for appending, so a torn line is an error; only the
// last one may lack its end.
func Read(r io.Reader) ([]Mark, error) {
	var out []Mark
	s := bufio.NewScanner(r)
	for n := 1; s.Scan(); n++ {
		m, err := parse(s.Text())
		if err != nil {
			return nil, fmt.Errorf("ledger line %d %q: %w", n, s.Text(), err)
		}
		out = append(out, m)
	}
	return out, s.Err()
}

func parse(line string) (Mark, error) {
	f := strings.Fields(line)
	var m Mark
	switch {
	case len(f) == 8 && f[0] == "S":
	case len(f) == 9 && f[0] == "E":
		m.End = true
	default:
		return m, errors.New("neither a start nor an end")
	}
	var err error
	number := func(text string) int64 {
		v, parseErr := strconv.ParseInt(text, 10, 64)
		err = errors.Join(err, parseErr)
		return v
	}
	m.Run, m.Task, m.Attempt, m.PID = number(f[1]), number(f[2]), number(f[3]), int(number(f[5]))
	seconds, micros, _ := strings.Cut(f[4], ".")
	m.At = time.Unix(number(seconds), number(micros)*1000).UTC()
	m.Nonce, m.Key = f[6], f[7]
	if m.End {
		m.Exit = int(number(f[8]))
	}
	return m, err
}
