package runfile_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	only(t, filepath.Dir(path), "run.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file was its owner's alone, and is now %v (%v)", info.Mode(), err)
	}
}

// only checks that a folder holds these files and no others.
func only(t *testing.T, dir string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if !slices.Equal(found, names) {
		t.Errorf("the folder holds %q, want %q", found, names)
	}
}

// TestWriteFileMakesANewFile as a shell's > does: by the umask, with any name, and
// where a link says.
func TestWriteFileMakesANewFile(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if f, err := os.OpenFile(plain, os.O_CREATE|os.O_WRONLY, 0o666); err != nil {
		t.Fatal(err)
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range [][2]string{{"aim", filepath.Join(dir, "dangling")}, {"dangling", filepath.Join(dir, "relative")}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	longest := strings.Repeat("n", 255)
	for name, file := range map[string]string{longest: longest, "relative": "aim"} {
		if err := runfile.WriteFile(filepath.Join(dir, name), runfile.Run{}); err != nil {
			t.Errorf("%.10s: %v", name, err)
		}
		if info, err := os.Lstat(filepath.Join(dir, file)); err != nil || info.Mode() != want.Mode() || info.Size() == 0 {
			t.Errorf("%.10s: %v (%v), want mode %v", name, info, err, want.Mode())
		}
	}
	only(t, dir, "aim", "dangling", longest, "plain", "relative")
}

// TestWriteFileWhereNoneMayBeMade: one that may be written to is rewritten.
func TestWriteFileWhereNoneMayBeMade(t *testing.T) {
	// Nobody, root included, makes files in /proc; a process's name may be written.
	const name = "/proc/self/comm"
	before, err := os.ReadFile(name)
	if err != nil {
		t.Skip(err)
	}
	defer func() { _ = os.WriteFile(name, before, 0) }() // only a name
	if err := runfile.Place(name, func(w io.Writer) error { _, err := io.WriteString(w, "renamed"); return err }); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile(name); err != nil || string(now) != "renamed\n" {
		t.Errorf("it reads %q (%v)", now, err)
	}
	if os.Getuid() == 0 {
		return // who may write anywhere
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "run.json")
	if err := errors.Join(os.WriteFile(path, bytes.Repeat([]byte("old "), 10000), 0o600), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	if err := runfile.WriteFile(path, runfile.Run{}); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte("old")) {
		t.Errorf("%d bytes (%v)", len(text), err)
	}
	if err := runfile.WriteFile(filepath.Join(dir, "new.json"), runfile.Run{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a new file: %v", err)
	}
}

// TestPlaceGoesOnWithADescriptor: what is open already is written to from where it
// is, whatever name it has.
func TestPlaceGoesOnWithADescriptor(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("output\n"); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	number := strconv.Itoa(int(f.Fd()))
	if err := os.Symlink("/dev/fd/"+number, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/dev/fd/" + number, "/proc/self/fd/" + number, "/proc/thread-self/fd/" + number, link} {
		if err := runfile.Place(name, func(w io.Writer) error { _, err := io.WriteString(w, "more\n"); return err }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := f.WriteString("the end\n"); err != nil {
		t.Fatal(err)
	}
	const want = "output\nmore\nmore\nmore\nmore\nthe end\n"
	if text, err := os.ReadFile(path); err != nil || string(text) != want {
		t.Errorf("%q (%v), want %q", text, err, want)
	}
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, link := range [][2]string{{"a", "to-a"}, {"/dev/stdout", "out"}} {
		if err := os.Symlink(link[0], link[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("b", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Link("b", "also-b"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"a", "./a", true}, {"a", filepath.Join(dir, "a"), true}, {"a", "to-a", true}, {"b", "also-b", true},
		{"/dev/stdout", "/proc/self/fd/1", true}, {"out", "/dev/fd/1", true},
		{"a", "b", false}, {"/dev/stdout", "/dev/stderr", false}, {"out", "a", false}, {"no/a", "a", false},
	} {
		if got := runfile.Same(c.a, c.b); got != c.same {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
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
		"/proc/run.json":                     "",
	} {
		err := runfile.WriteFile(path, render(runfile.Site{PUE: carbon.AssumedPUE()}))
		if err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), path+":") || strings.Contains(err.Error(), ".greenagent-") {
			t.Errorf("%s: %v, want the path and %q", path, err, why)
		}
	}
}
