//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"greenagent/exporter/runfile"
)

// keyboard is what a person types and sees, with an interactive shell on the other
// side.
type keyboard struct {
	t      *testing.T
	folder string
	shell  *exec.Cmd
	master *os.File

	mu   sync.Mutex
	text string
	from int // what expect has not consumed yet
}

const (
	interrupt = "\x03"
	suspend   = "\x1a"
)

// interactive opens a shell with job control, in a folder of its own.
func interactive(t *testing.T) *keyboard {
	t.Helper()
	args := []string{"bash", "--norc", "--noprofile", "--noediting", "-i"}
	if _, err := exec.LookPath("bash"); err != nil {
		args = []string{"sh", "-im"}
	}
	k := &keyboard{t: t, folder: t.TempDir(), shell: exec.Command(args[0], args[1:]...)}
	k.shell.Dir = k.folder
	k.shell.Env = append(os.Environ(), "PS1=$ ", "TERM=dumb", "HISTFILE=")
	var err error
	if k.master, err = pty.StartWithSize(k.shell, &pty.Winsize{Rows: 24, Cols: 250}); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		buffer := make([]byte, 4096)
		for {
			n, err := k.master.Read(buffer)
			k.mu.Lock()
			k.text += string(buffer[:n])
			k.mu.Unlock()
			if err != nil { // EIO once the last process has closed the other side
				return
			}
		}
	}()
	t.Cleanup(func() {
		// Whatever the shell has left, in any process group, has its session.
		session := strconv.Itoa(k.shell.Process.Pid)
		files, _ := filepath.Glob("/proc/[0-9]*/stat")
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])); len(fields) > 3 && fields[3] == session {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		_ = k.shell.Process.Kill()
		_ = k.shell.Wait()
		<-gone
		k.master.Close()
		if t.Failed() {
			t.Logf("the terminal showed:\n%s", k.text)
		}
	})
	k.expect(`\$ `)
	return k
}

func (k *keyboard) press(keys string) {
	k.t.Helper()
	if _, err := k.master.WriteString(keys); err != nil {
		k.t.Fatal(err)
	}
}

// expect waits for a match of pattern after the one before, and returns its first
// group.
func (k *keyboard) expect(pattern string) string {
	k.t.Helper()
	re := regexp.MustCompile(pattern)
	var found string
	eventually(k.t, "the terminal shows "+pattern, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		at := re.FindStringSubmatchIndex(k.text[k.from:])
		if at == nil {
			return false
		}
		if len(at) > 2 {
			found = k.text[k.from+at[2] : k.from+at[3]]
		}
		k.from += at[1]
		return true
	})
	return found
}

func (k *keyboard) shown() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text
}

// pid waits for "NAME=pid" on the terminal.
func (k *keyboard) pid(name string) int {
	k.t.Helper()
	pid, err := strconv.Atoi(k.expect(name + `=(\d+)\r`))
	if err != nil {
		k.t.Fatal(err)
	}
	return pid
}

// state returns the state letter of a process, "" if there is none.
func state(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	return string(text[bytes.LastIndexByte(text, ')')+2])
}

// gone says whether a process has ended, reaped or not: the first process of a
// container may be one that reaps nobody.
func gone(pid int) bool { s := state(pid); return s == "" || s == "Z" }

func (k *keyboard) record(name string) runfile.Run {
	k.t.Helper()
	var r runfile.Run
	text, err := os.ReadFile(filepath.Join(k.folder, name))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		k.t.Fatal(err)
	}
	return r
}

// TestJobControl: stopped by Ctrl-Z, continued by fg, ended by Ctrl-C, as the bare
// command would be; and measured.
func TestJobControl(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("greenagent run --json run.json -- sh -c 'echo agent=$PPID; echo child=$$; exec sleep 60'\n")
	agent, child := k.pid("agent"), k.pid("child")
	both := func(letters string) func() bool {
		return func() bool {
			a, c := state(agent), state(child)
			return a != "" && c != "" && strings.Contains(letters, a) && strings.Contains(letters, c)
		}
	}
	for range 2 {
		k.press(suspend)
		k.expect(`Stopped`)
		k.expect(`\$ `)
		eventually(t, "both are stopped", both("T"))
		k.press("fg\n")
		eventually(t, "both run", both("SR"))
	}
	k.press(interrupt)
	k.expect(`killed by SIGINT, exit 130`)
	k.expect(`Energy +`)
	k.press("echo status=$?\n")
	if status := k.expect(`status=(\d+)\r`); status != "130" {
		t.Errorf("status %s, want 130", status)
	}
	if r := k.record("run.json"); r.Exit.Code != 130 || r.Exit.Signal == nil || *r.Exit.Signal != "SIGINT" {
		t.Errorf("the record says %+v", r.Exit)
	}
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
}

// TestInterruptEndsTheLoop: Ctrl-C ends a loop around greenagent, and each run it
// ends is reported.
func TestInterruptEndsTheLoop(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("for i in 1 2 3; do greenagent run --json $i.json -- sh -c 'echo child=$$; exec sleep 60'; done; echo af''ter\n")
	k.pid("child")
	k.press(interrupt)
	k.press("echo status=$?\n")
	if status := k.expect(`status=(\d+)\r`); status != "130" {
		t.Errorf("status %s, want 130", status)
	}
	if k.record("1.json").Exit.Code != 130 {
		t.Error("no record of the run that was ended")
	}
	if _, err := os.Stat(filepath.Join(k.folder, "2.json")); err == nil || strings.Contains(k.shown(), "after") {
		t.Error("the loop went on")
	}
}

// TestCommandHandlesInterrupt: its own status counts, and the loop goes on.
func TestCommandHandlesInterrupt(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("for i in 1 2; do greenagent run --json $i.json -- sh -c 'trap \"echo sa\"\"ved; exit 4\" INT; echo child=$$; while :; do sleep 0.02; done'; done; echo status=$?\n")
	for range 2 {
		k.pid("child")
		k.press(interrupt)
		k.expect(`saved\r`)
		k.expect(`Energy +`)
	}
	if status := k.expect(`status=(\d+)\r`); status != "4" {
		t.Errorf("status %s, want 4", status)
	}
	for _, name := range []string{"1.json", "2.json"} {
		if r := k.record(name); r.Exit.Code != 4 || r.Exit.Signal != nil {
			t.Errorf("%s says %+v", name, r.Exit)
		}
	}
}

// TestPipeline: a reader that leaves ends the command as it would without
// greenagent, and breaks neither report nor record.
func TestPipeline(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("greenagent run --json yes.json -- yes | head -1; echo \"status=${PIPESTATUS[*]}\"\n")
	k.expect(`\ny\r`)
	k.expect(`killed by SIGPIPE, exit 141`)
	if status := k.expect(`status=([\d ]+)\r`); status != "141 0" {
		t.Errorf("status %s, want 141 0", status)
	}
	if k.record("yes.json").Exit.Code != 141 {
		t.Error("the record has another status")
	}

	// The record itself goes into a pipe that nobody reads: it is kept elsewhere.
	k.press("export TMPDIR=$PWD; greenagent run --quiet --run-id kept --json - -- sleep 0.3 | true; echo \"status=${PIPESTATUS[*]}\"\n")
	k.expect(`standard output: .*broken pipe; the record is in .*greenagent-kept`)
	if status := k.expect(`status=([\d ]+)\r`); status != "0 0" {
		t.Errorf("status %s, want 0 0", status)
	}
	if kept, _ := filepath.Glob(filepath.Join(k.folder, "greenagent-kept-*.json")); len(kept) != 1 {
		t.Errorf("records kept: %q", kept)
	}
}

// TestTerminalIsTheCommands: with greenagent before it a program still finds a
// terminal, its size, and what is typed; the report holds nothing but text.
func TestTerminalIsTheCommands(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("greenagent run -- sh -c 'test -t 0 && test -t 1 && test -t 2 && stty size; read word; echo got=$word'\n")
	k.expect(`24 250\r`)
	k.press("typed\n")
	k.expect(`got=typed\r`)
	k.expect(`Energy `)
	k.press("echo status=$?\n")
	k.expect(`status=0\r`)
	if at := unprintable(strings.ReplaceAll(k.shown(), "\r", "")); at >= 0 {
		t.Errorf("the terminal got %q", k.shown()[max(0, at-20):])
	}
}

// TestHangup: when the terminal goes, the command goes, and its record is written.
func TestHangup(t *testing.T) {
	t.Parallel()
	k := interactive(t)
	k.press("greenagent run --json run.json -- sh -c 'echo agent=$PPID; echo child=$$; exec sleep 60'\n")
	agent, child := k.pid("agent"), k.pid("child")
	if err := k.shell.Process.Signal(unix.SIGHUP); err != nil { // as a terminal's end has it
		t.Fatal(err)
	}
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
	if r := k.record("run.json"); r.Exit.Code != 129 {
		t.Errorf("the record says %+v", r.Exit)
	}
}
