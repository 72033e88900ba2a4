package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/minio/minio-go/v7"

	"dorado/plugins/storage"
)

const (
	// partSize is how much of a file is held in memory while it is sent; also the largest file sent by one request.
	partSize = 16 << 20
	// maxParts is what the protocol allows of one upload, less a reserve.
	maxParts = 9000
)

// Store is a bucket, or a folder of one.
type Store struct {
	client    minio.Core
	transport *http.Transport
	bucket    string
	prefix    string // "" or with a slash at the end
}

var _ storage.Storage = (*Store)(nil)

// Open returns the store; nothing is sent yet.
func Open(c Config) (*Store, error) {
	client, transport, err := c.client()
	if err != nil {
		return nil, err
	}
	s := &Store{client: minio.Core{Client: client}, transport: transport, bucket: c.Bucket}
	if p := strings.Trim(c.Prefix, "/"); p != "" {
		s.prefix = p + "/"
	}
	return s, nil
}

// Close drops idle connections.
func (s *Store) Close() error {
	s.transport.CloseIdleConnections()
	return nil
}

// Check asks for the bucket.
func (s *Store) Check(ctx context.Context) error {
	exists, err := s.client.BucketExists(ctx, s.bucket)
	if err != nil {
		return fault("check bucket", s.bucket, err)
	}
	if !exists {
		return fmt.Errorf("%w: there is no bucket %q", storage.ErrRefused, s.bucket)
	}
	return nil
}

// fault gives an error of the server or the network its place among those of the interface.
func fault(what, key string, err error) error {
	if err == nil {
		return nil
	}
	var answer minio.ErrorResponse
	var failed *url.Error
	var network net.Error
	kind := error(nil)
	switch {
	case errors.Is(err, context.Canceled):
	case errors.As(err, &answer):
		switch {
		case answer.Code == minio.NoSuchKey || answer.Code == "NotFound":
			kind = storage.ErrNotFound
		case answer.Code == minio.NoSuchBucket, answer.StatusCode == http.StatusForbidden, answer.StatusCode == http.StatusUnauthorized:
			kind = storage.ErrRefused
		case answer.StatusCode >= 500, answer.StatusCode == http.StatusTooManyRequests:
			kind = storage.ErrAway
		case answer.StatusCode == http.StatusNotFound:
			kind = storage.ErrNotFound
		}
	case errors.As(err, &failed), errors.As(err, &network):
		kind = storage.ErrAway
	}
	if kind == nil {
		return fmt.Errorf("%s %q: %w", what, key, err)
	}
	return fmt.Errorf("%w: %s %q: %w", kind, what, key, err)
}

// Put sends a small file at once and a large one in parts, of which one is held in memory.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return storage.Info{}, err
	}
	return s.put(ctx, key, r, size)
}

func (s *Store) put(ctx context.Context, key string, r io.Reader, size int64) (storage.Info, error) {
	part := int64(partSize)
	if size > part*maxParts {
		part = (size/maxParts + (1 << 20)) >> 20 << 20
	}
	if _, ok := r.(io.ReaderAt); !ok {
		r = storage.Exactly(r, size)
	}
	up, err := s.client.Client.PutObject(ctx, s.bucket, s.prefix+key, r, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: uint64(part), NumThreads: 2,
	})
	if err != nil {
		return storage.Info{}, fault("put", key, err)
	}
	return storage.Info{Key: key, Size: up.Size, Modified: up.LastModified.UTC(), Version: strings.Trim(up.ETag, `"`)}, nil
}

// Get reads as the caller reads: what he does not take is not fetched.
func (s *Store) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, storage.Info, error) {
	if err := storage.CheckKey(key); err != nil {
		return nil, storage.Info{}, err
	}
	var options minio.GetObjectOptions
	if offset > 0 {
		if err := options.SetRange(offset, 0); err != nil {
			return nil, storage.Info{}, err
		}
	}
	body, object, header, err := s.client.GetObject(ctx, s.bucket, s.prefix+key, options)
	if offset > 0 && minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		info, err := s.Stat(ctx, key)
		return io.NopCloser(bytes.NewReader(nil)), info, err
	}
	if err != nil {
		return nil, storage.Info{}, fault("get", key, err)
	}
	info := s.info(object)
	if _, total, ok := strings.Cut(header.Get("Content-Range"), "/"); ok {
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			info.Size = n
		}
	}
	return &reader{key, body}, info, nil
}

// reader gives the errors of a body their place.
type reader struct {
	key  string
	body io.ReadCloser
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return n, err
	}
	return n, fmt.Errorf("%w: get %q: %w", storage.ErrAway, r.key, err)
}

func (r *reader) Close() error { return r.body.Close() }

func (s *Store) info(o minio.ObjectInfo) storage.Info {
	i := storage.Info{Key: strings.TrimPrefix(o.Key, s.prefix), Size: o.Size, Modified: o.LastModified.UTC(), Version: strings.Trim(o.ETag, `"`)}
	if i.Dir() {
		i.Size, i.Version = 0, ""
	}
	return i
}

// Stat asks for a file, or for anything below a folder.
func (s *Store) Stat(ctx context.Context, key string) (storage.Info, error) {
	if err := storage.CheckAny(key); err != nil {
		return storage.Info{}, err
	}
	if strings.HasSuffix(key, "/") {
		found, err := s.below(ctx, key, 1)
		if err != nil {
			return storage.Info{}, err
		}
		if len(found) == 0 {
			return storage.Info{}, fmt.Errorf("%w: stat %q", storage.ErrNotFound, key)
		}
		return storage.Info{Key: key, Modified: found[0].Modified}, nil
	}
	object, err := s.client.StatObject(ctx, s.bucket, s.prefix+key, minio.StatObjectOptions{})
	if err != nil {
		return storage.Info{}, fault("stat", key, err)
	}
	return s.info(object), nil
}

// below returns up to n of the keys that begin with a folder, its own marker among them.
func (s *Store) below(ctx context.Context, folder string, n int) ([]storage.Info, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var found []storage.Info
	for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + folder, Recursive: true, MaxKeys: n}) {
		if object.Err != nil {
			return nil, fault("list", folder, object.Err)
		}
		if found = append(found, s.info(object)); len(found) == n {
			break
		}
	}
	return found, nil
}

// List asks for a thousand keys at once.
func (s *Store) List(ctx context.Context, folder string, deep bool) iter.Seq2[storage.Info, error] {
	return func(yield func(storage.Info, error) bool) {
		if folder != "" {
			if err := storage.CheckFolder(folder); err != nil {
				yield(storage.Info{}, err)
				return
			}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for object := range s.client.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix + folder, Recursive: deep}) {
			if object.Err != nil {
				yield(storage.Info{}, fault("list", folder, object.Err))
				return
			}
			info := s.info(object)
			if info.Key == folder || storage.CheckAny(info.Key) != nil {
				continue // the folder's own marker, or not made by us
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

// Delete removes many by one request. The marker of a folder goes only when nothing else lies there.
func (s *Store) Delete(ctx context.Context, keys ...string) error {
	var failed []error
	names := make([]string, 0, len(keys))
	for _, key := range keys {
		if err := storage.CheckAny(key); err != nil {
			failed = append(failed, err)
			continue
		}
		if strings.HasSuffix(key, "/") {
			found, err := s.below(ctx, key, 2)
			if err != nil {
				return errors.Join(append(failed, err)...)
			}
			if len(found) != 1 || found[0].Key != key {
				continue
			}
		}
		names = append(names, s.prefix+key)
	}
	if len(names) > 1 {
		rest, err := s.deleteMany(ctx, names)
		if err != nil {
			return errors.Join(append(failed, err)...)
		}
		names = rest
	}
	for _, name := range names {
		if err := s.client.RemoveObject(ctx, s.bucket, name, minio.RemoveObjectOptions{}); err != nil {
			if err = fault("delete", name, err); !errors.Is(err, storage.ErrNotFound) {
				failed = append(failed, err)
			}
		}
	}
	return errors.Join(failed...)
}

// deleteMany returns those that must be deleted one by one: all of them where the server knows no other way.
func (s *Store) deleteMany(ctx context.Context, names []string) (rest []string, err error) {
	objects := func(yield func(minio.ObjectInfo) bool) {
		for _, name := range names {
			if !yield(minio.ObjectInfo{Key: name}) {
				return
			}
		}
	}
	results, err := s.client.RemoveObjectsWithIter(ctx, s.bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		return nil, fault("delete", names[0], err)
	}
	var failed []error
	for r := range results {
		switch code := minio.ToErrorResponse(r.Err).Code; {
		case r.Err == nil, code == minio.NoSuchKey:
		case code == minio.NotImplemented, code == minio.MethodNotAllowed:
			rest = slices.Clone(names)
		default:
			failed = append(failed, fault("delete", r.ObjectName, r.Err))
		}
	}
	if rest != nil {
		return rest, nil
	}
	return nil, errors.Join(failed...)
}

// MakeDir stores an empty object under the folder's name.
func (s *Store) MakeDir(ctx context.Context, folder string) error {
	if err := storage.CheckFolder(folder); err != nil {
		return err
	}
	_, err := s.put(ctx, folder, bytes.NewReader(nil), 0)
	return err
}

// Copy lets the server copy.
func (s *Store) Copy(ctx context.Context, from, to string) error {
	if err := errors.Join(storage.CheckKey(from), storage.CheckKey(to)); err != nil || from == to {
		return err
	}
	_, err := s.client.Client.ComposeObject(ctx,
		minio.CopyDestOptions{Bucket: s.bucket, Object: s.prefix + to}, minio.CopySrcOptions{Bucket: s.bucket, Object: s.prefix + from})
	return fault("copy", from, err)
}
