//go:build linux

package supervise

import (
	"fmt"
	"os"
	"os/signal"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEachSignalOnce: what is sent to greenagent alone reaches the command once.
func TestEachSignalOnce(t *testing.T) {
	p := launch(t, supervised(t, counting(t)...))
	p.ready()
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGTERM, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT,
		unix.SIGUSR1, unix.SIGWINCH, unix.SIGALRM, 40, unix.SIGUSR2} {
		// The next line would be the duplicate of the one before, were there any.
		p.kill(p.Process.Pid, sig)
		p.expect(unix.SignalName(sig) + " " + itoa(uintptr(sig)))
	}
	if end := p.finish(); end.ExitStatus() != 0 {
		t.Errorf("ended with %v", end)
	}
}

// TestGroupSignal: sent to the whole group a signal arrives, perhaps twice, as
// the ADR admits.
func TestGroupSignal(t *testing.T) {
	p := launch(t, supervised(t, counting(t)...))
	p.ready()
	p.kill(-p.Process.Pid, unix.SIGTERM)
	p.expect("SIGTERM 15")
	p.kill(p.Process.Pid, unix.SIGUSR1)
	if line := p.line(); line == "SIGTERM 15" {
		p.expect("SIGUSR1 10")
	} else if line != "SIGUSR1 10" {
		t.Errorf("got %q", line)
	}
}

// TestNeighboursAreSpared: others in our process group, as in a pipeline, get
// nothing from us.
func TestNeighboursAreSpared(t *testing.T) {
	p := launch(t, supervised(t, counting(t)...))
	p.ready()
	env := counting(t)
	cmd := supervised(t) // for its environment
	cmd.Env = append(cmd.Env, env[1])
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true, Pgid: p.Process.Pid}
	neighbour := launch(t, cmd)
	pid := neighbour.ready()
	p.kill(p.Process.Pid, unix.SIGTERM)
	p.expect("SIGTERM 15")
	p.kill(p.Process.Pid, unix.SIGUSR1)
	p.expect("SIGUSR1 10")
	p.kill(pid, unix.SIGUSR2)
	neighbour.expect("SIGUSR2 12")
}

// TestDescendants: a signal reaches what the command started, even what has been
// orphaned, but not what has left the group.
func TestDescendants(t *testing.T) {
	for name, script := range map[string]string{
		"child":  `"$@" & wait`,
		"orphan": `("$@" <&3 &) 3<&0; read x`,
	} {
		t.Run(name, func(t *testing.T) {
			script = "exec 3<&0; " + script
			if name == "child" {
				script = `exec 3<&0; trap '' USR1; "$@" <&3 & wait`
			}
			p := launch(t, supervised(t, append([]string{"sh", "-c", "trap '' USR1; " + script, "sh"}, counting(t)...)...))
			pid := p.ready()
			aged(t, pid)
			p.kill(p.Process.Pid, unix.SIGUSR1)
			p.expect("SIGUSR1 10")
			p.kill(pid, unix.SIGUSR2)
			p.expect("SIGUSR2 12")
		})
	}
}

// TestStrangersAreSpared: a process substitution of the shell is not of the run.
func TestStrangersAreSpared(t *testing.T) {
	cmd := supervised(t, counting(t)...)
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `sleep 60 >/dev/null & echo $!; exec "$@"`, "sh"}, cmd.Args...)
	p := launch(t, cmd)
	var stranger int
	if _, err := fmt.Sscan(p.line(), &stranger); err != nil {
		t.Fatal(err)
	}
	p.ready()
	aged(t, stranger)
	p.kill(p.Process.Pid, unix.SIGTERM)
	p.expect("SIGTERM 15")
	p.kill(p.Process.Pid, unix.SIGUSR1)
	p.expect("SIGUSR1 10")
	if s := state(stranger); s == "" || s == "Z" {
		t.Errorf("the stranger is in state %q", s)
	}
}

// aged waits until a process is no longer too young for a signal.
func aged(t *testing.T, pid int) {
	t.Helper()
	eventually(t, "the process is no longer young", func() bool {
		s, err := readStat(proc, pid)
		return err == nil && now() > s.started+2
	})
}

// TestTargets: who gets a signal, by age and group.
func TestTargets(t *testing.T) {
	in, hold := pipe(t)
	c := sh(`sleep 60 & setsid sleep 60 & read line`)
	c.Stdin = in
	p := start(t, c)
	var list []int
	eventually(t, "both children run, one in a group of its own", func() bool {
		list, _ = descendants(nil, proc, p.PID(), nil)
		groups := map[int]bool{}
		for _, pid := range list {
			s, _ := readStat(proc, pid)
			groups[s.group] = true
		}
		return len(list) == 2 && len(groups) == 2
	})
	near, far := list[0], list[1]
	if s, _ := readStat(proc, near); s.group != unix.Getpgrp() {
		near, far = far, near
	}
	s, err := readStat(proc, near)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sig     unix.Signal
		arrived ticks
		want    []int
	}{
		{unix.SIGTERM, s.started + 2, []int{p.PID(), near}},
		{unix.SIGTERM, s.started + 1, []int{p.PID()}},
		{unix.SIGTERM, s.started, []int{p.PID()}},
		{unix.SIGCONT, s.started, []int{p.PID(), near}},
		{unix.SIGTSTP, s.started, []int{p.PID(), near}},
	} {
		got, err := p.targets(tt.sig, tt.arrived)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v %d ticks after the start: %v, %v; want %v, not %d", tt.sig, tt.arrived-s.started, got, err, tt.want, far)
		}
	}
	for _, pid := range list {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	eventually(t, "both are gone", func() bool { // the command waits for neither
		list, _ = descendants(list[:0], proc, p.PID(), nil)
		return !slices.ContainsFunc(list, func(pid int) bool { return state(pid) != "Z" })
	})
	hold.Close()
	p.Wait()
}

// TestGrace: the command decides how and when it ends.
func TestGrace(t *testing.T) {
	p := launch(t, supervised(t, "sh", "-c", `trap 'sleep 0.3; echo clean; exit 9' TERM; echo ready; while :; do sleep 0.01; done`))
	p.expect("ready")
	p.kill(p.Process.Pid, unix.SIGTERM)
	p.expect("clean")
	if end := p.finish(); end.ExitStatus() != 9 {
		t.Errorf("ended with %v", end)
	}
}

// TestStubborn: a command that shrugs off SIGTERM is waited for; SIGKILL ends it.
func TestStubborn(t *testing.T) {
	p := launch(t, supervised(t, counting(t)...))
	pid := p.ready()
	for range 3 {
		p.kill(p.Process.Pid, unix.SIGTERM)
		p.expect("SIGTERM 15")
	}
	p.kill(pid, unix.SIGKILL)
	if end := p.finish(); end.ExitStatus() != 137 {
		t.Errorf("ended with %v", end)
	}
}

// TestKilledBySignal: without a terminal the status is a plain exit.
func TestKilledBySignal(t *testing.T) {
	for _, sig := range []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT} {
		p := launch(t, supervised(t, "sh", "-c", "ulimit -c 0; echo ready; exec sleep 60"))
		p.expect("ready")
		p.kill(p.Process.Pid, sig)
		if end := p.finish(); !end.Exited() || end.ExitStatus() != ExitStatus(sig) {
			t.Errorf("%v: ended with %v", sig, end)
		}
	}
}

// TestNohup: a hangup that is ignored at the start harms neither.
func TestNohup(t *testing.T) {
	cmd := supervised(t, "sh", "-c", "echo ready; read x; exit 7")
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"sh", "-c", `trap '' HUP; exec "$@"`, "sh"}, cmd.Args...)
	p := launch(t, cmd)
	p.expect("ready")
	p.kill(-p.Process.Pid, unix.SIGHUP)
	p.kill(p.Process.Pid, unix.SIGHUP)
	if end := p.finish(); end.ExitStatus() != 7 {
		t.Errorf("ended with %v", end)
	}
}

// TestBrokenPipeIsOurs: nobody reading our stderr ends neither us nor the command.
func TestBrokenPipeIsOurs(t *testing.T) {
	r, w := pipe(t)
	r.Close()
	cmd := supervised(t, "sh", "-c", "exit 7")
	cmd.Env = append(cmd.Env, role+"=chatty")
	cmd.Stderr = w
	_ = cmd.Run()
	if end := cmd.ProcessState; end.ExitCode() != 7 {
		t.Errorf("ended with %v", end)
	}
}

// TestSignalsAfterTheEnd are dropped until Close: the report gets written.
func TestSignalsAfterTheEnd(t *testing.T) {
	sent := []os.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP}
	p := start(t, sh("exit 3"))
	<-p.Done()
	seen := make(chan os.Signal, len(sent)) // tells when the runtime has passed them out
	signal.Notify(seen, sent...)
	defer signal.Stop(seen)
	for _, sig := range sent {
		if err := unix.Kill(unix.Getpid(), sig.(unix.Signal)); err != nil {
			t.Fatal(err)
		}
		<-seen
	}
	eventually(t, "the signals were taken", func() bool { return len(p.signals) == 0 })
	if r := p.Wait(); r.Code != 3 || len(r.Warnings) > 0 {
		t.Errorf("got %+v", r)
	}
	p.Close()
}

// TestStopWithoutJobControl: an orphaned group cannot be stopped for ever.
func TestStopWithoutJobControl(t *testing.T) {
	cmd := supervised(t, counting(t)...)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	p := launch(t, cmd)
	pid := p.ready()
	p.kill(p.Process.Pid, unix.SIGTSTP)
	p.kill(p.Process.Pid, unix.SIGUSR1)
	p.expect("SIGUSR1 10")
	if a, b := state(p.Process.Pid), state(pid); a == "T" || b == "T" {
		t.Errorf("in states %s and %s", a, b)
	}
}
