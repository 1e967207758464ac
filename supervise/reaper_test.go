//go:build linux

package supervise

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// burn is shell code that takes some milliseconds of CPU time.
const burn = "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done"

// pipe returns both ends of a pipe that blocks, as programs expect of theirs;
// os.Pipe's does not. They are closed when the test ends.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = os.NewFile(uintptr(fds[0]), "read end"), os.NewFile(uintptr(fds[1]), "write end")
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func childrenUsage(t *testing.T) CPUTime {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	return cpuTime(&u)
}

// TestOrphanIsAdopted: what double-forks becomes our child, and its CPU time is
// known when it ends, while the command still runs.
func TestOrphanIsAdopted(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := unix.Mkfifo("go", 0o600); err != nil {
		t.Fatal(err)
	}
	in, hold := pipe(t)
	out, w := pipe(t)
	c := sh(`((read x <go; ` + burn + `) & echo $!); read line`)
	c.Stdin, c.Stdout = in, w
	p := start(t, c)
	w.Close()
	var orphan int
	if _, err := fmt.Fscan(out, &orphan); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the orphan is our child", func() bool {
		ours := false
		if err := children(proc, os.Getpid(), func(pid int) { ours = ours || pid == orphan }); err != nil {
			t.Fatal(err)
		}
		return ours
	})
	if before := p.Reaped(); before.Total() > 5*time.Millisecond {
		t.Errorf("%v reaped before the orphan ended", before)
	}
	write(t, "go", "\n", 0)
	eventually(t, "the orphan was reaped", func() bool { return state(orphan) == "" })
	eventually(t, "its time is counted", func() bool { return p.Reaped().Total() > 5*time.Millisecond })
	hold.Close()
	if r := p.Wait(); r.CPU.Total() > p.Reaped().Total() {
		t.Errorf("the command took %v of CPU, its orphan %v", r.CPU, p.Reaped())
	}
}

// TestEveryMicrosecondIsCounted: in a storm of short-lived orphans, what is
// reported equals what the kernel charged to this process's children.
func TestEveryMicrosecondIsCounted(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 300
	}
	before := childrenUsage(t)
	p := start(t, sh(`i=0; while [ $i -lt $1 ]; do (: & :) ; i=$((i+1)); done; (`+burn+`) `, fmt.Sprint(rounds)))
	var last CPUTime
	falls := 0
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
watch:
	for {
		select {
		case <-p.Done():
			break watch
		case <-tick.C:
			now := p.Reaped()
			if now.User < last.User || now.System < last.System {
				falls++
			}
			last = now
		}
	}
	r := p.Wait()
	// What ended just after the command is left as it is by contract; here it
	// would blur the comparison with the kernel's own total.
	for {
		var u unix.Rusage
		pid, err := unix.Wait4(-1, nil, 0, &u)
		if err == unix.ECHILD {
			break
		}
		if pid > 0 {
			before = before.add(cpuTime(&u))
		}
	}
	after := childrenUsage(t)
	charged := after.Total() - before.Total()
	counted := r.CPU.Total() + p.Reaped().Total()
	// Each process's two times are cut to whole microseconds.
	if slack := time.Duration(2*rounds+10) * time.Microsecond; counted > charged+slack || counted < charged-slack {
		t.Errorf("counted %v, the kernel charged %v", counted, charged)
	}
	if falls > 0 || p.Reaped().Total() <= 0 || r.Code != 0 {
		t.Errorf("Reaped fell %d times, ended at %v; %+v", falls, p.Reaped(), r)
	}
}

// TestStrangers: a child from before is waited for and not counted.
func TestStrangers(t *testing.T) {
	in, hold := pipe(t)
	stranger := exec.Command("sh", "-c", "read line; "+burn)
	stranger.Stdin = in
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	again, holdAgain := pipe(t)
	p := start(t, Command{Args: []string{"cat"}, Stdin: again})
	hold.Close()
	eventually(t, "the stranger is gone", func() bool { return state(stranger.Process.Pid) == "" })
	holdAgain.Close()
	_ = stranger.Wait() // its status was taken, as the package says
	p.Wait()
	if n := p.Reaped(); n != (CPUTime{}) {
		t.Errorf("counted %v of a stranger", n)
	}
}

// TestNoZombies: orphans that end while the command runs do not pile up.
func TestNoZombies(t *testing.T) {
	in, hold := pipe(t)
	out, w := pipe(t)
	c := sh(`i=0; while [ $i -lt 500 ]; do (: & :) ; i=$((i+1)); done; echo done; read line`)
	c.Stdin, c.Stdout = in, w
	p := start(t, c)
	w.Close()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command is the only child", func() bool {
		only := true
		if err := children(proc, os.Getpid(), func(pid int) { only = only && pid == p.PID() }); err != nil {
			t.Fatal(err)
		}
		return only
	})
	hold.Close()
	p.Wait()
}

// TestDaemonLivesOn: nothing that outlives the command is waited for or killed.
func TestDaemonLivesOn(t *testing.T) {
	out, w := pipe(t)
	c := sh(`(sleep 60 >/dev/null & echo $!)`)
	c.Stdout = w
	p := start(t, c)
	w.Close()
	var daemon int
	if _, err := fmt.Fscan(out, &daemon); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	p.Close()
	if s := state(daemon); s == "" || s == "Z" {
		t.Errorf("the daemon is in state %q", s)
	}
	if err := unix.Kill(daemon, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if _, err := unix.Wait4(daemon, nil, 0, nil); err != nil {
		t.Error(err)
	}
}

func TestSubreaperIsGivenBack(t *testing.T) {
	is := func() bool {
		var n int32
		err := unix.Prctl(unix.PR_GET_CHILD_SUBREAPER, uintptr(unsafe.Pointer(&n)), 0, 0, 0)
		return err == nil && n != 0
	}
	if is() {
		t.Skip("this process is a subreaper by inheritance")
	}
	p := start(t, Command{Args: []string{"sleep", "60"}})
	during := is()
	_ = unix.Kill(p.PID(), unix.SIGKILL)
	p.Wait()
	p.Close()
	if !during || is() {
		t.Errorf("subreaper: %v during the run, %v after", during, is())
	}
}

// TestGoneBeforeCollected: nothing is sent to a run whose command is a zombie.
func TestGoneBeforeCollected(t *testing.T) {
	p := start(t, Command{Args: []string{"sleep", "60"}})
	p.mu.Lock()
	alive := !p.gone()
	_ = unix.Kill(p.PID(), unix.SIGKILL)
	eventually(t, "the command is a zombie", inState(p.PID(), "Z"))
	dead := p.gone()
	p.mu.Unlock()
	if !alive || !dead {
		t.Errorf("gone: %v while it ran, %v as a zombie", !alive, dead)
	}
}

// TestStatusStolen: a foreign wait loses the status, and is said, not hung on.
func TestStatusStolen(t *testing.T) {
	p := &Process{pid: 1 << 22, clock: &counter{}, done: make(chan struct{})}
	p.reap() // this process has no child: ECHILD at once
	r := p.Wait()
	if r.Code != StatusFailed || len(r.Warnings) != 1 {
		t.Errorf("got %+v", r)
	}
}

// TestSurvivors are what goes on after the command, and nothing else: no process
// that has ended, and none that was here before.
func TestSurvivors(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := unix.Mkfifo("go", 0o600); err != nil {
		t.Fatal(err)
	}
	stranger := exec.Command("sleep", "60")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = stranger.Process.Kill()
		_, _ = unix.Wait4(stranger.Process.Pid, nil, 0, nil)
	}()
	// Opened for both ways, so that neither waits for the other.
	gate, err := os.OpenFile("go", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	c := sh(`(exec cat go >/dev/null) & echo $!; true & wait $!`)
	out, w := pipe(t)
	c.Stdout = w
	p := start(t, c)
	w.Close()
	var survivor int
	if _, err := fmt.Fscan(out, &survivor); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	eventually(t, "cat goes on", func() bool {
		list := p.Survivors()
		return len(list) == 1 && list[0] == Survivor{survivor, "cat"}
	})
	if err := unix.Kill(survivor, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing goes on", func() bool { return len(p.Survivors()) == 0 })
	if _, err := unix.Wait4(survivor, nil, 0, nil); err != nil {
		t.Error(err)
	}
}
