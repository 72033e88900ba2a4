package executor

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"dorado/modules/flow"
	"dorado/modules/rpc/doradov1"
	"dorado/plugins/storage"
)

// handedOn reports whether a file comes from another task.
func handedOn(file *doradov1.File) bool {
	return strings.HasPrefix(file.GetBlob(), flow.TransferFolder+"/")
}

// unpack goes through a zip archive that becomes a folder, and calls fn with the folder and all that is in it; size is that of
// what in gives. The archive may be anybody's, because a task may hand one on that it made itself: nothing in it leaves the
// folder, nothing but files and folders comes out of it, and not more than files may have.
func (f *files) unpack(c *content, folder string, fn func(name string, mode fs.FileMode, size int64, in io.Reader) error) error {
	archive, err := zip.OpenReader(c.path)
	if err != nil {
		return fmt.Errorf("it is no zip archive that can be read: %w", err)
	}
	defer func() { _ = archive.Close() }()
	if len(archive.File) > maxPacked {
		return errManyFiles
	}
	if err := fn(folder, fs.ModeDir|0o755, 0, nil); err != nil {
		return err
	}
	left := f.most
	for _, entry := range archive.File {
		if storage.CheckAny(entry.Name) != nil || len(folder)+len(entry.Name) > 4000 {
			return fmt.Errorf("the archive holds %.200q, which is no name of a file below a folder", entry.Name)
		}
		name := path.Join(folder, entry.Name)
		mode := entry.Mode()
		switch {
		case mode.IsDir():
			if err := fn(name, fs.ModeDir|0o755, 0, nil); err != nil {
				return err
			}
			continue
		case !mode.IsRegular():
			return fmt.Errorf("the archive holds %.200q, which is neither a file nor a folder", entry.Name)
		case entry.UncompressedSize64 > uint64(left):
			return fmt.Errorf("unpacked it is %w", tooMuch{f.most})
		}
		left -= int64(entry.UncompressedSize64)
		in, err := entry.Open()
		if err != nil {
			return fmt.Errorf("%.200q in the archive: %w", entry.Name, err)
		}
		// What unpacks to more than it says is cut off and then found to be broken.
		limited := &exactly{r: in, left: int64(entry.UncompressedSize64)}
		err = fn(name, mode.Perm()|0o600, int64(entry.UncompressedSize64), limited)
		if err = errors.Join(err, in.Close()); err != nil {
			return fmt.Errorf("%.200q in the archive: %w", entry.Name, err)
		}
	}
	return nil
}

// exactly reads as much as was announced, and fails when there is more or less.
type exactly struct {
	r    io.Reader
	left int64
}

var errAnnounced = errors.New("it has not the size that the archive says")

func (e *exactly) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	switch e.left -= int64(n); {
	case e.left < 0:
		return 0, errAnnounced
	case errors.Is(err, io.EOF) && e.left > 0:
		return n, errAnnounced
	}
	return n, err
}
