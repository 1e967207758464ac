//go:build linux

package supervise

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"greenagent/energy"
)

// The test binary plays other programs when this variable says so: "run" is
// greenagent's run reduced to this package, "chatty" is one that writes to stderr
// meanwhile, "count" prints the signals it gets.
const role = "SUPERVISE_TEST_ROLE"

// patience is how long a test waits for what should take milliseconds.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	part := os.Getenv(role)
	_ = os.Unsetenv(role) // fails for malformed names only, as Setenv below
	switch part {
	case "run", "chatty":
		os.Exit(run(os.Args[1:], part == "chatty"))
	case "count":
		os.Exit(count())
	case "again":
		os.Exit(again(os.Args[1:]))
	}
	startAfresh()
	// The race detector would have each of our processes linger for a second.
	_ = os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
			fmt.Fprintf(os.Stderr, "a child was left behind (pid %d, %v)\n", pid, err)
			code = 1
		}
		os.Exit(code)
	}))
}

// startAfresh executes the test binary again if it inherited ignored signals, as
// a background job of a script does: the tests send those signals.
func startAfresh() {
	const done = "SUPERVISE_TEST_AFRESH"
	if os.Getenv(done) != "" {
		_ = os.Unsetenv(done)
		return
	}
	again := inheritedIgnored() != 0
	for sig := unix.Signal(1); sig <= 64; sig++ {
		if ignored(sig) {
			var byDefault sigaction
			again = rtSigaction(sig, &byDefault, nil) == nil || again
		}
	}
	if again {
		path, err := os.Executable()
		if err == nil {
			err = syscall.Exec(path, os.Args, append(os.Environ(), done+"=1"))
		}
		fmt.Fprintln(os.Stderr, "signals are ignored, and another start failed:", err)
		os.Exit(1)
	}
}

func run(args []string, chatty bool) int {
	p, err := Start(Command{Args: args}, &counter{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		var failed *StartError
		if errors.As(err, &failed) {
			return failed.Status
		}
		return 99
	}
	if chatty {
		fmt.Fprintln(os.Stderr, "42 W")
	}
	result := p.Wait()
	if chatty {
		fmt.Fprintln(os.Stderr, "17 kJ")
	}
	p.Close()
	for _, w := range result.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	if result.Reraise {
		result.Raise()
	}
	return result.Code
}

// again is run that executes itself anew, several times in a row.
func again(args []string) int {
	const left, handed = "SUPERVISE_TEST_EXECS", "SUPERVISE_TEST_STATE"
	var p *Process
	var err error
	program, executions, _ := strings.Cut(os.Getenv(left), " ")
	text := os.Getenv(handed)
	for _, name := range []string{left, handed} {
		if err := os.Unsetenv(name); err != nil {
			return 97
		}
	}
	if text != "" {
		var s State
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 98
		}
		p, err = Adopt(s, &counter{})
	} else {
		p, err = Start(Command{Args: args}, &counter{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	if n, _ := strconv.Atoi(executions); n > 0 {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.Done():
		}
		if os.Getenv(deafening) != "" {
			go deaf()
			time.Sleep(50 * time.Millisecond)
		}
		env := append(os.Environ(), role+"=again", fmt.Sprintf("%s=%s %d", left, program, n-1), "")
		err := p.Exec(program, os.Args, env, func(s State) error {
			text, err := json.Marshal(s)
			env[len(env)-1] = handed + "=" + string(text)
			return err
		})
		if !errors.Is(err, ErrEnded) {
			fmt.Println("not executed:", err)
		}
	}
	result := p.Wait()
	orphans := p.Reaped()
	p.Close()
	for _, w := range result.Warnings {
		fmt.Fprintln(os.Stderr, w)
	}
	fmt.Printf("ended %d, orphans %v, started %d\n", result.Code, orphans.Total() > 0, result.Span.Start)
	if result.Reraise {
		result.Raise()
	}
	return result.Code
}

// deafening is the variable that has again run a thread like one of a library's.
const deafening = "SUPERVISE_TEST_DEAFENING"

// deaf is a thread that lets no signal in for four seconds.
func deaf() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = unix.Nanosleep(&unix.Timespec{Sec: 4}, nil) // nothing can interrupt it
	_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
}

// count prints "ready", then each signal it gets, until its input ends.
func count() int {
	got := make(chan os.Signal, 64)
	signal.Notify(got, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2,
		unix.SIGWINCH, unix.SIGALRM, unix.Signal(40))
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	fmt.Println("ready", os.Getpid())
	for {
		select {
		case s := <-got:
			fmt.Println(unix.SignalName(s.(unix.Signal)), int(s.(unix.Signal)))
		case <-ended:
			return 0
		}
	}
}

// counter is a clock that advances by one nanosecond per reading.
type counter struct{ readings atomic.Int64 }

func (c *counter) Now() energy.Instant { return energy.Instant(c.readings.Add(1)) }

// self is this test binary.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// counting is the command line of the program that prints its signals.
func counting(t *testing.T) []string { return []string{"env", role + "=count", self(t)} }

// supervised returns the command line args under this package, in a process of
// its own.
func supervised(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(self(t), args...)
	cmd.Env = append(os.Environ(), role+"=run")
	return cmd
}

// output runs cmd to its end and returns its stdout, stderr and exit status.
func output(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, status int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// program is a running process whose output is read line by line.
type program struct {
	*exec.Cmd
	t     *testing.T
	input io.WriteCloser
	lines chan string
}

// launch starts cmd in a process group of its own. The group does not outlive
// the test.
func launch(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{Cmd: cmd, t: t, input: input, lines: make(chan string, 1024)}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		if cmd.SysProcAttr.Pgid == 0 {
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		} else {
			_ = cmd.Process.Kill()
		}
		for range p.lines {
		}
		_ = cmd.Wait()
	})
	return p
}

// line returns the next line of output.
func (p *program) line() string {
	p.t.Helper()
	select {
	case s, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the output ended")
		}
		return s
	case <-time.After(patience):
		p.t.Fatal("no output")
	}
	return ""
}

func (p *program) expect(want string) {
	p.t.Helper()
	if got := p.line(); got != want {
		p.t.Fatalf("got the line %q, want %q", got, want)
	}
}

// ready waits for the program that counts signals and returns its pid.
func (p *program) ready() int {
	p.t.Helper()
	line := p.line()
	var pid int
	if _, err := fmt.Sscanf(line, "ready %d", &pid); err != nil {
		p.t.Fatalf("got the line %q, want ready", line)
	}
	return pid
}

func (p *program) kill(pid int, sig unix.Signal) {
	p.t.Helper()
	if err := unix.Kill(pid, sig); err != nil {
		p.t.Fatal(err)
	}
}

// finish ends the input and returns how the program ended.
func (p *program) finish() unix.WaitStatus {
	p.t.Helper()
	p.input.Close()
	for range p.lines {
	}
	_ = p.Wait()
	return unix.WaitStatus(p.ProcessState.Sys().(syscall.WaitStatus))
}

// eventually polls until ok holds.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// state returns the state letter of a process, proc_pid_stat(5), or "" when
// there is none.
func state(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return string(text[bytes.LastIndexByte(text, ')')+2])
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// fields returns the lines of a /proc file that begin with one of names.
func fields(text string, names ...string) string {
	var kept []string
	for line := range strings.Lines(text) {
		for _, name := range names {
			if strings.HasPrefix(line, name) {
				kept = append(kept, line)
			}
		}
	}
	return strings.Join(kept, "")
}
