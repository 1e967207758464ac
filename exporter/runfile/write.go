package runfile

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Encode writes the record as indented JSON.
func Encode(w io.Writer, r Run) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteFile writes the record to a file, as Place does.
func WriteFile(path string, r Run) error {
	if err := Place(path, func(w io.Writer) error { return Encode(w, r) }); err != nil {
		return fmt.Errorf("run file %s: %w", path, err)
	}
	return nil
}

// Place makes a file of what write writes. The file appears whole or not at all:
// it is written beside and renamed into place, with the mode and the owner of the
// file that it replaces, or as any new file by the umask. A link is written
// through, as by a shell's >.
//
// Three kinds are written to as they are instead. What is no regular file (a pipe,
// /dev/null) does not make Place wait for long for a reader to come or to read on.
// A descriptor (/dev/fd/3), and standard output and error by whatever name, goes on
// from where it is: a rename would take from it what the command wrote. And a file
// that may be written to where no other may be made is rewritten.
//
// Errors do not name the path, which the caller knows.
func Place(path string, write func(io.Writer) error) error {
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	to := follow(path)
	if to.fd >= 0 {
		return resume(to.fd, text.Bytes())
	}
	info, err := os.Stat(to.path)
	switch {
	case err != nil:
		info = nil // a new file, or creating it says why not
	case info.IsDir():
		return errors.New("is a directory")
	case !info.Mode().IsRegular():
		return pour(to.path, text.Bytes())
	case to.foreign:
		return rewrite(to.path, os.O_APPEND, text.Bytes())
	}
	if fd, ok := standing(info); ok {
		return resume(fd, text.Bytes())
	}
	return replace(to.path, info, text.Bytes())
}

// replace writes a file beside path and renames it. old is what is there, or nil.
func replace(path string, old fs.FileInfo, text []byte) error {
	f, err := beside(path)
	if err != nil {
		return inPlace(path, old, text, err)
	}
	discard := func() { _ = os.Remove(f.Name()) } // the error before counts
	if old != nil {
		if err := resemble(f, old); err != nil {
			_ = f.Close() // nothing is in it
			discard()
			return inPlace(path, old, text, err)
		}
	}
	_, err = f.Write(text)
	// Synced because a file system may put the rename on its disk before the
	// contents: after a crash there would be an empty file, and the old one gone.
	if err := first(err, f.Sync(), f.Close()); err != nil {
		discard()
		return cause(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		// Something is mounted there, or the folder is sticky and the file another's.
		discard()
		return inPlace(path, old, text, err)
	}
	return nil
}

// beside makes a new file in path's folder, with a name that is short, hidden and
// nobody else's, on another host neither.
func beside(path string) (*os.File, error) {
	var unique [8]byte
	_, _ = rand.Read(unique[:]) // never fails: crypto/rand
	name := ".greenagent-" + hex.EncodeToString(unique[:])
	// Not os.CreateTemp, whose files are their owner's alone whatever the umask.
	return os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// resemble gives a file the owner and the mode of another.
func resemble(f *os.File, old fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	now, okNow := info.Sys().(*syscall.Stat_t)
	was, okWas := old.Sys().(*syscall.Stat_t)
	if okNow && okWas && (now.Uid != was.Uid || now.Gid != was.Gid) {
		if err := f.Chown(int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(old.Mode().Perm())
}

// inPlace rewrites a file that could not be replaced because of an error; without
// one, the error stands.
func inPlace(path string, old fs.FileInfo, text []byte, because error) error {
	if old == nil {
		return cause(because)
	}
	return rewrite(path, os.O_TRUNC, text)
}

func rewrite(path string, flag int, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|flag, 0)
	if err != nil {
		return cause(err)
	}
	_, err = f.Write(text)
	return cause(first(err, f.Close()))
}

// coming is how long a pipe's reader may take to open it: more than it needs where
// it does its part, and less than anybody waits for a job to end.
const coming = 500 * time.Millisecond

// pour writes to what is no regular file.
func pour(path string, text []byte) error {
	// Opening a pipe that nobody reads would wait for good, fifo(7): try instead.
	deadline := time.Now().Add(coming)
	open := func() (*os.File, error) {
		return os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	}
	f, err := open()
	for errors.Is(err, syscall.ENXIO) && time.Now().Before(deadline) {
		time.Sleep(coming / 100)
		f, err = open()
	}
	if errors.Is(err, syscall.ENXIO) {
		return errors.New("nobody reads from it")
	}
	if err != nil {
		return cause(err)
	}
	defer f.Close()
	s, err := NewStream(f)
	if err != nil {
		return cause(err)
	}
	_, err = s.Write(text)
	return cause(first(err, s.Close()))
}

// first returns the first of some errors: those after it follow from it.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cause strips the name from an error: the user knows the path, and never saw that
// of the file beside it.
func cause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}
