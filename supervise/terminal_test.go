//go:build linux

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is what a person sees and types, with a program on the other side.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	keys *os.File
	gone chan struct{}

	mu   sync.Mutex
	text string
	from int // what expect has not consumed yet
}

// open runs cmd as the leader of a session on a new terminal.
func open(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 250})
	if err != nil {
		t.Fatal(err)
	}
	// Non-blocking, so that Close ends a Read and the terminal hangs up.
	fd, err := unix.FcntlInt(master.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err == nil {
		err = unix.SetNonblock(fd, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	master.Close()
	keys := os.NewFile(uintptr(fd), "terminal")
	tm := &terminal{t: t, cmd: cmd, keys: keys, gone: make(chan struct{})}
	go func() {
		defer close(tm.gone)
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			tm.mu.Lock()
			tm.text += string(buf[:n])
			tm.mu.Unlock()
			if err != nil { // EIO once the last process has closed the other side
				return
			}
		}
	}()
	t.Cleanup(func() {
		tm.killSession()
		_ = cmd.Wait()
		<-tm.gone
		keys.Close()
		if t.Failed() {
			t.Logf("the terminal showed:\n%s", tm.text)
		}
	})
	return tm
}

// killSession kills what the shell has left, in any process group.
func (tm *terminal) killSession() {
	list, _ := descendants(nil, proc, tm.cmd.Process.Pid, nil)
	for _, pid := range append(list, tm.cmd.Process.Pid) {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

func (tm *terminal) press(keys string) {
	tm.t.Helper()
	if _, err := tm.keys.WriteString(keys); err != nil {
		tm.t.Fatal(err)
	}
}

// expect waits for a match of pattern after the one before, and returns its
// first group.
func (tm *terminal) expect(pattern string) string {
	tm.t.Helper()
	re := regexp.MustCompile(pattern)
	var found string
	eventually(tm.t, "the terminal shows "+pattern, func() bool {
		tm.mu.Lock()
		defer tm.mu.Unlock()
		at := re.FindStringSubmatchIndex(tm.text[tm.from:])
		if at == nil {
			return false
		}
		if len(at) > 2 {
			found = tm.text[tm.from+at[2] : tm.from+at[3]]
		}
		tm.from += at[1]
		return true
	})
	return found
}

func (tm *terminal) shown() string {
	tm.mu.Lock()
	defer tm.mu.Unlock()
	return tm.text
}

// interactive opens an interactive bash, in which $G is this package's run and
// $COUNT the program that prints its signals.
func interactive(t *testing.T) *terminal {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("job control is tested with bash: ", err)
	}
	cmd := exec.Command(bash, "--norc", "--noprofile", "--noediting", "-i")
	cmd.Env = append(os.Environ(), "PS1=$ ", "TERM=dumb", "HISTFILE=",
		"G=env "+role+"=run "+self(t), "COUNT="+strings.Join(counting(t), " "))
	tm := open(t, cmd)
	tm.expect(`\$ `)
	return tm
}

const (
	interrupt = "\x03"
	quit      = "\x1c"
	suspend   = "\x1a"
	endInput  = "\x04"
)

func inState(pid int, letters string) func() bool {
	return func() bool { s := state(pid); return s != "" && strings.Contains(letters, s) }
}

// gone says whether a process has ended, reaped or not: the first process of a
// container may be one that reaps nobody.
func gone(pid int) bool { s := state(pid); return s == "" || s == "Z" }

// pidOf reads the pid in the line "NAME=pid" that the command on the terminal
// prints.
func (tm *terminal) pidOf(name string) int {
	tm.t.Helper()
	var pid int
	if _, err := fmt.Sscan(tm.expect(name+`=(\d+)\r`), &pid); err != nil {
		tm.t.Fatal(err)
	}
	return pid
}

// sleeper prints the pids of greenagent and of the command, which sleeps.
const sleeper = `sh -c 'echo parent=$PPID; echo child=$$; exec sleep 60'`

func TestJobControl(t *testing.T) {
	tm := interactive(t)
	tm.press("$G " + sleeper + "\n")
	agent, child := tm.pidOf("parent"), tm.pidOf("child")

	for range 2 {
		tm.press(suspend)
		tm.expect(`Stopped`)
		tm.expect(`\$ `)
		eventually(t, "both are stopped", func() bool { return inState(agent, "T")() && inState(child, "T")() })
		tm.press("fg\n")
		eventually(t, "both run", func() bool { return inState(agent, "SR")() && inState(child, "SR")() })
	}
	tm.press(suspend)
	tm.expect(`Stopped`)
	tm.press("jobs\n")
	tm.expect(`\[1\]\+ +Stopped`)
	tm.press("bg\n")
	eventually(t, "both run", func() bool { return inState(agent, "SR")() && inState(child, "SR")() })
	tm.press("jobs\n")
	tm.expect(`\[1\]\+ +Running`)
	tm.press("fg\n")
	eventually(t, "the shell has handed over the terminal", func() bool {
		s, err := readStat(proc, agent)
		return err == nil && s.group == s.foreground
	})
	tm.press(interrupt)
	tm.press("echo status=$?\n")
	if status := tm.expect(`status=(\d+)\r`); status != "130" {
		t.Errorf("status %s, want 130", status)
	}
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
}

// TestInterruptEndsTheLoop: the shell sees greenagent die of SIGINT.
func TestInterruptEndsTheLoop(t *testing.T) {
	tm := interactive(t)
	for _, loop := range []string{
		"for i in 1 2 3; do $G " + sleeper + "; done; echo af''ter\n",
		`bash -c 'for i in 1 2 3; do $G sh -c "echo child=\$\$; exec sleep 60"; done; echo af""ter'` + "\n",
	} {
		tm.press(loop)
		tm.pidOf("child")
		tm.press(interrupt)
		tm.press("echo status=$?\n")
		if status := tm.expect(`status=(\d+)\r`); status != "130" {
			t.Errorf("status %s, want 130", status)
		}
	}
	if n := len(regexp.MustCompile(`child=\d+\r`).FindAllString(tm.shown(), -1)); n != 2 || strings.Contains(tm.shown(), "after") {
		t.Errorf("%d commands ran in 2 loops, or a loop went on", n)
	}
}

// TestCommandThatHandlesInterrupt: it gets the keyboard's signal once, goes on,
// and its own status counts, so the loop goes on too.
func TestCommandThatHandlesInterrupt(t *testing.T) {
	tm := interactive(t)
	tm.press("for i in 1 2; do $G $COUNT; done; echo status=$?\n")
	for range 2 {
		tm.expect(`ready \d+\r`)
		tm.press(interrupt)
		tm.expect(`SIGINT 2\r`)
		tm.press(quit)
		tm.expect(`SIGQUIT 3\r`)
		tm.press(endInput)
	}
	tm.expect(`status=0\r`)
	if text := tm.shown(); strings.Count(text, "SIGINT 2\r") != 2 || strings.Count(text, "SIGQUIT 3\r") != 2 {
		t.Error("a signal of the keyboard arrived more than once")
	}
}

// TestWindowSize: the terminal tells the command itself.
func TestWindowSize(t *testing.T) {
	tm := open(t, supervised(t, counting(t)...))
	tm.expect(`ready \d+\r`)
	if err := pty.Setsize(tm.keys, &pty.Winsize{Rows: 10, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	tm.expect(`SIGWINCH 28\r`)
	_ = unix.Kill(tm.cmd.Process.Pid, unix.SIGUSR1)
	tm.expect(`SIGUSR1 10\r`)
	if n := strings.Count(tm.shown(), "SIGWINCH"); n != 1 {
		t.Errorf("SIGWINCH arrived %d times", n)
	}
}

// TestDiesOfInterrupt: the status a parent sees is death by SIGINT, and only for
// the keyboard's.
func TestDiesOfInterrupt(t *testing.T) {
	tm := open(t, supervised(t, "sh", "-c", "echo ready; exec sleep 60"))
	tm.expect(`ready\r`)
	tm.press(interrupt)
	_ = tm.cmd.Wait()
	if end := tm.cmd.ProcessState.Sys().(syscall.WaitStatus); !end.Signaled() || end.Signal() != unix.SIGINT {
		t.Errorf("ended with %v, want death by SIGINT", end)
	}

	tm = open(t, supervised(t, "sh", "-c", "echo ready; kill -INT $$"))
	tm.expect(`ready\r`)
	_ = tm.cmd.Wait()
	if end := tm.cmd.ProcessState.Sys().(syscall.WaitStatus); end.ExitStatus() != 130 {
		t.Errorf("ended with %v, want status 130", end)
	}
}

// TestInterruptForAnotherGroup: a command that has left our group does not hear
// the keyboard, as with timeout(1).
func TestInterruptForAnotherGroup(t *testing.T) {
	tm := open(t, supervised(t, append([]string{"setsid"}, counting(t)...)...))
	tm.expect(`ready \d+\r`)
	tm.press(interrupt)
	tm.expect(`SIGINT 2\r`)
	tm.press(quit)
	tm.expect(`SIGQUIT 3\r`)
	if n := strings.Count(tm.shown(), "SIGINT 2"); n != 1 {
		t.Errorf("SIGINT arrived %d times", n)
	}
}

// TestBackgroundInterrupt: sent to a job in the background, SIGINT is passed on.
func TestBackgroundInterrupt(t *testing.T) {
	tm := interactive(t)
	tm.press("$G sh -c \"echo parent=\\$PPID; exec $COUNT\" < <(sleep 60) &\n")
	agent := tm.pidOf("parent")
	tm.expect(`ready \d+\r`)
	_ = unix.Kill(agent, unix.SIGINT)
	tm.expect(`SIGINT 2\r`)
	_ = unix.Kill(agent, unix.SIGUSR1)
	tm.expect(`SIGUSR1 10\r`)
	if n := strings.Count(tm.shown(), "SIGINT 2"); n != 1 {
		t.Errorf("SIGINT arrived %d times", n)
	}
}

// TestBackgroundRead: the terminal stops a job that reads in the background.
func TestBackgroundRead(t *testing.T) {
	tm := interactive(t)
	tm.press("$G sh -c 'echo parent=$PPID; read x; echo got=$x; exit 5' &\n")
	agent := tm.pidOf("parent")
	eventually(t, "the job is stopped", inState(agent, "T"))
	// The shell hears of it when the last of greenagent's threads has stopped, and
	// until then says that it runs.
	eventually(t, "the shell knows", func() bool {
		tm.press("jobs\n")
		time.Sleep(50 * time.Millisecond)
		return strings.Contains(tm.shown(), "Stopped")
	})
	tm.press("fg\n")
	tm.expect(`exit 5`)
	eventually(t, "it runs", inState(agent, "SR"))
	tm.press("word\n")
	tm.expect(`got=word\r`)
	tm.press("echo status=$?\n")
	if status := tm.expect(`status=(\d+)\r`); status != "5" {
		t.Errorf("status %s, want 5", status)
	}
}

// TestStopOfOneProcess: a stop and a continuation sent to greenagent alone mean
// the command too.
func TestStopOfOneProcess(t *testing.T) {
	tm := interactive(t)
	tm.press("$G " + sleeper + "\n")
	agent, child := tm.pidOf("parent"), tm.pidOf("child")
	_ = unix.Kill(agent, unix.SIGTSTP)
	tm.expect(`Stopped`)
	eventually(t, "both are stopped", func() bool { return inState(agent, "T")() && inState(child, "T")() })
	_ = unix.Kill(agent, unix.SIGCONT)
	eventually(t, "both run", func() bool { return inState(agent, "SR")() && inState(child, "SR")() })
	_ = unix.Kill(child, unix.SIGSTOP) // greenagent is not told
	_ = unix.Kill(agent, unix.SIGCONT)
	eventually(t, "the command runs", inState(child, "SR"))
}

// TestPipeline: neither output nor job control suffers in the company of others.
func TestPipeline(t *testing.T) {
	tm := interactive(t)
	tm.press("$G sh -c 'echo parent=$PPID; echo child=$$; read x; echo got=$x' | cat; echo \"status=${PIPESTATUS[*]}\"\n")
	agent, child := tm.pidOf("parent"), tm.pidOf("child")
	tm.press(suspend)
	tm.expect(`Stopped`)
	eventually(t, "both are stopped", func() bool { return inState(agent, "T")() && inState(child, "T")() })
	tm.press("fg\n")
	eventually(t, "both run", func() bool { return inState(agent, "SR")() && inState(child, "SR")() })
	tm.press("word\n")
	tm.expect(`got=word\r`)
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
}

// TestInterruptDuringPipeline: Ctrl-C ends the whole pipeline, as without us.
func TestInterruptDuringPipeline(t *testing.T) {
	tm := interactive(t)
	tm.press("$G " + sleeper + " | cat\n")
	agent, child := tm.pidOf("parent"), tm.pidOf("child")
	tm.press(interrupt)
	tm.press("echo \"status=${PIPESTATUS[*]}\"\n")
	if status := tm.expect(`status=(\d+ \d+)\r`); status != "130 130" {
		t.Errorf("status %s, want 130 130", status)
	}
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
}

// TestHangup: when the terminal goes, the command goes.
func TestHangup(t *testing.T) {
	tm := interactive(t)
	tm.press("$G " + sleeper + "\n")
	agent, child := tm.pidOf("parent"), tm.pidOf("child")
	tm.keys.Close()
	eventually(t, "both are gone", func() bool { return gone(agent) && gone(child) })
}

// TestForegroundWithoutTerminal: no terminal, no foreground.
func TestForegroundWithoutTerminal(t *testing.T) {
	s, err := readStat(proc, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if s.terminal == 0 && Foreground() {
		t.Error("in the foreground of no terminal")
	}
}
