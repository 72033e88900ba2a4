package resource

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"dorado/app/kit/db"
	"dorado/app/kit/fault"
	"dorado/modules/access"
	"dorado/plugins/storage"
)

// A large file is sent in parts. Each part is a blob that is stored as a whole or not at all, so an upload that breaks off has
// lost one part at most; whoever sends the same file again goes on behind the last one. The file itself appears when all parts
// are there, in one step, as with any other way of writing.

const (
	// maxPart is how large one part may be, in bytes.
	maxPart = 64 << 20
	// uploadKept is how long the parts of an upload stay when nothing is added.
	uploadKept = 24 * time.Hour
	// maxUploads is how many unfinished uploads a user has; a further one removes the oldest.
	maxUploads = 100
)

// Faults of uploads.
var (
	ErrNoUpload   = fault.New(fault.NotFound, "resource.upload_gone")
	ErrUploadStep = fault.New(fault.Conflict, "resource.upload_step")
)

// Upload is a file of which not everything is here.
type Upload struct {
	ID        string    `db:"id"`
	Tenant    string    `db:"tenant"`
	Path      string    `db:"path"`
	UserID    int64     `db:"user_id"`
	Size      int64     `db:"size"`     // bytes of the file
	Modified  int64     `db:"modified"` // when it was changed last, as its sender says, in milliseconds
	Received  int64     `db:"received"` // bytes of it that are here
	Parts     int       `db:"parts"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`
}

// Ref is what the file is going to be called.
func (u Upload) Ref() Ref { return Ref{u.Tenant, u.Path} }

// BeginUpload finds the unfinished upload of a file by whoever acts in ctx, or makes a new one. It returns what Write returns
// before it has seen the content.
func (s *Service) BeginUpload(ctx context.Context, ref Ref, size, modified int64, when When) (Upload, error) {
	var u Upload
	if err := s.may(ctx, ref, Edit); err != nil {
		return u, err
	}
	if ref.Root() {
		return u, badPath("/", "empty")
	}
	if size < 0 {
		return u, ErrShort.With("name", ref.Path)
	}
	who, err := access.Must(ctx)
	if err != nil {
		return u, err
	}
	if err := s.writable(ctx, ref, Content{When: when}); err != nil {
		return u, err
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) (err error) {
		u, err = s.store.findUpload(ctx, who.UserID, ref, size, modified)
		if err == nil || !errors.Is(err, db.ErrNoRows) {
			return err
		}
		if err := s.writable(ctx, ref, Content{Size: size, When: when}); err != nil {
			return err
		}
		if err := s.trimUploads(ctx, who.UserID); err != nil {
			return err
		}
		now := db.Now(s.Now)
		u = Upload{ID: freshKey(), Tenant: ref.Tenant, Path: ref.Path, UserID: who.UserID, Size: size, Modified: modified, CreatedAt: now, UpdatedAt: now}
		return s.store.insertUpload(ctx, u)
	})
	if name, _ := db.Conflict(err); name == "uq_resource_upload_user_id_tenant_path_size_modified" { // begun twice at once
		return s.store.findUpload(ctx, who.UserID, ref, size, modified)
	}
	return u, err
}

func freshKey() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw)
	return hex.EncodeToString(raw)
}

// trimUploads makes room for one more upload of a user.
func (s *Service) trimUploads(ctx context.Context, user int64) error {
	old, err := s.store.uploadsOf(ctx, user, maxUploads-1)
	for _, id := range old {
		if err == nil {
			err = s.dropUpload(ctx, id)
		}
	}
	return err
}

// upload finds an upload of whoever acts in ctx, who must still be allowed to write there.
func (s *Service) upload(ctx context.Context, id string) (Upload, error) {
	if err := s.Configured(); err != nil {
		return Upload{}, err
	}
	who, err := access.Must(ctx)
	if err != nil {
		return Upload{}, err
	}
	u, err := s.store.getUpload(ctx, id)
	if errors.Is(err, db.ErrNoRows) || err == nil && u.UserID != who.UserID {
		if err := s.Access.Require(ctx, Edit); err != nil {
			return Upload{}, err
		}
		return Upload{}, ErrNoUpload
	}
	if err != nil {
		return Upload{}, err
	}
	return u, s.may(ctx, u.Ref(), Edit)
}

// AddPart stores the next part of an upload: all of r, which begins at offset. When offset is not where the upload is, it
// returns ErrUploadStep and the upload as it is, from which the sender goes on.
func (s *Service) AddPart(ctx context.Context, id string, offset int64, r io.Reader, size int64) (Upload, error) {
	u, err := s.upload(ctx, id)
	switch {
	case err != nil:
		return u, err
	case offset != u.Received:
		return u, ErrUploadStep
	case size > maxPart || size > u.Size-offset:
		return u, ErrTooLarge.With("limit", min(maxPart, u.Size-offset))
	}
	if err := s.withinQuota(ctx, u.Tenant, max(size, 0)); err != nil {
		return u, err
	}
	blob, got, err := s.keep(ctx, partFolder, u.Ref(), Content{Reader: io.LimitReader(r, min(maxPart, u.Size-offset)+1), Size: size})
	if err != nil {
		return u, err
	}
	if got.size > min(maxPart, u.Size-offset) {
		s.discard(db.Detach(ctx), []string{blob})
		return u, ErrTooLarge.With("limit", min(maxPart, u.Size-offset))
	}
	err = s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.withinQuota(ctx, u.Tenant, got.size); err != nil {
			return err
		}
		there, err := s.store.pardon(ctx, blob, s.Now().Add(-maxUpload))
		if err != nil || !there {
			return errors.Join(err, ErrShort.With("name", u.Path).Because(errors.New("the part took too long")))
		}
		now := db.Now(s.Now)
		if moved, err := s.store.addPart(ctx, u, got.size, now); err != nil || !moved {
			return errors.Join(err, ErrUploadStep) // somebody else sends the same file
		}
		u.Received, u.Parts, u.UpdatedAt = u.Received+got.size, u.Parts+1, now
		return s.store.insertPart(ctx, u.ID, u.Parts, blob, got.size)
	})
	if errors.Is(err, ErrUploadStep) {
		s.discard(db.Detach(ctx), []string{blob})
		if now, problem := s.upload(ctx, id); problem == nil {
			u = now
		}
	}
	return u, err
}

// FinishUpload makes a file of an upload that is complete. It returns what Write returns, and ErrUploadStep when parts are
// missing.
func (s *Service) FinishUpload(ctx context.Context, id string, to Ref, when When) (File, error) {
	u, err := s.upload(ctx, id)
	if err != nil {
		return File{}, err
	}
	if u.Received != u.Size {
		return File{}, ErrUploadStep
	}
	if to.Tenant != u.Tenant {
		return File{}, ErrForeign.With("tenant", to.Tenant)
	}
	parts, err := s.store.parts(ctx, u.ID)
	if err != nil {
		return File{}, err
	}
	joined := &joinedParts{ctx: ctx, store: s.Storage, left: parts}
	defer joined.close()
	f, err := s.Write(ctx, to, Content{Reader: joined, Size: u.Size, When: when, part: u.Received})
	if err != nil {
		return f, err
	}
	return f, s.DropUpload(ctx, id)
}

// DropUpload removes an upload of whoever acts in ctx and its parts.
func (s *Service) DropUpload(ctx context.Context, id string) error {
	u, err := s.upload(ctx, id)
	if err != nil {
		return err
	}
	return s.dropUpload(ctx, u.ID)
}

// dropUpload removes an upload. Its parts go at once, because nobody reads one a second time; the sweep does it when that fails.
func (s *Service) dropUpload(ctx context.Context, id string) error {
	return s.DB.InTx(ctx, func(ctx context.Context) error {
		parts, err := s.store.parts(ctx, id)
		if err != nil {
			return err
		}
		now := db.Now(s.Now)
		blobs := make([]string, len(parts))
		for i, p := range parts {
			if err := s.store.condemn(ctx, p.Blob, now); err != nil {
				return err
			}
			blobs[i] = p.Blob
		}
		db.AfterCommit(ctx, func(ctx context.Context) { s.discard(ctx, blobs) })
		return s.store.deleteUpload(ctx, id)
	})
}

// discard removes condemned blobs now.
func (s *Service) discard(ctx context.Context, blobs []string) {
	err := s.Storage.Delete(ctx, blobs...)
	for _, blob := range blobs {
		if err == nil {
			_, err = s.store.pardon(ctx, blob, time.Time{})
		}
	}
	if err != nil {
		s.Logger.DebugContext(ctx, "parts of an upload are left to the sweep", "error", err)
	}
}

// expireUploads removes the uploads that nothing was added to for long.
func (s *Service) expireUploads(ctx context.Context) error {
	for {
		ids, err := s.store.oldUploads(ctx, s.Now().Add(-uploadKept), sweepBatch)
		if err != nil || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := s.dropUpload(ctx, id); err != nil {
				return err
			}
		}
	}
}

// joinedParts reads the parts of an upload one after the other.
type joinedParts struct {
	ctx   context.Context
	store storage.Storage
	left  []part
	open  io.ReadCloser
}

func (j *joinedParts) Read(p []byte) (int, error) {
	for {
		if j.open == nil {
			if len(j.left) == 0 {
				return 0, io.EOF
			}
			r, _, err := j.store.Get(j.ctx, j.left[0].Blob, 0)
			if err != nil {
				return 0, err
			}
			j.open, j.left = r, j.left[1:]
		}
		n, err := j.open.Read(p)
		if errors.Is(err, io.EOF) {
			j.close()
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

func (j *joinedParts) close() {
	if j.open != nil {
		_ = j.open.Close()
		j.open = nil
	}
}
