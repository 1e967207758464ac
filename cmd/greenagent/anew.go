package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"greenagent/exporter/runfile"
	"greenagent/meter"
	"greenagent/nvml"
	"greenagent/supervise"
)

// NVML cannot be loaded twice into a process. When the driver was replaced,
// greenagent therefore executes itself anew under the running command: the meter's
// state goes with it through a file in memory, and the command does not notice
// (docs/adr/0007-execute-anew.md).

const (
	// mostExecutions bounds how often that is done in one run.
	mostExecutions = 8
	// handing names the variable that says which process hands over to itself, and
	// through which descriptor.
	handing = "GREENAGENT_HANDED"
	// letGo is how long the sensors may take over their last readings.
	letGo = 50 * time.Millisecond
	// thisBoot stands for the boot of the machine: an execution is no reboot.
	thisBoot = "this"
)

// handed is what greenagent hands over to itself.
type handed struct {
	Flags      map[string]json.RawMessage `json:"flags"` // those with a value of their own
	Calibrated calibrations               `json:"calibrated"`
	Command    []string                   `json:"command"`
	ID         string                     `json:"id"`
	Process    supervise.State            `json:"process"`
	Started    time.Time                  `json:"started"`
	Slept      time.Duration              `json:"slept_ns"`
	Missing    []runfile.Missing          `json:"missing"`
	Warnings   []string                   `json:"warnings"`
	Executions int                        `json:"executions"`
	Checkpoint *meter.Checkpoint          `json:"checkpoint"`
}

// takeOver returns what this process has handed over to itself, nil if it has not.
func takeOver() (*handed, error) {
	pid, number, _ := strings.Cut(os.Getenv(handing), ":")
	if pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // inherited, or not there
	}
	_ = os.Unsetenv(handing) // of a name that is well formed
	fd, err := strconv.Atoi(number)
	if err != nil || fd < 3 {
		return nil, fmt.Errorf("%s names no descriptor: %q", handing, number)
	}
	unix.CloseOnExec(fd)
	file := os.NewFile(uintptr(fd), "handed over")
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		return nil, err
	}
	h := &handed{}
	if err := json.Unmarshal(text, h); err != nil {
		return nil, err
	}
	if len(h.Command) == 0 || h.Checkpoint == nil {
		return nil, errors.New("it is incomplete")
	}
	return h, nil
}

// handOver writes what is handed over into a file in memory and returns it, to be
// closed where it is not needed after all.
func handOver(h *handed) (*os.File, error) {
	fd, err := unix.MemfdCreate("greenagent", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	file := os.NewFile(uintptr(fd), "handed over")
	err = json.NewEncoder(file).Encode(h)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		_ = file.Close() // the failure before it counts
		return nil, err
	}
	return file, nil
}

// flagsOf returns the flags that have a value of their own, wherever it is from.
// The environment and the configuration may be others by the time they are needed.
func flagsOf(cmd *cobra.Command) map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Changed {
			return
		}
		var value any = f.Value.String()
		if l, ok := f.Value.(*labels); ok {
			value = map[string]string(*l)
		}
		text, err := json.Marshal(value)
		must(err) // of strings
		values[f.Name] = text
	})
	return values
}

// setFlags gives flags the values that flagsOf has returned.
func setFlags(cmd *cobra.Command, values map[string]json.RawMessage) (failed error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		text, ok := values[f.Name]
		if !ok {
			return
		}
		var err error
		if l, ok := f.Value.(*labels); ok {
			err = json.Unmarshal(text, (*map[string]string)(l))
		} else {
			var value string
			if err = json.Unmarshal(text, &value); err == nil {
				err = f.Value.Set(value)
			}
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("--%s: %w", f.Name, err))
		}
		f.Changed = true
	})
	return failed
}

// executeAnew has this program execute itself, to load the NVML of the driver that
// replaced the one of lib. If it returns, the run goes on without GPUs.
func (m *measurement) executeAnew(ctx context.Context, lib *nvml.Library) {
	m.executions++
	if m.executions > mostExecutions {
		m.warn(fmt.Sprintf("GPUs: the driver was replaced %d times; they are not measured any more", m.executions))
		return
	}
	if lib != nil && lib.Stuck() > 0 {
		m.warn("GPUs: the driver was replaced while it hung; they are not measured from then on")
		return
	}
	if !m.hostIsOpen(ordinary) {
		m.warn("GPUs: the driver was replaced while the sensors of the host hung; they are not measured from then on")
		return
	}
	m.cancel()
	m.program.log.Info("executing anew, as the driver was replaced")
	m.meter.Finish(m.program.machine.Clock.Now(), letGo)
	state := m.meter.Checkpoint(thisBoot)
	if err := m.execute(state); !errors.Is(err, supervise.ErrEnded) {
		m.warn(fmt.Sprintf("GPUs: the driver was replaced, which takes a new start of greenagent, and that failed: %v; they are not measured from then on", err))
	}
	m.withoutGPUs = true
	m.begin(ctx, state)
}

func (m *measurement) execute(state *meter.Checkpoint) error {
	m.mu.Lock()
	if lib := m.lib; lib != nil && lib.Stuck() > 0 { // the last readings may have hung
		m.mu.Unlock()
		return errors.New("the driver hangs")
	}
	h := &handed{
		Flags: m.program.flags, Calibrated: m.program.calibrations, Command: m.options.command, ID: m.options.id,
		Started: m.started, Slept: m.slept, Missing: m.missing, Warnings: m.warnings,
		Executions: m.executions, Checkpoint: state,
	}
	m.mu.Unlock()
	var file *os.File
	defer func() {
		if file != nil {
			_ = file.Close() // nobody needs it
		}
	}()
	env := append(os.Environ(), "")
	return m.process.Exec("/proc/self/exe", os.Args, env, func(s supervise.State) (err error) {
		h.Process = s
		if file, err = handOver(h); err != nil {
			return err
		}
		env[len(env)-1] = fmt.Sprintf("%s=%d:%d", handing, os.Getpid(), file.Fd())
		_, err = unix.FcntlInt(file.Fd(), unix.F_SETFD, 0) // survives the execution
		return os.NewSyscallError("fcntl", err)
	})
}
