package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"greenagent/collector/procfs"
	"greenagent/exporter/prose"
	"greenagent/meter"
)

// program is what the subcommands share.
type program struct {
	stdout, stderr io.Writer
	status         int // exit status of a subcommand that has one of its own
	config         string
	from           origins // of the settings
	stateDir       string  // "" for the user's
	calibrations   calibrations
	machine        meter.Machine
	logging        logFlags
	log            *slog.Logger
	flags          map[string]json.RawMessage    // of the subcommand, that have a value
	suspended      func() (time.Duration, error) // nil: as the clocks tell
	before         *handed                       // nil unless this process goes on from itself
}

// statusUsage is the exit status for a command line that makes no sense.
const statusUsage = 2

// usageError is a mistake in the command line or the configuration; status is
// what to exit with.
type usageError struct {
	err    error
	status int
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func (p *program) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "greenagent",
		Short: "Measure the energy of programs, and what it emits",
		Long: `greenagent measures the energy that programs use on GPUs and CPUs, says how
each figure was obtained and how wrong it may be, and prices it in CO2e.

Every flag can also be set by an environment variable, GREENAGENT_ and the
flag's name (GREENAGENT_ZONE=FR for --zone FR), or by a key of the same name in
the YAML file given with --config. A flag wins over the environment, and the
environment over the file. doctor --json alone has neither, as --json of run is
a file.`,
		Example: `  greenagent run -- python3 train.py
  greenagent run --zone FR --json run.json -- make -j8
  greenagent doctor`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) (err error) {
			p.machine.Clock = meter.System{}
			if cmd.Name() == "help" { // must help with settings too
				return nil
			}
			if p.before != nil {
				p.calibrations, err = p.before.Calibrated, setFlags(cmd, p.before.Flags)
			} else {
				p.from, p.calibrations, err = settle(cmd, p.config)
			}
			if err != nil {
				return err
			}
			p.flags = flagsOf(cmd)
			if p.log, err = p.logging.open(lateBound{&p.stderr}, p.from); err != nil {
				return &usageError{err, statusUsage}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVar(&p.config, "config", "", "YAML `file` with settings, one key for each flag, and calibrations of GPUs")
	f.StringVar(&p.machine.NVML, "nvml-library", "", "`path` of the NVIDIA management library (default libnvidia-ml.so.1)")
	f.StringVar(&p.machine.Proc, "proc-root", "/proc", "`directory` where the host's /proc is mounted")
	f.StringVar(&p.machine.Sys, "sys-root", "/sys", "`directory` where the host's /sys is mounted")
	f.StringVar(&p.stateDir, "state-dir", "", "`directory` for what outlasts a run, such as what was learnt of GPUs (default $XDG_STATE_HOME/greenagent)")
	p.logging.add(f)
	p.machine.Etc = "/etc"
	root.AddCommand(p.runCommand(), p.doctorCommand(), p.versionCommand())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath()), statusUsage}
	})
	return root
}

// noSuchCommand refuses what stands where a subcommand should.
func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see %s --help", root.CommandPath())
	root.SuggestionsMinimumDistance = 2 // a slip of the finger
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %s?", strings.Join(near, " or "))
	}
	return &usageError{fmt.Errorf("unknown command %q; %s", args[0], hint), statusUsage}
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return &usageError{fmt.Errorf("%s takes no arguments, and got %q; see %[1]s --help", cmd.CommandPath(), args[0]), statusUsage}
}

// fail tells an error to the user and returns the exit status.
func (p *program) fail(root *cobra.Command, args []string, err error) int {
	p.say("%v", err)
	status := statusUsage
	if u := (*usageError)(nil); errors.As(err, &u) {
		status = u.status
	}
	// run's statuses from 1 to 124 belong to the command it runs.
	if cmd, _, found := root.Find(args); found == nil && cmd.Name() == "run" && status == statusUsage {
		status = statusFailed
	}
	return status
}

// say writes a line to standard error. What it repeats of the user's may be long
// and may hold anything.
func (p *program) say(format string, args ...any) {
	const head, tail = 300, 200 // the remedy stands at the end
	text := []rune(prose.Printable(fmt.Sprintf(format, args...)))
	if len(text) > head+tail {
		text = slices.Concat(text[:head], []rune(" … "), text[len(text)-tail:])
	}
	fmt.Fprintf(p.stderr, "greenagent: %s\n", string(text))
}

// asleep returns for how long the machine was suspended since it was started, 0
// where that is not known.
func (p *program) asleep() time.Duration {
	suspended := p.suspended
	if suspended == nil {
		suspended = procfs.Suspended
	}
	d, err := suspended()
	if err != nil {
		return 0
	}
	return d
}
