//go:build linux

package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestUnlessAsked: a report that is stuck is left behind once somebody asks for the
// end, and one that is not is waited for.
func TestUnlessAsked(t *testing.T) {
	stuck, left := make(chan struct{}), make(chan struct{})
	unlessAsked(func() {
		defer close(left)
		if err := unix.Kill(os.Getpid(), unix.SIGTERM); err != nil {
			t.Error(err)
		}
		<-stuck
	})
	close(stuck)
	<-left
	for _, sig := range []unix.Signal{0, unix.SIGTERM, unix.SIGINT} {
		done := false
		unlessAsked(func() {
			if err := unix.Kill(os.Getpid(), sig); err != nil {
				t.Error(err)
			}
			time.Sleep(grace / 50)
			done = true
		})
		if !done {
			t.Errorf("after signal %d, what was nearly done was not waited for", sig)
		}
	}
}

// TestNobodyReads: pipes that are full end neither in waiting for good nor in the
// loss of the record.
func TestNobodyReads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		flags  []string
		record string // pattern of where it is
	}{
		"report": {[]string{"--json", "run.json"}, "run.json"},
		"record": {[]string{"--quiet", "--run-id", "stuck", "--json", "-"}, "greenagent-stuck-*.json"},
		"both":   {[]string{"--run-id", "stuck", "--json", "-"}, "greenagent-stuck-*.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ends [2]int
			if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			reader, full := os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "full")
			defer reader.Close()
			defer full.Close()
			fill(t, ends[1])
			cmd := command(t, append(append([]string{"greenagent", "run"}, c.flags...), "--", "sh", "-c", "exit 3")...)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "TMPDIR="+cmd.Dir)
			cmd.Stdout, cmd.Stderr = full, full
			if e := finish(t, cmd); e.status != 3 {
				t.Errorf("status %d, want 3", e.status)
			}
			found, err := filepath.Glob(filepath.Join(cmd.Dir, c.record))
			if err != nil || len(found) != 1 {
				t.Fatalf("records: %q (%v)", found, err)
			}
			if text, err := os.ReadFile(found[0]); err != nil || !bytes.HasSuffix(text, []byte("}\n")) {
				t.Errorf("the record ends in %q (%v)", text[max(0, len(text)-10):], err)
			}
		})
	}
}

// fill fills a pipe, and leaves it blocking.
func fill(t *testing.T, fd int) {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		_, err = unix.Write(fd, make([]byte, 4096))
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// TestReportFromTheBackground: a terminal that stops who writes from the background
// does not stop greenagent, nor with it what else is in its group.
func TestReportFromTheBackground(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("stty tostop; greenagent run --json run.json -- sh -c 'exit 3' & wait $!; echo status=$?\n")
	if status := k.expect(`status=(\d+)\r`); status != "3" {
		t.Errorf("status %s, want 3", status)
	}
	if !strings.Contains(k.shown(), "Energy ") {
		t.Error("no report")
	}
	if r := k.record("run.json"); r.Exit.Code != 3 {
		t.Errorf("the record says %+v", r.Exit)
	}
}
