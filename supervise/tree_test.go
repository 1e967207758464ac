//go:build linux

package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// forest writes a /proc of nothing but children files: pid/tid to their text.
func forest(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for task, text := range files {
		pid, tid, _ := strings.Cut(task, "/")
		write(t, filepath.Join(root, pid, "task", tid, "children"), text, 0o644)
	}
	return root
}

func TestDescendantsOf(t *testing.T) {
	root := forest(t, map[string]string{
		"1/1": "10 11 ", "1/2": "12 ", // a child of a second thread
		"10/10": "20 ", "11/11": "", "20/20": "30 10 1 ", // a loop, as when pids were reused
		"12/12": "99 junk -4 0 20 ", // 99 has ended; 20 was seen below another parent
	})
	got, err := descendants([]int{7}, root, 1, nil)
	if want := []int{7, 10, 11, 12, 20, 99, 30}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	got, err = descendants(nil, root, 1, map[int]bool{10: true})
	if want := []int{11, 12, 99, 20, 30}; err != nil || !slices.Equal(got, want) {
		t.Errorf("without 10: got %v, %v; want %v", got, err, want)
	}
	if _, err := descendants(nil, root, 2, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such process: %v", err)
	}
	// A kernel without CONFIG_PROC_CHILDREN has the directory, not the file.
	if err := os.MkdirAll(filepath.Join(root, "3", "task", "3"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := descendants(nil, root, 3, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no children file: %v", err)
	}
}

func TestReadStatOfOurselves(t *testing.T) {
	s, err := readStat(proc, os.Getpid())
	if err != nil || s.started == 0 || s.started > now() {
		t.Errorf("got %+v, %v at %d", s, err, now())
	}
	if _, err := readStat(t.TempDir(), 1); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such process: %v", err)
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("cat", 5, 34816, 7, uint32(9000))
	f.Add("a) R 1 (b", -1, 0, -1, uint32(0))
	f.Add("\xff\n) S", 1<<22, 1, 1<<22, uint32(1<<31))
	f.Fuzz(func(t *testing.T, name string, group, terminal, foreground int, started uint32) {
		text := fmt.Sprintf("4711 (%s) S 1 %d 3 %d %d%s %d 0 0\n", name, group, terminal, foreground,
			strings.Repeat(" 0", 13), started)
		want := stat{name, 'S', group, terminal, foreground, ticks(started)}
		if s, err := parseStat([]byte(text)); err != nil || s != want {
			t.Errorf("%q: got %+v, %v; want %+v", text, s, err, want)
		}
		// Cut anywhere before the last field, or given a hostile text: an error
		// or a value, never a panic.
		_, _ = parseStat([]byte(name))
		if i := strings.LastIndex(text, ")"); i > 0 {
			if _, err := parseStat([]byte(text[:i+10])); err == nil {
				t.Errorf("%q: cut and yet no error", text)
			}
		}
	})
}
