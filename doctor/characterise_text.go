package doctor

import (
	"fmt"
	"io"
	"strings"
	"time"

	"greenagent/exporter/prose"
	"greenagent/profile"
)

// Write writes it for a person: each GPU, then the checks.
func (c Characterisation) Write(w io.Writer, style Style) error {
	p := &page{style: style}
	for i := range c.GPUs {
		p.gpu(&c.GPUs[i])
	}
	p.checks(c.Checks)
	p.verdict(c.Checks)
	_, err := io.WriteString(w, p.String())
	return err
}

// gpu writes what is known of one.
func (p *page) gpu(g *profile.Profile) {
	p.linef("%s  %s  driver %s", safe(g.Name, mostName), safe(g.UUID, mostName), safe(g.Driver, mostName))
	const label = 14
	item := func(name, text string) {
		for i, line := range prose.Wrap(safe(text, mostProse), width-label) {
			if i > 0 {
				name = ""
			}
			p.linef("  %-*s%s", label-2, name, line)
		}
	}
	if o := g.Characterised; o != nil {
		item("seen", fmt.Sprintf("%d readings in %s, %s apart", o.Looks, shortly(time.Duration(o.For)), shortly(time.Duration(o.Apart))))
	}
	item("counter", counterText(g.Counter))
	item("power", powerText(g.Power))
	if g.Average != nil && g.Power != g.Average && g.Power.Field != g.Average.Field {
		item("", powerText(g.Average))
	}
	item("ring", ringText(g.Ring))
	item("processes", usersText(g))
	for _, i := range g.Idle {
		state := "in a state not asked for"
		if i.State != nil {
			state = fmt.Sprintf("in P%d", *i.State)
		}
		item("idle", fmt.Sprintf("%s %s, seen for %s until %s", i.Power, state, shortly(time.Duration(i.For)), i.At.Format("2006-01-02 15:04 MST")))
	}
	if len(g.Idle) == 0 {
		item("idle", "not seen: somebody was there")
	}
	if g.CrossCheck != nil {
		item("agreement", fmt.Sprintf("counter over integrated power %.3f", *g.CrossCheck))
	}
	for i, call := range g.Calls {
		name := ""
		if i == 0 {
			name = "calls"
		}
		item(name, fmt.Sprintf("%s: median %s, 95 %% %s, at most %s (%d)", call.Name,
			shortly(time.Duration(call.Median)), shortly(time.Duration(call.P95)), shortly(time.Duration(call.Max)), call.Count))
	}
	if len(g.Missing) > 0 {
		item("missing", "the driver's library has no "+strings.Join(g.Missing, ", "))
	}
	p.linef("")
}

func counterText(c *profile.Counter) string {
	switch {
	case c == nil:
		return "none"
	case c.Tick == nil:
		return "not seen to tick"
	}
	text := tickText(c.Tick)
	if c.Step != nil {
		text += fmt.Sprintf(", in steps of %s", *c.Step)
	}
	return text
}

func tickText(t *profile.Tick) string {
	if t == nil {
		return "not seen to change"
	}
	text := fmt.Sprintf("every %s ± %s", shortly(time.Duration(t.Period)), shortly(time.Duration(t.Within)))
	if !t.Even {
		text = fmt.Sprintf("unevenly, every %s in the middle", shortly(time.Duration(t.Period)))
	}
	if t.Jitter != nil && t.Spread != nil {
		text += fmt.Sprintf("; 9 of 10 within ± %s, off the beat by %s", shortly(time.Duration(*t.Spread)), shortly(time.Duration(*t.Jitter)))
	}
	return text
}

func powerText(w *profile.Power) string {
	if w == nil {
		return "none"
	}
	text := w.Field + ", of the "
	if w.Scope == "gpu" {
		text += "GPU, "
	} else {
		text += w.Scope + ", "
	}
	text += tickText(w.Tick)
	switch {
	case w.WindowWithin != nil && w.Window != nil:
		text += fmt.Sprintf("; a mean of %s ± %s, as measured", shortly(time.Duration(*w.Window)), shortly(time.Duration(*w.WindowWithin)))
	case w.Window != nil:
		text += fmt.Sprintf("; a mean of %s (published, not measured here)", shortly(time.Duration(*w.Window)))
	case w.Lag != nil:
		text += fmt.Sprintf("; follows within %s (published, not measured here)", shortly(time.Duration(*w.Lag)))
	}
	return text
}

func ringText(r *profile.Ring) string {
	if r == nil {
		return "none"
	}
	text := fmt.Sprintf("%d entries", r.Length)
	if r.Every != nil {
		text += ", every " + shortly(time.Duration(*r.Every))
	}
	switch r.Clock {
	case profile.ClockBoot:
		text += ", stamped since boot"
	case profile.ClockEpoch:
		text += ", stamped since the epoch"
	}
	return text
}

func usersText(g *profile.Profile) string {
	var parts []string
	if g.Processes != nil && *g.Processes {
		parts = append(parts, "listed")
	} else {
		parts = append(parts, "not listed")
	}
	switch {
	case g.Activity == nil:
		parts = append(parts, "not told who was active")
	case g.Activity.Every == nil:
		parts = append(parts, "who was active is told (nobody was)")
	default:
		parts = append(parts, "who was active is told every "+shortly(time.Duration(*g.Activity.Every)))
	}
	if g.Instances != nil {
		parts = append(parts, fmt.Sprintf("MIG instances: %d", *g.Instances))
	}
	return strings.Join(parts, "; ")
}
