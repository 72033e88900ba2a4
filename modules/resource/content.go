package resource

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strings"
	"unicode/utf8"

	"dorado/app/kit/db"
	"dorado/modules/access"
	"dorado/plugins/storage"
)

// blobFolder is where contents lie in the storage.
const blobFolder = "resources/"

// partFolder is where the parts of uploads lie that are not complete. Backups leave it out.
const partFolder = "uploads/"

// When says what writing does with a file that is there.
type When int

// What writing does.
const (
	Create  When = iota // it must not be there
	Replace             // it must be there
	Put                 // whichever
)

// Content is what is written.
type Content struct {
	Reader  io.Reader
	Size    int64 // bytes, storage.Unknown when not known before
	Message string
	When    When
	Seen    int   // revision the writer saw; 0 = whatever it is now
	part    int64 // bytes of Size that are here already, as parts of an upload, and counted
}

// Write stores the content of a file as a new revision: all of it or nothing. Folders above are made. Writing what the file
// holds already changes nothing. It returns ErrExists, ErrNotFound, ErrChanged, ErrIsFolder, ErrTooLarge, ErrQuota, ErrShort.
func (s *Service) Write(ctx context.Context, ref Ref, c Content) (File, error) {
	if err := s.may(ctx, ref, Edit); err != nil {
		return File{}, err
	}
	if ref.Root() {
		return File{}, badPath("/", "empty")
	}
	if err := s.writable(ctx, ref, c); err != nil { // before anything is sent
		return File{}, err
	}
	blob, written, err := s.keep(ctx, blobFolder, ref, c)
	if err != nil {
		return File{}, err
	}
	return s.commit(ctx, ref, c, blob, written)
}

// written is what was measured on the way.
type written struct {
	size int64
	sum  string
}

// keep stores the content under a fresh key, which stays condemned until a row names it.
func (s *Service) keep(ctx context.Context, folder string, ref Ref, c Content) (string, written, error) {
	blob := folder + ref.Tenant + "/" + freshKey()
	// Whoever writes in a transaction would keep it open for as long as the upload takes.
	if err := s.store.condemn(db.Detach(ctx), blob, db.Now(s.Now)); err != nil {
		return "", written{}, err
	}
	m := &measuring{r: c.Reader, sum: sha256.New(), most: s.Config.MaxFile}
	if _, err := s.Storage.Put(ctx, blob, m, c.Size); err != nil {
		var large *tooLarge
		switch {
		case errors.As(err, &large) || m.size > s.Config.MaxFile:
			return "", written{}, ErrTooLarge.With("limit", s.Config.MaxFile).OnField("file", ErrTooLarge.Key, "limit", s.Config.MaxFile)
		case c.Size >= 0 && m.size < c.Size && m.err == nil:
			return "", written{}, ErrShort.With("name", ref.Path).Because(err)
		}
		return "", written{}, err
	}
	return blob, written{m.size, hex.EncodeToString(m.sum.Sum(nil))}, nil
}

// writable refuses what can be refused without the content.
func (s *Service) writable(ctx context.Context, ref Ref, c Content) error {
	if c.Size > s.Config.MaxFile {
		return ErrTooLarge.With("limit", s.Config.MaxFile).OnField("file", ErrTooLarge.Key, "limit", s.Config.MaxFile)
	}
	f, err := s.store.get(ctx, ref)
	if err := allowed(f, err, ref, c); err != nil {
		return err
	}
	return s.withinQuota(ctx, ref.Tenant, max(c.Size-c.part, 0))
}

// allowed says whether the content may take the place of what is there.
func allowed(f File, err error, ref Ref, c Content) error {
	switch {
	case errors.Is(err, ErrNotFound) && c.When != Replace:
		return nil
	case err != nil:
		return err
	case f.Dir:
		return ErrIsFolder.With("name", ref.Path).OnField("name", ErrIsFolder.Key, "name", ref.Path)
	case c.When == Create:
		return ErrExists.With("name", ref.Path).OnField("name", ErrExists.Key, "name", ref.Path)
	case c.Seen > 0 && f.Revision != c.Seen:
		return ErrChanged.With("name", ref.Path)
	}
	return nil
}

func (s *Service) withinQuota(ctx context.Context, tenant string, more int64) error {
	if s.Config.Quota == 0 {
		return nil
	}
	u, err := s.store.usage(ctx, tenant)
	if err == nil && u.Bytes+more > s.Config.Quota {
		err = ErrQuota.With("tenant", tenant, "limit", s.Config.Quota).OnField("file", ErrQuota.Key, "tenant", tenant, "limit", s.Config.Quota)
	}
	return err
}

// commit makes a blob the content of a file.
func (s *Service) commit(ctx context.Context, ref Ref, c Content, blob string, w written) (File, error) {
	var f File
	err := s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		if err := s.parents(ctx, ref.Parent()); err != nil {
			return err
		}
		f, err = s.store.lock(ctx, ref)
		isNew := errors.Is(err, ErrNotFound)
		if err := allowed(f, err, ref, c); err != nil {
			return err
		}
		if !isNew && f.SHA256 == w.sum && f.Size == w.size {
			return nil // the blob stays condemned
		}
		if err := s.withinQuota(ctx, ref.Tenant, w.size-c.part); err != nil {
			return err
		}
		if there, err := s.store.pardon(ctx, blob, s.Now().Add(-maxUpload)); err != nil || !there {
			return errors.Join(err, ErrShort.With("name", ref.Path).Because(errors.New("the upload took too long")))
		}
		who, err := access.Must(ctx)
		if err != nil {
			return err
		}
		f.Tenant, f.Path, f.Name = ref.Tenant, ref.Path, ref.Name()
		f.Size, f.SHA256, f.Blob, f.UserID, f.UserName = w.size, w.sum, blob, who.UserID, who.Name
		f.Revision++
		f.UpdatedAt = db.Now(s.Now)
		verb := "update"
		if isNew {
			verb, f.CreatedAt = "create", f.UpdatedAt
			f.ID, err = s.store.insert(ctx, f)
		} else {
			err = s.store.setContent(ctx, f)
		}
		if err != nil {
			return err
		}
		if err := s.store.insertRevision(ctx, f, c.Message); err != nil {
			return err
		}
		if err := s.store.dropRevisions(ctx, f.ID, f.Revision-s.Config.Revisions+1, f.UpdatedAt); err != nil {
			return err
		}
		return s.record(ctx, verb, f, map[string]any{"revision": f.Revision, "size": f.Size, "sha256": f.SHA256})
	})
	return f, err
}

// measuring counts and sums what is read, and ends what is too large.
type measuring struct {
	r    io.Reader
	sum  hash.Hash
	size int64
	most int64
	err  error
}

type tooLarge struct{}

func (*tooLarge) Error() string { return "the file is too large" }

func (m *measuring) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.size += int64(n)
	_, _ = m.sum.Write(p[:n])
	if m.size > m.most {
		return 0, &tooLarge{}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// Open opens the content of a file, or with a number one of its revisions, from an offset on. Whoever calls closes it.
func (s *Service) Open(ctx context.Context, ref Ref, revision int, offset int64) (File, io.ReadCloser, error) {
	f, err := s.Get(ctx, ref)
	if err != nil {
		return f, nil, err
	}
	if f.Dir {
		return f, nil, ErrIsFolder.With("name", ref.Path)
	}
	if revision > 0 && revision != f.Revision {
		v, err := s.store.revision(ctx, f.ID, revision)
		if err != nil {
			return f, nil, err
		}
		f.Blob, f.Size, f.SHA256, f.Revision = v.Blob, v.Size, v.SHA256, v.Number
	}
	r, _, err := s.Storage.Get(ctx, f.Blob, offset)
	if errors.Is(err, storage.ErrNotFound) {
		err = ErrNotFound.With("name", ref.String()).Because(err)
	}
	return f, r, err
}

// Text reads a file as text. It returns ErrNotText for what is too large or no text.
func (s *Service) Text(ctx context.Context, ref Ref, revision int) (File, string, error) {
	f, r, err := s.Open(ctx, ref, revision, 0)
	if err != nil {
		return f, "", err
	}
	defer func() { _ = r.Close() }()
	if f.Size > MaxText {
		return f, "", ErrNotText.With("name", f.Name)
	}
	raw, err := io.ReadAll(io.LimitReader(r, MaxText+1))
	if err != nil {
		return f, "", err
	}
	if !utf8.Valid(raw) || bytes.IndexByte(raw, 0) >= 0 {
		return f, "", ErrNotText.With("name", f.Name)
	}
	return f, string(raw), nil
}

// Lines reads some lines of a file, without holding the rest: at most limit of them after skip, a negative limit is all. It
// stops at MaxText bytes.
func (s *Service) Lines(ctx context.Context, ref Ref, skip, limit int) (string, error) {
	f, r, err := s.Open(ctx, ref, 0, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	if !TextSuffix(f.Name) {
		return "", ErrNotText.With("name", f.Name)
	}
	var out strings.Builder
	lines := bufio.NewReaderSize(r, 64<<10)
	for n := 0; limit < 0 || n < skip+limit; n++ {
		for more := true; more; {
			piece, prefix, err := lines.ReadLine()
			if errors.Is(err, io.EOF) {
				return out.String(), nil
			}
			if err != nil {
				return "", err
			}
			if n >= skip {
				if out.Len()+len(piece) > MaxText {
					return out.String(), nil
				}
				_, _ = out.Write(piece)
				if !prefix {
					_ = out.WriteByte('\n')
				}
			}
			more = prefix
		}
	}
	return out.String(), nil
}

// Revisions lists what a file held, newest first.
func (s *Service) Revisions(ctx context.Context, ref Ref) (File, []Revision, error) {
	f, err := s.Get(ctx, ref)
	if err != nil {
		return f, nil, err
	}
	if f.Dir {
		return f, nil, ErrIsFolder.With("name", ref.Path)
	}
	all, err := s.store.revisions(ctx, f.ID)
	return f, all, err
}

// Restore makes an older revision the content again, as a new one.
func (s *Service) Restore(ctx context.Context, ref Ref, revision int, message string) (File, error) {
	if err := s.may(ctx, ref, Edit); err != nil {
		return File{}, err
	}
	f, r, err := s.Open(ctx, ref, revision, 0)
	if err != nil {
		return f, err
	}
	defer func() { _ = r.Close() }()
	return s.Write(ctx, ref, Content{Reader: r, Size: f.Size, Message: message, When: Replace})
}

// Copy stores the content of a file under another name, too.
func (s *Service) Copy(ctx context.Context, from, to Ref) (File, error) {
	f, r, err := s.Open(ctx, from, 0, 0)
	if err != nil {
		return f, err
	}
	defer func() { _ = r.Close() }()
	return s.Write(ctx, to, Content{Reader: r, Size: f.Size, When: Create})
}
