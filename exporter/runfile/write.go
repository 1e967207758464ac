package runfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Encode writes the record as indented JSON.
func Encode(w io.Writer, r Run) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteFile writes the record to a file. The file appears whole or not at all:
// it is written beside and renamed into place. Where path is no regular file (a
// pipe, /dev/stdout) it is written to directly. The result is readable as any
// new file is, by the umask.
func WriteFile(path string, r Run) error {
	if err := writeFile(path, r); err != nil {
		return fmt.Errorf("run file %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, r Run) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		if info.IsDir() {
			return errors.New("is a directory")
		}
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return cause(err)
		}
		return errors.Join(Encode(f, r), f.Close())
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
	if err := errors.Join(Encode(f, r), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// cause strips the temporary name from an error: the user knows the path.
func cause(err error) error {
	if p := (*os.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	return err
}
