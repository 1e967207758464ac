package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"greenagent/doctor"
)

// The bounds of --timeout: below, drivers that are well may be called hung; above,
// nobody waits any more.
const (
	shortestTimeout = 100 * time.Millisecond
	longestTimeout  = 10 * time.Minute
)

// statusUnwritten is doctor's exit status when nobody got to see its findings.
const statusUnwritten = 3

func (p *program) doctorCommand() *cobra.Command {
	var json bool
	o := doctor.Options{}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what of this machine can be measured, and mend what cannot",
		Long: `Say how the energy of each part of this machine is known: measured, modelled or
missing; why; and the command that mends it.

The exit status is that of the worst finding:
  0  PASS or INFO: nothing to mend
  1  WARN: greenagent works, and knows less than it could
  2  FAIL: something is broken, or the command line makes no sense
  3  the findings could not be written
Ids of checks stay the same between releases. Nothing is written, and no
privileges are needed; as another user, root for example, it may find more.`,
		Example: `  greenagent doctor
  greenagent doctor --json | jq '.checks[] | select(.status == "FAIL")'
  greenagent doctor --proc-root /host/proc --sys-root /host/sys`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Timeout < shortestTimeout || o.Timeout > longestTimeout {
				return &usageError{fmt.Errorf("%s: %v: want %v to %v", p.from.of("timeout"), o.Timeout, shortestTimeout, longestTimeout), statusUsage}
			}
			o.Machine = p.machine
			o.Progress, o.Store = p.progress(), p.store()
			o.Machine.Known = p.recall()
			r := doctor.Examine(cmd.Context(), o)
			o.Progress("")
			p.status = r.Status.Exit()
			return p.show(r, json)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&json, "json", false, "print an object for machines; only here, not by a variable or the file")
	must(f.SetAnnotation("json", givenOnly, []string{"json of run is a file"}))
	f.StringVar(&o.Zone, "zone", "", zoneUsage)
	must(cmd.RegisterFlagCompletionFunc("zone", zones))
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for an answer of a driver")
	cmd.AddCommand(p.characteriseCommand())
	return cmd
}

// progress returns what tells of progress, on a terminal and in the log.
func (p *program) progress() func(what string) {
	show := progress(p.stderr)
	return func(what string) {
		if what != "" {
			p.log.Debug(what)
		}
		show(what)
	}
}

// terminal reports whether w is one, and one that understands escape sequences.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb"
}

// colorful reports whether to write in colour (no-color.org).
func colorful(w io.Writer) bool { return terminal(w) && os.Getenv("NO_COLOR") == "" }

// progress returns a function that keeps one line on a terminal up to date, and
// wipes it with "". Elsewhere it says nothing.
func progress(w io.Writer) func(what string) {
	if !terminal(w) {
		return func(string) {}
	}
	return func(what string) {
		if what != "" {
			what += " …"
		}
		fmt.Fprintf(w, "\r\x1b[K%s", what)
	}
}

// findings are what a doctor tells, to people or to machines.
type findings interface {
	Write(w io.Writer, style doctor.Style) error
	Encode(w io.Writer) error
}

// show prints findings to standard output.
func (p *program) show(f findings, json bool) error {
	write := func(w io.Writer) error { return f.Write(w, doctor.Style{Color: colorful(w)}) }
	if json {
		write = f.Encode
	}
	if err := write(p.stdout); err != nil {
		return &usageError{err, statusUnwritten}
	}
	return nil
}
