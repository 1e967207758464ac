package main

import (
	"fmt"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"greenagent/doctor"
)

// The bounds of --duration: below, a counter has not ticked often enough.
const (
	shortestLook = 2 * time.Second
	longestLook  = time.Hour
)

func (p *program) characteriseCommand() *cobra.Command {
	var json bool
	o := doctor.CharacteriseOptions{}
	cmd := &cobra.Command{
		Use:     "characterise",
		Aliases: []string{"characterize"},
		Short:   "Find out how this machine's GPU sensors behave, and keep it",
		Long: `Look closely at every GPU for some seconds: how often its energy counter and its
power sensors move, what they cover, what the driver remembers and how long it
takes to answer, what the GPU draws with nobody on it; and whether the driver
contradicts itself. Nothing of the GPUs is changed. Those that are suspended are
not woken.

What was found is kept in --state-dir, and spares runs the search for it. A load
that varies meanwhile shows more: windows of power sensors cannot be measured at
rest, and are then those published for the architecture.

Interrupted, it tells what it has seen until then. The exit status is that of
greenagent doctor.`,
		Example: `  greenagent doctor characterise --duration 2s
  greenagent doctor characterise --duration 2s --json | jq '.gpus[] | select(.counter) | .counter.tick'`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Timeout < shortestTimeout || o.Timeout > longestTimeout {
				return &usageError{fmt.Errorf("%s: %v: want %v to %v", p.from.of("timeout"), o.Timeout, shortestTimeout, longestTimeout), statusUsage}
			}
			if o.For < shortestLook || o.For > longestLook {
				return &usageError{fmt.Errorf("--duration: %v: want %v to %v", o.For, shortestLook, longestLook), statusUsage}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			o.Machine, o.Progress, o.Store = p.machine, p.progress(), p.store()
			c := doctor.Characterise(ctx, o)
			o.Progress("")
			stop() // a second Ctrl-C ends it whatever it does
			p.status = c.Status.Exit()
			for _, g := range c.GPUs {
				if err := o.Store.Save(g); err != nil {
					p.say("what was found is not kept: %v; name another folder with --state-dir", err)
					break
				}
			}
			return p.show(c, json)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&json, "json", false, "print an object for machines; only here, not by a variable or the file")
	f.DurationVar(&o.For, "duration", 10*time.Second, "how long to look, 2s to 1h; only here, not by a variable or the file")
	must(f.SetAnnotation("json", givenOnly, []string{"json of run is a file"}))
	must(f.SetAnnotation("duration", givenOnly, []string{"that of a job is another"}))
	f.DurationVar(&o.Timeout, "timeout", 10*time.Second, "how long to wait for an answer of a driver")
	return cmd
}
