package runfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"greenagent/carbon"
	"greenagent/exporter/runfile"
)

func TestWriteFileReplacesWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.json")
	if err := os.WriteFile(path, []byte(strings.Repeat("old ", 10000)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := render(runfile.Site{PUE: carbon.AssumedPUE()})
	if err := runfile.WriteFile(path, r); err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := runfile.Encode(&want, r); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("read back %d bytes (%v), want %d", len(got), err, want.Len())
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteFileWritesThroughALink(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.json"), filepath.Join(dir, "link.json")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if err := runfile.WriteFile(link, render(runfile.Site{PUE: carbon.AssumedPUE()})); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info.Mode(), err)
	}
	if info, err := os.Stat(target); err != nil || info.Size() == 0 {
		t.Errorf("nothing in the link's target: %v", err)
	}
}

func TestWriteFileToAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		text, _ := os.ReadFile(path)
		read <- text
	}()
	if err := runfile.WriteFile(path, render(runfile.Site{PUE: carbon.AssumedPUE()})); err != nil {
		t.Fatal(err)
	}
	if text := <-read; !bytes.Contains(text, []byte(runfile.Schema)) {
		t.Errorf("through the pipe came %q", text)
	}
}

// TestWriteFileDoesNotWait: a pipe that nobody reads, or not to its end, is given up.
func TestWriteFileDoesNotWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := runfile.WriteFile(path, runfile.Run{}); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("without a reader: %v", err)
	}
	reader, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	big := runfile.Run{Name: strings.Repeat("a", 1<<20)} // more than a pipe holds
	if err := runfile.WriteFile(path, big); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a reader that does not read: %v", err)
	}
}

func TestWriteFileSaysWhy(t *testing.T) {
	dir := t.TempDir()
	for path, why := range map[string]string{
		dir:                                  "is a directory",
		filepath.Join(dir, "none", "r.json"): "no such file or directory",
	} {
		err := runfile.WriteFile(path, render(runfile.Site{PUE: carbon.AssumedPUE()}))
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), path+":") {
			t.Errorf("%s: %v, want the path and %q", path, err, why)
		}
	}
}
