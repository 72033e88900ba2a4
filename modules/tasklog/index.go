package tasklog

import (
	"context"
	"sync"
	"time"
)

// maxIndexes bounds how many files are remembered; an index of a million lines is 8 kB.
const maxIndexes = 64

// indexes remembers where lines begin, so that a page deep in a long log does not mean reading all of it again.
type indexes struct {
	mu    sync.Mutex
	files map[string]*indexed
}

type indexed struct {
	mu       sync.Mutex // held while the file is read: two who ask at once read it once
	identity string
	x        index
	used     time.Time // guarded by indexes.mu
}

func newIndexes() *indexes { return &indexes{files: map[string]*indexed{}} }

// update returns the index of f as it is now.
func (s *indexes) update(ctx context.Context, f Source) (index, error) {
	size, identity, err := f.State()
	if err != nil {
		return index{}, err
	}
	s.mu.Lock()
	file, ok := s.files[f.Name()]
	if !ok {
		if len(s.files) >= maxIndexes {
			s.evict()
		}
		file = &indexed{}
		s.files[f.Name()] = file
	}
	file.used = time.Now()
	s.mu.Unlock()

	file.mu.Lock()
	defer file.mu.Unlock()
	if identity == "" || identity != file.identity || size < file.x.size || len(file.x.offsets) == 0 {
		file.x, file.identity = index{offsets: []int64{0}}, identity
	}
	if size > file.x.size {
		x, err := file.x.extend(ctx, f, size)
		if err != nil {
			return index{}, err
		}
		file.x = x
	}
	return file.x, nil
}

// evict drops the file that was asked for longest ago; s.mu is held.
func (s *indexes) evict() {
	oldest := ""
	for name, file := range s.files {
		if oldest == "" || file.used.Before(s.files[oldest].used) {
			oldest = name
		}
	}
	delete(s.files, oldest)
}

func (s *indexes) forget(name string) {
	s.mu.Lock()
	delete(s.files, name)
	s.mu.Unlock()
}
