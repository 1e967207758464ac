package runfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
// it is written beside and renamed into place. Where path is no regular file (a
// pipe, /dev/stdout) it is written to directly, without waiting for long for a
// reader to come or to read on. The result is readable as any new file is, by the
// umask.
func Place(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return errors.New("is a directory")
		}
		return pour(path, write)
	}
	// A link is written through, not replaced.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	f, err := os.OpenFile(fmt.Sprintf("%s.%d.tmp", path, os.Getpid()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return cause(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := first(write(f), f.Sync(), f.Close()); err != nil {
		return cause(err)
	}
	return os.Rename(f.Name(), path)
}

const (
	// coming and reading are how long a pipe's reader may take to open it and to
	// read the record: more than it needs where it does its part, and less than
	// anybody waits for a job to end.
	coming  = 500 * time.Millisecond
	reading = 2 * time.Second
)

// pour writes to what is no regular file.
func pour(path string, write func(io.Writer) error) error {
	// Opening a pipe that nobody reads would wait for good, fifo(7): try instead.
	deadline := time.Now().Add(coming)
	f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	for errors.Is(err, syscall.ENXIO) && time.Now().Before(deadline) {
		time.Sleep(coming / 100)
		f, err = os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
	}
	if errors.Is(err, syscall.ENXIO) {
		return errors.New("nobody reads from it")
	}
	if err != nil {
		return cause(err)
	}
	_ = f.SetWriteDeadline(time.Now().Add(reading)) // what cannot make us wait has none
	return cause(first(write(f), f.Close()))
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

// cause strips the temporary name from an error: the user knows the path.
func cause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
