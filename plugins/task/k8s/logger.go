package k8s

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	podPrefix = "[K8S-pod-log] "
	openLines = 1024 // how many lines an OUT value may span
)

// logger writes the attempt's log from several goroutines.
type logger struct {
	mu     sync.Mutex
	w      io.Writer
	broken func(error) // told about the first failure of w
	failed bool
	told   map[string]bool
	open   int // lines since an OUT value began that has not ended
	last   time.Time
}

// say writes a line of the plugin itself.
func (l *logger) say(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write(fmt.Sprintf(format, args...) + "\n")
}

// once says what was not said before. There is an end to it: messages of a cluster may hold a time.
func (l *logger) once(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.told[text] || len(l.told) >= 100 {
		return
	}
	l.told[text] = true
	l.write(text + "\n")
}

// line writes a line of the container. Lines within an OUT value have no prefix, because it would become part of the value.
func (l *logger) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = time.Now()
	prefix := podPrefix
	if l.open > 0 {
		prefix = ""
	}
	l.open = still(text, l.open)
	l.write(prefix + text + "\n")
}

// quiet is how long the container has said nothing.
func (l *logger) quiet() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.last)
}

func (l *logger) write(text string) {
	if l.failed {
		return
	}
	if _, err := io.WriteString(l.w, text); err != nil {
		l.failed = true
		l.broken(err)
	}
}

// still returns for how many lines an OUT value is open after text; open is that of before.
func still(text string, open int) int {
	at := max(strings.LastIndex(text, "${setValue("), strings.LastIndex(text, "#{setValue("))
	switch {
	case at >= 0 && !strings.Contains(text[at:], ")}"):
		return 1
	case at >= 0, open == 0, strings.Contains(text, ")}"), open >= openLines:
		return 0
	}
	return open + 1
}
