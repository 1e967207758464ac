package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"greenagent/attribution"
	"greenagent/carbon"
	"greenagent/exporter/runfile"
	"greenagent/supervise"
)

const statusFailed = supervise.StatusFailed

// runFlags are the flags of run, as given.
type runFlags struct {
	json, reportTo string
	quiet          bool
	name, id       string
	tags           labels
	zone           string
	pue            string
	units          labels
	idlePolicy     string
	interval       time.Duration
}

// runOptions are the flags of run, understood.
type runOptions struct {
	runFlags
	command []string
	policy  attribution.Policy
	factor  *carbon.Factor
	site    carbon.PUE
	counts  map[string]float64
}

// The bounds of --interval: below, a look at /proc costs more than it tells;
// above, NVML's sampler of who was active forgets.
const (
	shortestInterval = 100 * time.Millisecond
	longestInterval  = 5 * time.Second
)

func (p *program) runCommand() *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARGUMENT...]",
		Short: "Run a command and report its energy and emissions",
		Long: `Run a command and report the energy that it and everything it starts uses.

The command does not notice: its input and output are untouched, signals and
job control reach it, and greenagent exits with its status, or with
  125  if greenagent could not do its part
  126  if the command was found but is not executable
  127  if it was not found
  128+n if signal n killed it.
The report goes to standard error once the command has ended. Measuring never
fails the command: what cannot be measured is modelled or missing, and the
report says which.

Figures are given with their expanded uncertainty (k = 2, about 95 %).

A run inside a run does not take --json, --report-to, --run-id and --name from the
environment that it has from the run around it: that one's files are its own. On its
command line, or in a variable set on the way, they count.`,
		Example: `  greenagent run -- python3 train.py
  greenagent run --zone DE --pue 1.2 --json run.json -- ./train.sh
  greenagent run --units tokens=1.2e9 --idle-policy reserved -- torchrun train.py
  greenagent run --quiet --json - -- true | jq .energy`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return &usageError{errors.New("no command given; write it after --, as in: greenagent run -- python3 train.py"), statusFailed}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o, err := f.understand(args, p.from, cmd.Flags().Changed)
			if err != nil && p.before == nil {
				return &usageError{err, statusFailed}
			}
			if o.quiet {
				p.log = slog.New(slog.DiscardHandler)
			}
			if err != nil { // it was in order when the command was started, which is not to be left alone
				p.log.Warn("going on with settings that are not in order any more", "why", err)
			}
			return p.run(cmd.Context(), o)
		},
		// What follows the command belongs to it, dashes and all.
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.json, "json", "", "write the record of the run to `FILE`; - is standard output, after the command has ended")
	fl.StringVar(&f.reportTo, "report-to", "", "write the report to `FILE` instead of standard error")
	fl.BoolVar(&f.quiet, "quiet", false, "no report on standard error; only a file that cannot be written is still told")
	fl.StringVar(&f.name, "name", "", "a `name` for the run")
	fl.StringVar(&f.id, "run-id", "", "the run's `id`, where several nodes share one (default: a new one)")
	fl.Var(&f.tags, "tag", "a `key=value` to keep with the run; repeatable")
	fl.StringVar(&f.zone, "zone", "", zoneUsage)
	fl.StringVar(&f.pue, "pue", "", "power usage effectiveness of the site, a `NUMBER` from 1.0 (default 1.56, assumed)")
	fl.Var(&f.units, "units", "work done, `name=count`, to report energy per unit: tokens=1.2e9; repeatable")
	fl.StringVar(&f.idlePolicy, "idle-policy", "none", "who pays for idle energy: the `POLICY` none, equal, memory or reserved")
	fl.DurationVar(&f.interval, "interval", time.Second, "how often to look at who is busy; sensors are read as fast as they tick")
	complete := func(values ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values, cobra.ShellCompDirectiveNoFileComp
		}
	}
	must(cmd.RegisterFlagCompletionFunc("idle-policy", complete("none", "equal", "memory", "reserved")))
	must(cmd.RegisterFlagCompletionFunc("zone", zones))
	return cmd
}

// must reports a mistake of the program itself.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// understand checks every flag before the command is started, when a mistake
// costs nothing yet.
func (f *runFlags) understand(args []string, from origins, given func(flag string) bool) (runOptions, error) {
	o := runOptions{runFlags: *f, command: args, site: carbon.AssumedPUE()}
	var err error
	if o.policy, err = attribution.ParsePolicy(f.idlePolicy); err != nil {
		return o, fmt.Errorf("%s: %w", from.of("idle-policy"), err)
	}
	if f.interval < shortestInterval || f.interval > longestInterval {
		return o, fmt.Errorf("%s: %v: want %v to %v", from.of("interval"), f.interval, shortestInterval, longestInterval)
	}
	if f.zone != "" {
		factor, err := carbon.Lookup(f.zone)
		if err != nil {
			return o, fmt.Errorf("%s: %w", from.of("zone"), err)
		}
		o.factor = &factor
	}
	if f.pue != "" {
		if o.site, err = carbon.ParsePUE(f.pue); err != nil {
			return o, fmt.Errorf("%s: %w", from.of("pue"), err)
		}
	}
	for _, l := range []struct {
		flag   string
		labels labels
	}{{"tag", f.tags}, {"units", f.units}} {
		if err := l.labels.check(); err != nil {
			return o, fmt.Errorf("%s: %w", from.of(l.flag), err)
		}
	}
	if o.counts, err = f.units.counts(); err != nil {
		return o, fmt.Errorf("%s: %w", from.of("units"), err)
	}
	for _, key := range []struct{ flag, value string }{{"run-id", f.id}, {"name", f.name}} {
		if strings.ContainsFunc(key.value, unicode.IsControl) {
			return o, fmt.Errorf("%s: %q: want no control characters", from.of(key.flag), key.value)
		}
	}
	for _, file := range []struct{ flag, value string }{{"json", f.json}, {"report-to", f.reportTo}} {
		if file.value == "" && given(file.flag) {
			return o, fmt.Errorf("%s: want a file, and got nothing, as of a shell's variable that is not set", from.of(file.flag))
		}
	}
	switch {
	case f.reportTo == "-":
		return o, fmt.Errorf("%s: -: standard output belongs to the command; name a file, or leave it out for standard error", from.of("report-to"))
	case f.reportTo != "" && f.json != "" && runfile.Same(f.reportTo, outputFile(f.json)):
		return o, fmt.Errorf("%s: %s: the record is to be written to the same file; name another", from.of("report-to"), f.reportTo)
	}
	if o.id == "" {
		o.id = newID(time.Now())
	}
	return o, nil
}

// outputFile is the file that --json says.
func outputFile(json string) string {
	if json == "-" {
		return "/dev/stdout"
	}
	return json
}

const zoneUsage = "the `ZONE` where this is, for emissions: a country such as FR or DEU, EU or WORLD"

// zones completes --zone.
func zones(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	list, err := carbon.Zones()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var values []string
	for _, z := range list {
		values = append(values, z.Zone+"\t"+z.Name)
	}
	return values, cobra.ShellCompDirectiveNoFileComp
}
