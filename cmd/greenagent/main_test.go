//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"greenagent/energy"
	"greenagent/exporter/runfile"
)

// patience is how long a test waits for what should take a moment: the machine
// may be busy with other tests.
const patience = time.Minute

// TestMain makes the test binary play greenagent, and the programs that it runs,
// for every process that finds them in PATH.
func TestMain(m *testing.M) {
	testscript.Main(tidy{m}, map[string]func(){
		"greenagent": main,
		"burn":       burn,
		"detach":     detach,
		"tally":      tally,
	})
}

// startAfresh executes the tests again if they inherited ignored signals, as from
// nohup or a background job of a script: they send those signals.
func startAfresh() {
	const done = "GREENAGENT_TESTS_AFRESH"
	tested := []os.Signal{syscall.SIGHUP, syscall.SIGINT}
	if os.Getenv(done) != "" || !slices.ContainsFunc(tested, signal.Ignored) {
		return
	}
	// Executing a program gives signals that are caught their default action.
	signal.Notify(make(chan os.Signal, 1), tested...)
	path, err := os.Executable()
	must(err)
	must(syscall.Exec(path, os.Args, append(os.Environ(), done+"=1")))
}

// tidy fails the tests if they leave processes behind.
type tidy struct{ m *testing.M }

// markOfTests is in the environment of every process that the tests start.
const markOfTests = "GREENAGENT_TESTS_OF"

func (t tidy) Run() int {
	startAfresh()
	for _, variable := range os.Environ() {
		// Settings of whoever runs the tests.
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GREENAGENT_") {
			must(os.Unsetenv(name))
		}
	}
	// What is learnt of simulated GPUs is none of the user's.
	state, err := os.MkdirTemp("", "greenagent-test-*")
	must(err)
	defer os.RemoveAll(state)
	must(os.Setenv("XDG_STATE_HOME", state))
	// Most tests wait for a command that sleeps.
	flag.Parse()
	must(flag.Set("test.parallel", strconv.Itoa(max(4, runtime.GOMAXPROCS(0)))))
	// With the race detector every process would end a second late.
	must(os.Setenv("GORACE", "atexit_sleep_ms=0"))
	mark := strconv.Itoa(os.Getpid())
	must(os.Setenv(markOfTests, mark))
	status := t.m.Run()
	var left []string
	for deadline := time.Now().Add(patience / 3); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if left = marked(markOfTests + "=" + mark); len(left) == 0 {
			return status
		}
	}
	fmt.Fprintf(os.Stderr, "FAIL: processes left behind: %q\n", left)
	return 1
}

// marked returns the command lines of the processes, other than this one, with a
// variable in their environment.
func marked(variable string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		pid := filepath.Base(filepath.Dir(file))
		text, err := os.ReadFile(file)
		if err != nil || pid == strconv.Itoa(os.Getpid()) || !bytes.Contains(append([]byte{0}, text...), []byte("\x00"+variable+"\x00")) {
			continue
		}
		command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		found = append(found, pid+" "+string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
	}
	return found
}

// burn uses a processor for the CPU time that its argument says, and prints what
// it used, in seconds.
func burn() {
	amount, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	for spent(unix.RUSAGE_SELF) < amount {
		for range 100_000 {
		}
	}
	fmt.Println(spent(unix.RUSAGE_SELF).Seconds())
}

func spent(who int) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(who, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// detach starts the command in its arguments as a daemon does: in a session of
// its own, and without a parent that waits for it.
func detach() {
	c := exec.Command(os.Args[1], os.Args[2:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// tally runs the command in its arguments and prints the CPU time that it and all
// that was waited for in it used, in seconds.
func tally() {
	c := exec.Command(os.Args[1], os.Args[2:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := c.Run()
	fmt.Println((spent(unix.RUSAGE_CHILDREN) + spent(unix.RUSAGE_SELF)).Seconds())
	if err != nil {
		os.Exit(c.ProcessState.ExitCode())
	}
}

// ended is a process that has run to its end.
type ended struct {
	stdout, stderr string
	status         int
	took           time.Duration
}

// finish runs cmd to its end. It has a process group of its own, none of which
// outlives the test.
func finish(t *testing.T, cmd *exec.Cmd) ended {
	t.Helper()
	return begin(t, cmd)()
}

// begin starts a command and returns what waits for its end.
func begin(t *testing.T, cmd *exec.Cmd) (wait func() ended) {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &errs
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = patience / 3
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	start := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatalf("%q: %v", cmd.Args, err)
	}
	return func() ended {
		t.Helper()
		err := cmd.Wait()
		took := time.Since(start)
		if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
			t.Fatalf("%q: %v\n%s", cmd.Args, err, errs.String())
		}
		state := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if state.Signaled() {
			t.Fatalf("%q: killed by %v\n%s", cmd.Args, state.Signal(), errs.String())
		}
		return ended{out.String(), errs.String(), state.ExitStatus(), took}
	}
}

// command is a command line that is killed if the test does not end it.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// measured is a run of greenagent that has ended, with its record.
type measured struct {
	ended
	record runfile.Run
	text   []byte // of the record
}

// measure has greenagent run a command line, flags first, and returns its record.
func measure(t *testing.T, env []string, args ...string) measured {
	t.Helper()
	file := filepath.Join(t.TempDir(), "run.json")
	cmd := command(t, append([]string{"greenagent", "run", "--json", file}, args...)...)
	// No test knows what another has learnt.
	cmd.Env = append(append(os.Environ(), "XDG_STATE_HOME="+t.TempDir()), env...)
	m := measured{ended: finish(t, cmd)}
	var err error
	if m.text, err = os.ReadFile(file); err != nil {
		t.Fatalf("no record: %v\n%s", err, m.stderr)
	}
	if err := json.Unmarshal(m.text, &m.record); err != nil {
		t.Fatalf("record: %v\n%s", err, m.text)
	}
	return m
}

// domain returns the record's domain with an id, or the first of a type.
func (m *measured) domain(t *testing.T, idOrType string) runfile.Domain {
	t.Helper()
	for _, d := range m.record.Domains {
		if d.ID == idOrType || d.Type == idOrType {
			return d
		}
	}
	t.Fatalf("no domain %s in the record\n%s\n%s", idOrType, m.text, m.stderr)
	return runfile.Domain{}
}

// microjoules reads a decimal number of joules exactly; a part smaller than a
// microjoule is an error.
func microjoules(text string) (energy.Energy, error) {
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, fmt.Errorf("%s is no number", text)
	}
	r.Mul(r, big.NewRat(1_000_000, 1))
	if !r.IsInt() || !r.Num().IsInt64() {
		return 0, fmt.Errorf("%s J is no whole number of µJ", text)
	}
	return energy.Energy(r.Num().Int64()), nil
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

func apart(a, b energy.Energy) energy.Energy { return max(a-b, b-a) }

// bystander starts a process that is none of the run's, and returns its PID.
func bystander(t *testing.T, args ...string) int {
	t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}
