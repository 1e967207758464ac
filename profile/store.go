package profile

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Store keeps profiles below a state directory, each in a file of its own,
// gpus/<UUID>.json. Several processes may use one at a time: a profile appears
// whole or not at all, and of two written at once the later stays, which costs no
// more than that something is learnt again.
//
// The directory need not exist, nor be writable: then nothing is known, and Save
// fails.
type Store struct{ dir string }

// ErrAbsent is of a GPU of which nothing is known under this driver.
var ErrAbsent = errors.New("no profile")

// Open returns the store below a state directory. Nothing is read or made yet. With
// "" it has nothing and keeps nothing.
func Open(stateDir string) Store {
	if stateDir == "" {
		return Store{}
	}
	return Store{filepath.Join(stateDir, "gpus")}
}

// Path returns where the profile of a GPU is kept, "" if nowhere.
func (s Store) Path(uuid string) string {
	if s.dir == "" || !plain(uuid) {
		return ""
	}
	return filepath.Join(s.dir, uuid+suffix)
}

const suffix = ".json"

// Load reads the profile of a GPU under a driver. Its errors are ErrAbsent, also
// where there is one of another driver, ErrInvalid, and those of package os.
func (s Store) Load(uuid, driver string) (Profile, error) {
	path := s.Path(uuid)
	if path == "" {
		return Profile{}, fmt.Errorf("GPU %.96q: %w", uuid, ErrAbsent)
	}
	p, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Profile{}, fmt.Errorf("%s: %w", path, ErrAbsent)
	case err != nil:
		return Profile{}, err
	case p.UUID != uuid:
		return Profile{}, fmt.Errorf("%s: %w: it is of %s", path, ErrInvalid, p.UUID)
	case p.Driver != driver:
		return Profile{}, fmt.Errorf("%s: %w of driver %q, only of %q", path, ErrAbsent, driver, p.Driver)
	}
	return p, nil
}

func read(path string) (Profile, error) {
	// Without waiting for somebody to write, if it is a pipe.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Profile{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return Profile{}, fmt.Errorf("%s: %w: no regular file", path, ErrInvalid)
	}
	p, err := Decode(f)
	if err != nil {
		return Profile{}, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// All returns every profile that can be read, by UUID. The error says which cannot.
func (s Store) All() ([]Profile, error) {
	if s.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	failed := err
	var all []Profile
	for _, e := range entries {
		if uuid, ok := strings.CutSuffix(e.Name(), suffix); !ok || !plain(uuid) {
			continue
		}
		p, err := read(filepath.Join(s.dir, e.Name()))
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b Profile) int { return cmp.Compare(a.UUID, b.UUID) })
	return all, failed
}

// Save writes a profile in the place of an older one. It waits for the disk.
func (s Store) Save(p Profile) error { return s.save(p, true) }

// Jot writes a profile without waiting for the disk: if the machine goes down now,
// the profile may be lost, and the one before it with it.
func (s Store) Jot(p Profile) error { return s.save(p, false) }

func (s Store) save(p Profile, sync bool) (err error) {
	path := s.Path(p.UUID)
	if path == "" {
		return fmt.Errorf("GPU %.96q: %w: there is no place for it", p.UUID, ErrAbsent)
	}
	if err := p.check(); err != nil {
		return fmt.Errorf("GPU %s: %w: %w", p.UUID, ErrInvalid, err)
	}
	var text bytes.Buffer
	if err := Encode(&text, p); err != nil {
		return err
	}
	// Whatever the umask, for nobody else to write to.
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	f, err := s.beside()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the error before counts
		}
	}()
	_, err = f.Write(text.Bytes())
	if err == nil && sync {
		err = f.Sync()
	}
	if err := cmp.Or(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

const (
	// unfinished begins the names of files that are being written, and abandoned is
	// after how long one is taken for a dead process's.
	unfinished = ".new-"
	abandoned  = time.Hour
)

// beside makes a new file in the store, and removes what processes have left there
// that ended in the middle of it.
func (s Store) beside() (*os.File, error) {
	if entries, err := os.ReadDir(s.dir); err == nil {
		for _, e := range entries {
			if !strings.HasPrefix(e.Name(), unfinished) {
				continue
			}
			if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandoned {
				_ = os.Remove(filepath.Join(s.dir, e.Name())) // the next one will try, too
			}
		}
	}
	var unique [8]byte
	_, _ = rand.Read(unique[:]) // never fails: crypto/rand
	return os.OpenFile(filepath.Join(s.dir, unfinished+hex.EncodeToString(unique[:])), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
}
