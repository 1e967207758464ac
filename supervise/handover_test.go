//go:build linux && cgo

package supervise

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// executing is the command line under a program that executes itself anew so many
// times.
func executing(t *testing.T, times int, args ...string) *exec.Cmd {
	t.Helper()
	cmd := supervised(t, args...)
	cmd.Env = append(os.Environ(), role+"=again", fmt.Sprintf("SUPERVISE_TEST_EXECS=%s %d", self(t), times))
	return cmd
}

// TestExecKeepsTheCommand: its streams, its status and its time, though the program
// above it is executed anew again and again.
func TestExecKeepsTheCommand(t *testing.T) {
	cmd := executing(t, 5, "sh", "-c", `
		read line; echo "got $line"
		(sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done' &)
		sleep 1
		exit 41`)
	cmd.Stdin = strings.NewReader("text\n")
	out, errs, status := output(t, cmd)
	if status != 41 || errs != "" || !strings.HasPrefix(out, "got text\nended 41, orphans true, started 1\n") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestExecOfWhatIsGone: the program was deleted from disk meanwhile.
func TestExecOfWhatIsGone(t *testing.T) {
	text, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	write(t, path, string(text), 0o755)
	cmd := executing(t, 2, "sh", "-c", "rm "+path+"; sleep 0.5; exit 42")
	cmd.Path = path
	cmd.Env = append(cmd.Env, "SUPERVISE_TEST_EXECS=/proc/self/exe 2")
	if out, errs, status := output(t, cmd); status != 42 || errs != "" || !strings.HasPrefix(out, "ended 42, ") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}

// TestExecAtTheEnd: a command that ends at the same time is not missed.
func TestExecAtTheEnd(t *testing.T) {
	for i := range 30 {
		cmd := executing(t, 3, "sh", "-c", fmt.Sprintf("sleep 0.0%02d; exit 7", 3*i))
		if out, errs, status := output(t, cmd); status != 7 || errs != "" || !strings.HasPrefix(out, "ended 7, ") {
			t.Errorf("status %d\n%s%s", status, out, errs)
		}
	}
}

// TestExecLosesNoSignal: each that is sent arrives, once, whatever the program above
// the command is doing at that moment.
func TestExecLosesNoSignal(t *testing.T) {
	p := launch(t, executing(t, 12, counting(t)...))
	p.ready()
	list := []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGUSR1, 40, unix.SIGUSR2, unix.SIGALRM}
	begun, sent := time.Now(), 0
	for ; time.Since(begun) < 1500*time.Millisecond; sent++ {
		sig := list[sent%len(list)]
		p.kill(p.Process.Pid, sig)
		p.expect(fmt.Sprintf("%s %d", unix.SignalName(sig), int(sig)))
	}
	t.Logf("%d signals", sent)
	p.input.Close()
	p.expect("ended 0, orphans false, started 1")
	if end := p.finish(); end.ExitStatus() != 0 {
		t.Errorf("ended with %v", end)
	}
}

// TestExecInAStorm: signals as fast as they can be sent kill nobody, and after the
// storm they still arrive.
func TestExecInAStorm(t *testing.T) {
	p := launch(t, executing(t, 8, counting(t)...))
	p.ready()
	begun := time.Now()
	for time.Since(begun) < time.Second {
		for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGUSR1, 40} {
			p.kill(p.Process.Pid, sig)
		}
		time.Sleep(50 * time.Microsecond)
	}
	arrived := map[string]int{}
	for quiet := false; !quiet; {
		select {
		case line := <-p.lines:
			arrived[line]++
		case <-time.After(500 * time.Millisecond):
			quiet = true
		}
	}
	if len(arrived) != 5 {
		t.Errorf("arrived: %v", arrived)
	}
	p.kill(p.Process.Pid, unix.SIGUSR2)
	p.expect("SIGUSR2 12")
	p.input.Close()
	p.expect("ended 0, orphans false, started 1")
}

// TestExecStops: a stop is one afterwards, too.
func TestExecStops(t *testing.T) {
	p := launch(t, executing(t, 2, counting(t)...))
	p.ready()
	time.Sleep(200 * time.Millisecond)
	p.kill(p.Process.Pid, unix.SIGTSTP)
	eventually(t, "greenagent is stopped", func() bool { return state(p.Process.Pid) == "T" })
	p.kill(p.Process.Pid, unix.SIGCONT)
	eventually(t, "greenagent goes on", func() bool { return state(p.Process.Pid) != "T" })
	p.kill(p.Process.Pid, unix.SIGUSR1)
	p.expect("SIGUSR1 10")
}

// TestExecKeepsIgnored: what was ignored from the start, as under nohup, stays so.
func TestExecKeepsIgnored(t *testing.T) {
	cmd := executing(t, 2, counting(t)...)
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP TERM; exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	p := launch(t, cmd)
	p.ready()
	for _, moment := range []time.Duration{0, 20 * time.Millisecond, 300 * time.Millisecond} {
		time.Sleep(moment)
		p.kill(p.Process.Pid, unix.SIGHUP)
		p.kill(p.Process.Pid, unix.SIGTERM)
		p.kill(p.Process.Pid, unix.SIGUSR1)
		p.expect("SIGUSR1 10")
	}
	p.input.Close()
	p.expect("ended 0, orphans false, started 1")
}

// inVain waits for the program that counts signals, and for the failure to execute
// another, whichever comes first.
func (p *program) inVain() {
	p.t.Helper()
	lines := []string{p.line(), p.line()}
	slices.Sort(lines)
	if lines[0] != "not executed: execve: no such file or directory" || !strings.HasPrefix(lines[1], "ready ") {
		p.t.Fatalf("got the lines %q", lines)
	}
}

// TestExecFails: the command is attended as before.
func TestExecFails(t *testing.T) {
	cmd := executing(t, 1, counting(t)...)
	cmd.Env = append(cmd.Env, "SUPERVISE_TEST_EXECS=/no/such/program 1")
	p := launch(t, cmd)
	p.inVain()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGUSR1, unix.SIGHUP} {
		p.kill(p.Process.Pid, sig)
		p.expect(fmt.Sprintf("%s %d", unix.SignalName(sig), int(sig)))
	}
	p.input.Close()
	p.expect("ended 0, orphans false, started 1")
}

// TestExecFailsUnderADeafThread: one that lets signals in only after the attempt.
func TestExecFailsUnderADeafThread(t *testing.T) {
	cmd := executing(t, 1, counting(t)...)
	cmd.Env = append(cmd.Env, "SUPERVISE_TEST_EXECS=/no/such/program 1", deafening+"=1")
	p := launch(t, cmd)
	p.inVain()
	time.Sleep(4 * time.Second)
	p.kill(p.Process.Pid, unix.SIGTERM)
	p.expect("SIGTERM 15")
	p.input.Close()
	p.expect("ended 0, orphans false, started 1")
	if end := p.finish(); end.ExitStatus() != 0 {
		t.Errorf("ended with %v", end)
	}
}

// TestAdoptRefusesStrangers: a state that is made up.
func TestAdoptRefusesStrangers(t *testing.T) {
	for _, pid := range []int{0, -1, 1, os.Getpid()} {
		if _, err := Adopt(State{PID: pid}, &counter{}); err == nil {
			t.Errorf("adopted %d", pid)
		}
	}
}
